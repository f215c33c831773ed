// SPDX-License-Identifier: MPL-2.0

package image

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/zclconf/go-cty/cty"

	"github.com/packer-chain/packer-plugin-chain/internal/access"
	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
	"github.com/packer-chain/packer-plugin-chain/internal/manifest/manifesttest"
	"github.com/packer-chain/packer-plugin-chain/internal/option/optiontest"
	"github.com/packer-chain/packer-plugin-chain/internal/record"
	"github.com/packer-chain/packer-plugin-chain/internal/registry"
	"github.com/packer-chain/packer-plugin-chain/internal/tags"
)

// execute runs the data source with options in HCL, in the working directory.
func execute(t *testing.T, options string) (cty.Value, error) {
	t.Helper()
	var d Datasource
	in := "image = \"app\"\nregistry = \"../registry\"\npath = \"app\"\n" + options
	if errs := optiontest.Texts(d.Configure(optiontest.Decode(t, &Datasource{}, in))); errs != nil {
		t.Fatal(errs)
	}
	return d.Execute()
}

// looked is what one look returns: the record, and the reason is the one that is wanted.
func looked(t *testing.T, options, wantReason string) record.Record {
	t.Helper()
	value, err := execute(t, options)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"tags", "amis", "missing_regions", "pending", "for_each"} {
		if value.GetAttr(name).IsNull() {
			t.Errorf("%s is null: length() of it is an error in HCL", name)
		}
	}
	if got := value.GetAttr("reason").AsString(); got != wantReason {
		t.Errorf("reason %q, want %q", got, wantReason)
	}
	rec, err := record.Decode(value.GetAttr("record").AsString())
	if err != nil {
		t.Fatal(err)
	}
	fingerprint := value.GetAttr("fingerprint").AsString()
	needed := len(rec.Pending) > 0
	if value.GetAttr("needed").True() != needed || value.GetAttr("pending").LengthInt() != len(rec.Pending) ||
		rec.Fingerprint != fingerprint ||
		value.GetAttr("short").AsString() != fingerprint[:12] || rec.Tags[tags.Fingerprint] != fingerprint {
		t.Errorf("the record %+v and the outputs %#v differ", rec, value)
	}
	return rec
}

func entry(run string, at time.Time) manifest.Entry {
	return manifest.Entry{
		Name: "image", BuilderType: "file", PackerRunUUID: run, ArtifactID: "File-" + run, BuildTime: at.Unix(),
		Files: []manifest.File{{Name: "image"}},
	}
}

// publish does what the post-processor does for a run of main, in the folder registry.
func publish(t *testing.T, rec record.Record, entries ...manifest.Entry) registry.Stored {
	t.Helper()
	stored := onlyPublish(t, rec, entries...)
	current := stored.Manifest.Current()
	point(t, rec, latest, stored, current...)
	point(t, rec, registry.Name{Kind: registry.Line, Name: rec.Git.Line.Document()}, stored, current...)
	return stored
}

// onlyPublish leaves all pointers where they are, as a run does if the image is not whole.
func onlyPublish(t *testing.T, rec record.Record, entries ...manifest.Entry) registry.Stored {
	t.Helper()
	stored, err := folder(t, rec).Publish(t.Context(), rec.Facts, entries, nil)
	if err != nil {
		t.Fatal(err)
	}
	return stored
}

// point moves a channel or a line to builds of an image.
func point(t *testing.T, rec record.Record, name registry.Name, stored registry.Stored, entries ...manifest.Entry) {
	t.Helper()
	to := registry.TargetOf(rec.Fingerprint, entries)
	to.DecidedAt, to.Commit, to.CommitTime = rec.DecidedAt, rec.Git.Commit, rec.Git.CommitTime
	to.Content, to.GitSHA, to.Origin, to.Line = rec.Git.Content, rec.Git.Name, rec.Git.Origin, rec.Git.Line
	request := registry.Request{Image: rec.Image, Name: name, To: to, Stored: stored, AllowRollback: true}
	result, err := folder(t, rec).Move(t.Context(), request, nil)
	if err != nil || result.Outcome > registry.There {
		t.Fatal(result, err)
	}
}

func folder(t *testing.T, rec record.Record) *registry.Registry {
	t.Helper()
	reg, err := access.Open(t.Context(), nil, rec.Registry, nil).Registry()
	if err != nil {
		t.Fatal(err)
	}
	return reg
}

// TestExecute goes through the life of an image that needs no AWS.
func TestExecute(t *testing.T) {
	optiontest.Offline(t)
	dir := newRepo(t, app)
	first := looked(t, "", "first build of app")
	if len(first.Entries) != 0 || first.Git.SHA != git(t, dir, "rev-parse", "HEAD:app") {
		t.Errorf("got %+v", first)
	}
	publish(t, first, entry("1", now))
	second := looked(t, "", "unchanged")
	if len(second.Pending) > 0 || len(second.Entries) != 1 || second.Entries[0].ArtifactID != "File-1" || second.Unpublished {
		t.Errorf("got %+v", second)
	}
	value, err := execute(t, "")
	if err != nil || value.GetAttr("id").AsString() != "File-1" {
		t.Errorf("got %#v, %v", value, err)
	}
	looked(t, "force = true", "forced")
	looked(t, "max_age = \"1s\"", "older than 1s")
	looked(t, "inputs = { docker = \"27.3\" }", "input docker added")

	write(t, dir, map[string]string{"app/app.pkr.hcl": "changed"})
	git(t, dir, "commit", "-qam", "change")
	third := looked(t, "", fmt.Sprintf("template: %.7s -> %.7s", first.Git.SHA, git(t, dir, "rev-parse", "HEAD:app")))
	if third.Fingerprint == first.Fingerprint {
		t.Error("the fingerprint did not change")
	}
}

// TestExecute_sources changes which sources make the image, which changes no fingerprint: what is
// missing is built, and nothing else.
func TestExecute_sources(t *testing.T) {
	optiontest.Offline(t)
	newRepo(t, app)
	const image, both = `sources = ["file.image"]`, `sources = ["file.other", "file.image"]`
	const three = `sources = ["file.image", "file.other", "file.third"]`
	of := func(name string) manifest.Entry {
		e := entry("1", now)
		e.Name, e.ArtifactID = name, "File-"+name
		return e
	}
	steps := []struct {
		options, reason   string
		pending, existing []string
		leave             string // the source that is published then
	}{
		{both, "first build of app", []string{"file.image", "file.other"}, nil, "image"},
		{both, "file.other: not built yet", []string{"file.other"}, []string{"File-image"}, "other"},
		{both, "unchanged", nil, []string{"File-image", "File-other"}, ""},
		{image, "unchanged", nil, []string{"File-image"}, ""},
		{three, "file.third: not built yet", []string{"file.third"}, []string{"File-image", "File-other"}, "third"},
		{three, "unchanged", nil, []string{"File-image", "File-other", "File-third"}, ""},
		{both, "unchanged", nil, []string{"File-image", "File-other"}, ""},
	}
	for _, step := range steps {
		rec := looked(t, step.options, step.reason)
		if diff := cmp.Diff(step.pending, rec.Pending, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s: pending: %s", step.options, diff)
		}
		if diff := cmp.Diff(step.existing, ids(rec.Entries)); diff != "" {
			t.Errorf("%s: existing: %s", step.options, diff)
		}
		if step.leave != "" {
			publish(t, rec, of(step.leave))
		}
	}
}

// ids are those of the artifacts.
func ids(entries []manifest.Entry) []string {
	var all []string
	for _, e := range entries {
		all = append(all, e.ArtifactID)
	}
	return all
}

// revoke revokes all builds of a manifest.
func revoke(t *testing.T, rec record.Record, reason string, at time.Time) {
	t.Helper()
	path := filepath.Join(rec.Registry, rec.Image, "builds", rec.Fingerprint+".json")
	m, err := manifest.Parse(read(t, path))
	if err != nil {
		t.Fatal(err)
	}
	every := func(manifest.Entry) bool { return true }
	m, _ = m.Mark(every, manifesttest.Revoked(reason, at), "w2")
	body, err := manifest.Encode(m)
	if err != nil {
		t.Fatal(err)
	}
	replace(t, path, body)
}

// TestExecute_damagedNewest has the build damaged that a new one is compared with: that is for the
// reason only, and stops nothing.
func TestExecute_damagedNewest(t *testing.T) {
	optiontest.Offline(t)
	dir := newRepo(t, app)
	first := looked(t, "", "first build of app")
	publish(t, first, entry("1", now))
	path := filepath.Join(filepath.Dir(dir), "registry", "app", "builds", first.Fingerprint+".json")
	if err := os.WriteFile(path, []byte(`{"builds":`), 0o644); err != nil {
		t.Fatal(err)
	}
	value, err := execute(t, `salt = "x"`)
	if err != nil {
		t.Fatal(err)
	}
	fingerprint, reason := value.GetAttr("short").AsString(), value.GetAttr("reason").AsString()
	if want := "no build of " + fingerprint + " in the registry"; reason != want {
		t.Errorf("got %q, want %q", reason, want)
	}
}

// TestExecute_secret looks for the value of an input in everything that is returned.
func TestExecute_secret(t *testing.T) {
	optiontest.Offline(t)
	newRepo(t, app)
	value, err := execute(t, "inputs = { token = \"hunter2\" }\nsalt = \"hunter2\"")
	if err != nil || strings.Contains(fmt.Sprintf("%#v", value), "hunter2") {
		t.Errorf("the value is shown: %#v, %v", value, err)
	}
}

func TestExecute_damaged(t *testing.T) {
	optiontest.Offline(t)
	dir := newRepo(t, app)
	first := looked(t, "", "first build of app")
	publish(t, first, entry("1", now))
	path := filepath.Join(filepath.Dir(dir), "registry", "app", "builds", first.Fingerprint+".json")
	if err := os.WriteFile(path, []byte(`{"builds":`), 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := execute(t, "")
	want := "find image app: read " + path + ": corrupt: unexpected EOF within \"/builds\" after offset 10\n\n" +
		"Restore an older version of it. If there is none, delete it, and run the builds that wrote it again."
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestTags(t *testing.T) {
	facts := manifest.Facts{
		Fingerprint: strings.Repeat("1", 64), Git: manifest.Git{SHA: "a", Name: "a-dirty-1", Commit: "c"},
		Parents: []manifest.Parent{{Image: "base", AMI: ami1}, {Image: "docker", Identity: "sha256:x"}, {Image: "other", AMI: ami2}},
	}
	want := map[string]string{
		"chain:image": "app", "chain:fingerprint": facts.Fingerprint, "chain:commit": "c", "chain:git-sha": "a-dirty-1", "chain:parent": ami1 + " " + ami2,
	}
	if diff := cmp.Diff(want, builderTags(Config{Image: "app"}, facts)); diff != "" {
		t.Error(diff)
	}
	facts.Git.Name, facts.Parents = "", nil
	delete(want, "chain:git-sha")
	delete(want, "chain:parent")
	if diff := cmp.Diff(want, builderTags(Config{Image: "app"}, facts)); diff != "" {
		t.Error(diff)
	}
}

func TestFirstID(t *testing.T) {
	both := manifest.Entry{ArtifactID: "x", Images: []manifest.Image{
		{Provider: "aws", Region: "eu-west-1", ID: ami1}, {Provider: "aws", Region: "us-east-1", ID: ami2}}}
	file := manifest.Entry{ArtifactID: "File"}
	for _, tt := range []struct {
		entries []manifest.Entry
		regions []string
		want    string
	}{
		{[]manifest.Entry{both}, []string{"us-east-1", "eu-west-1"}, ami2},
		{[]manifest.Entry{file, both}, nil, ami1},
		{[]manifest.Entry{file}, []string{"eu-west-1"}, "File"},
		{nil, nil, ""},
	} {
		if got := firstID(tt.entries, tt.regions); got != tt.want {
			t.Errorf("got %q, want %q", got, tt.want)
		}
	}
}
