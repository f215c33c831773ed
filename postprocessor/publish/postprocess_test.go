// SPDX-License-Identifier: MPL-2.0

package publish

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
	"github.com/packer-chain/packer-plugin-chain/internal/record"
	"github.com/packer-chain/packer-plugin-chain/internal/registry"
)

// process runs PostProcess. Whatever happens, Packer is to keep the artifact.
func process(t *testing.T, p *PostProcessor, source *fakeArtifact) (*screen, error) {
	t.Helper()
	ui := &screen{}
	got, keepInput, forceKeep, err := p.PostProcess(t.Context(), ui, source)
	if got != source || !keepInput || !forceKeep {
		t.Errorf("got %v, %t, %t: the artifact is not kept", got, keepInput, forceKeep)
	}
	return ui, err
}

func processed(t *testing.T, p *PostProcessor, source *fakeArtifact) *screen {
	t.Helper()
	ui, err := process(t, p, source)
	check(t, err)
	if len(ui.red) > 0 {
		t.Fatalf("in red: %q", ui.red)
	}
	return ui
}

// passedThrough is the record that data "chain-image" has of an image that exists.
func passedThrough(dir string, m *manifest.Manifest, unpublished bool) record.Record {
	rec := newRecord(dir)
	rec.Needed, rec.Reason, rec.Entries, rec.Unpublished = false, "unchanged", m.Current(), unpublished
	return rec
}

func TestPostProcess_file(t *testing.T) {
	dir := folder(t)
	check(t, os.WriteFile("image.txt", []byte("hello"), 0o644))
	source := &fakeArtifact{id: "File", files: []string{"image.txt"}}
	processed(t, configured(t, "file", newRecord(dir), "channels = [\"latest\", \"production\"]\nlabels = { team = \"images\" }"), source)

	m := stored(t, dir)
	m.Builds[0].BuildTime = 0
	want := []manifest.Entry{{
		Name: "image", BuilderType: "file", BuilderID: "acme.file", ArtifactID: "File", PackerRunUUID: "run",
		Files: []manifest.File{{Name: "image.txt", Size: 5, SHA256: "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"}},
	}}
	if diff := cmp.Diff(want, m.Builds, whole); diff != "" {
		t.Error(diff)
	}
	if m.Chain.Labels["team"] != "images" || m.Chain.Versions.Packer != "1.16.0" || m.Chain.Git.Name != sha1 {
		t.Errorf("got %+v", m.Chain)
	}
	for _, name := range []string{"git-" + sha1, "latest", "production"} {
		if !points(t, dir, name) {
			t.Errorf("ref %s does not point at the build", name)
		}
	}
	local, _ := os.ReadFile(localPath)
	remote, _ := os.ReadFile(filepath.Join(dir, "app", "builds", print1+".json"))
	if string(local) != string(remote) || len(local) == 0 {
		t.Error("the local manifest is not what lies in the registry")
	}

	ui := processed(t, configured(t, "chain", passedThrough(dir, m, false), "channels = [\"latest\", \"production\"]"), &fakeArtifact{id: "File"})
	after, _ := os.ReadFile(filepath.Join(dir, "app", "builds", print1+".json"))
	if string(after) != string(remote) || !strings.HasPrefix(ui.said[0], "app is unchanged (fingerprint 111111111111)") {
		t.Errorf("a second run wrote the manifest, or says %q", ui.said)
	}
}

// TestPostProcess_null publishes an artifact that is nothing at all.
func TestPostProcess_null(t *testing.T) {
	dir := folder(t)
	processed(t, configured(t, "null", newRecord(dir), ""), &fakeArtifact{})
	if m := stored(t, dir); m == nil || len(m.Builds) != 1 || !points(t, dir, "latest") {
		t.Errorf("got %+v", m)
	}
}

// TestPostProcess_unreadable has an artifact that cannot be read: a bug, or a file that is locked.
// Cause: that was an error whatever on_failure says, upon which Packer destroys the image.
func TestPostProcess_unreadable(t *testing.T) {
	dir := folder(t)
	const region = "eu-west-1:" + ami1
	bug := func(method string) []string {
		return []string{`post-processor "chain": bug in the chain plugin `, ": the artifact has no " + method, "\n\nPlease report it at https://"}
	}
	for name, tt := range map[string]struct {
		in   fakeArtifact
		id   string
		want []string
	}{
		"BuilderId": {fakeArtifact{id: region, broken: "BuilderId"}, region, bug("BuilderId")},
		"Files":     {fakeArtifact{id: region, broken: "Files"}, region, bug("Files")},
		"Id":        {fakeArtifact{id: region, broken: "Id"}, "an artifact of unknown id", bug("Id")},
		"State":     {fakeArtifact{id: "File\x1b[2J", broken: "State"}, "File[2J", bug("State")},
		"a file":    {fakeArtifact{id: "File", files: []string{"a\x00b"}}, "File", []string{"publish app: read a\x00b: "}},
	} {
		t.Run(name, func(t *testing.T) {
			ui, err := process(t, configured(t, "file", newRecord(dir), ""), &tt.in)
			kept := "\n\nThe manifest is not published.\nThe image is kept: " + tt.id + "\nTo finish, remove the cause and run the same packer build " +
				"again. No local manifest could be written, so the image will be built again: the artifact could not be read"
			if err != nil || len(ui.red) != 1 || !strings.HasSuffix(ui.red[0], kept) {
				t.Fatalf("got %v, %q", err, ui.red)
			}
			_, err = process(t, configured(t, "file", newRecord(dir), `on_failure = "fail"`), &tt.in)
			for _, want := range tt.want {
				if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(ui.red[0], want) {
					t.Errorf("got %v and %q, want %q in them", err, ui.red, want)
				}
			}
		})
	}
	if stored(t, dir) != nil {
		t.Error("it is published all the same")
	}
}

// fragile is a Ui that panics in the midst of the publication.
type fragile struct{ screen }

func (f *fragile) Say(string) { panic("no terminal") }

// TestPostProcess_panicLater must not cost the image: Packer destroys it after an error.
func TestPostProcess_panicLater(t *testing.T) {
	dir := folder(t)
	ui := &fragile{}
	_, _, _, err := configured(t, "file", newRecord(dir), "").PostProcess(t.Context(), ui, &fakeArtifact{id: "File"})
	if err != nil || len(ui.red) != 1 || !strings.Contains(ui.red[0], "bug in the chain plugin") || !strings.Contains(ui.red[0], "The image is kept: File") {
		t.Errorf("got %v, %q", err, ui.red)
	}
}

func TestPostProcess_noArtifact(t *testing.T) {
	dir := folder(t)
	_, keepInput, forceKeep, err := configured(t, "file", newRecord(dir), "").PostProcess(t.Context(), &screen{}, nil)
	if want := "publish app: the builder made no artifact"; err == nil || err.Error() != want || !keepInput || !forceKeep {
		t.Errorf("got %v, %t, %t", err, keepInput, forceKeep)
	}
}

func TestPostProcess_passedThroughNothing(t *testing.T) {
	dir := folder(t)
	_, err := process(t, configured(t, "chain", newRecord(dir), ""), &fakeArtifact{})
	if want := "publish app: the record names no image that exists"; err == nil || err.Error() != want {
		t.Errorf("got %v", err)
	}
}

// TestPostProcess_cancelled ends at once, with what is true.
func TestPostProcess_cancelled(t *testing.T) {
	dir := folder(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	ui := &screen{}
	begun := time.Now()
	_, _, _, err := configured(t, "file", newRecord(dir), "").PostProcess(ctx, ui, &fakeArtifact{id: "File"})
	if err != nil || time.Since(begun) > 3*time.Second {
		t.Errorf("got %v after %s", err, time.Since(begun))
	}
	for _, want := range []string{"context canceled", "The manifest is not published.", "The image is kept: File", localPath} {
		if len(ui.red) != 1 || !strings.Contains(ui.red[0], want) {
			t.Errorf("got %q, want %q in it", ui.red, want)
		}
	}
	if stored(t, dir) != nil {
		t.Error("it is published")
	}
}

// TestPostProcess_cancelledRead gives up while a file of 40 GB is read.
func TestPostProcess_cancelledRead(t *testing.T) {
	dir := folder(t)
	check(t, os.WriteFile("image.txt", []byte("hello"), 0o644))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	ui := &screen{}
	_, _, _, err := configured(t, "file", newRecord(dir), "").PostProcess(ctx, ui, &fakeArtifact{id: "File", files: []string{"image.txt"}})
	if err != nil || len(ui.red) != 1 || !strings.Contains(ui.red[0], "read image.txt: context canceled") || !strings.Contains(ui.red[0], "The image is kept: File") {
		t.Errorf("got %v, %q", err, ui.red)
	}
}

func TestPostProcess_dirty(t *testing.T) {
	dir := folder(t)
	rec := newRecord(dir)
	rec.Git.Dirty, rec.Git.Name = true, sha1+"-dirty-0123456789ab"
	ui := processed(t, configured(t, "file", rec, ""), &fakeArtifact{id: "File"})
	if !slices.Contains(ui.said, "no channel is moved: the image contains uncommitted files") {
		t.Errorf("got %q", ui.said)
	}
	if points(t, dir, "latest") || !points(t, dir, "git-"+rec.Git.Name) {
		t.Error("the channel moved, or the ref of the files did not")
	}
}

// TestPostProcess_incomplete publishes the two sources of an image one after the other.
func TestPostProcess_incomplete(t *testing.T) {
	dir := folder(t)
	rec := newRecord(dir)
	rec.Sources = []string{"docker.image", "file.image"}
	ui := processed(t, configured(t, "file", rec, ""), &fakeArtifact{id: "File"})
	if !slices.Contains(ui.said, "app is incomplete: waiting for docker.image; no channel is moved") || points(t, dir, "latest") {
		t.Errorf("got %q", ui.said)
	}
	processed(t, configured(t, "docker", rec, ""), &fakeArtifact{id: "sha256:1"})
	if m := stored(t, dir); len(m.Builds) != 2 || !points(t, dir, "latest") || !points(t, dir, "git-"+sha1) {
		t.Errorf("got %+v", m)
	}
}

// TestPostProcess_stays is a run of last month's job.
func TestPostProcess_stays(t *testing.T) {
	dir := folder(t)
	newer := registry.Target{Fingerprint: strings.Repeat("2", 64), ManifestSeq: 1, Commit: "c", CommitTime: now.Add(time.Hour)}
	_, err := open(t, dir).Move(t.Context(), "app", "latest", newer, registry.NotBack, "test", nil)
	check(t, err)
	ui := processed(t, configured(t, "file", newRecord(dir), ""), &fakeArtifact{id: "File"})
	if !slices.Contains(ui.said, "channel latest stays on 222222222222: a newer commit moved it there") || points(t, dir, "latest") {
		t.Errorf("got %q", ui.said)
	}
}

func TestPostProcess_noChannels(t *testing.T) {
	dir := folder(t)
	processed(t, configured(t, "file", newRecord(dir), "channels = []"), &fakeArtifact{id: "File"})
	if points(t, dir, "latest") || !points(t, dir, "git-"+sha1) {
		t.Error("a channel moved")
	}
}

func TestPostProcess_wrongParent(t *testing.T) {
	dir := folder(t)
	rec := newRecord(dir)
	rec.Parents = []manifest.Parent{{Image: "base", Identity: ami1, AMI: ami1}}
	_, err := process(t, configured(t, "amazon-ebs", rec, ""), &fakeArtifact{state: map[string]any{"generated_data": map[any]any{"SourceAMI": ami2}}})
	if err == nil || !strings.HasPrefix(err.Error(), "publish app: it was built on "+ami2+", but its parent is "+ami1+" (base)") || stored(t, dir) != nil {
		t.Errorf("got %v", err)
	}
}

func TestTags(t *testing.T) {
	j := publication{rec: newRecord("registry")}
	j.config.Tags = map[string]string{"team": "images"}
	j.ci.Provider, j.ci.BuildID = "jenkins", "7"
	want := map[string]string{"chain:image": "app", "chain:manifest": "s3://m", "chain:ci-build": "7", "team": "images"}
	if diff := cmp.Diff(want, j.tags("s3://m")); diff != "" {
		t.Error(diff)
	}
	if len(j.rec.Tags) != 1 {
		t.Error("the tags of the record are changed")
	}
	j.rec.Tags = nil
	if got := j.tags("/" + strings.Repeat("x", 255)); got["chain:manifest"] != "" || got["team"] != "images" {
		t.Errorf("a cut address is worse than none: %v", got)
	}
}
