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
	rec.Pending, rec.Reason, rec.Entries, rec.Unpublished = nil, "unchanged", m.Current(), unpublished
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
	if diff := cmp.Diff(want, m.Builds, asJSON); diff != "" {
		t.Error(diff)
	}
	if m.Chain.Labels["team"] != "images" || m.Chain.Versions.Packer != "1.16.0" || m.Chain.Git.Name != sha1 {
		t.Errorf("got %+v", m.Chain)
	}
	if !points(t, dir, "latest") || !points(t, dir, "production") || !leaves(t, dir, "main") {
		t.Error("a channel or the line does not point at the build")
	}
	local, _ := os.ReadFile(localPath(dir))
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
	const packer = "Packer keeps the image if the post-processor before this one succeeded: "
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
			ui, err := process(t, configured(t, "file", newRecord(dir), `on_failure = "keep"`), &tt.in)
			kept := "\n\nThe manifest is not published.\nThe image is kept: " + tt.id + "\nTo finish, remove the cause and run the same packer build " +
				"again. No local manifest could be written, so the image will be built again: the artifact, or the files that it was built from, could not be read"
			if err != nil || len(ui.red) != 1 || !strings.HasSuffix(ui.red[0], kept) {
				t.Fatalf("got %v, %q", err, ui.red)
			}
			_, err = process(t, configured(t, "file", newRecord(dir), ""), &tt.in)
			for _, want := range append(tt.want, packer+tt.id) {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("got %v, want %q in it", err, want)
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
	_, _, _, err := configured(t, "file", newRecord(dir), `on_failure = "keep"`).PostProcess(t.Context(), ui, &fakeArtifact{id: "File"})
	if err != nil || len(ui.red) != 1 || !strings.Contains(ui.red[0], "bug in the chain plugin") || !strings.Contains(ui.red[0], "The image is kept: File") {
		t.Errorf("got %v, %q", err, ui.red)
	}
}

func TestPostProcess_noArtifact(t *testing.T) {
	dir := folder(t)
	_, keepInput, forceKeep, err := configured(t, "file", newRecord(dir), "").PostProcess(t.Context(), &screen{}, nil)
	if want := "publish app: the builder made no artifact\n\nPut the post-processor behind one that keeps the artifact, such as \"manifest\"."; err == nil || err.Error() != want || !keepInput || !forceKeep {
		t.Errorf("got %v, %t, %t", err, keepInput, forceKeep)
	}
}

func TestPostProcess_passedThroughNothing(t *testing.T) {
	dir := folder(t)
	_, err := process(t, configured(t, "chain", newRecord(dir), ""), &fakeArtifact{})
	if want := "publish app: the record names no image that exists\n\nSet record to the output record of data \"chain-image\" or \"chain\", as it is."; err == nil || err.Error() != want {
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
	if time.Since(begun) > 3*time.Second {
		t.Errorf("it took %s", time.Since(begun))
	}
	for _, want := range []string{"context canceled", "The manifest is not published.", "succeeded: File", localPath(dir)} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q in it", err, want)
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
	if err == nil || !strings.Contains(err.Error(), "read image.txt: context canceled") || !strings.Contains(err.Error(), "succeeded: File\n") {
		t.Errorf("got %v", err)
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
	if points(t, dir, "latest") || leaves(t, dir, "main") || copied(t, localPath(dir)).Chain.Published != nil {
		t.Error("a pointer moved, or the local manifest, in which a child finds it, is missing")
	}
}

// TestPostProcess_incomplete publishes the two sources of an image one after the other.
func TestPostProcess_incomplete(t *testing.T) {
	dir := folder(t)
	rec := newRecord(dir)
	rec.Sources = []string{"docker.image", "file.image"}
	rec.Pending = rec.Sources
	ui := processed(t, configured(t, "file", rec, ""), &fakeArtifact{id: "File"})
	if !slices.Contains(ui.said, "app is incomplete: waiting for docker.image; no channel is moved") || points(t, dir, "latest") || leaves(t, dir, "main") {
		t.Errorf("got %q", ui.said)
	}
	processed(t, configured(t, "docker", rec, ""), &fakeArtifact{id: "sha256:1"})
	if m := stored(t, dir); len(m.Builds) != 2 || !points(t, dir, "latest") || !leaves(t, dir, "main") {
		t.Errorf("got %+v", m)
	}
}

// TestPostProcess_stays is a run of last month's job.
func TestPostProcess_stays(t *testing.T) {
	dir := folder(t)
	moved(t, dir, "latest", nil)
	ui := processed(t, configured(t, "file", newRecord(dir), ""), &fakeArtifact{id: "File"})
	if !slices.Contains(ui.said, "channel latest stays on 222222222222: a newer commit moved it there") || points(t, dir, "latest") {
		t.Errorf("got %q", ui.said)
	}
}

func TestPostProcess_noChannels(t *testing.T) {
	dir := folder(t)
	processed(t, configured(t, "file", newRecord(dir), "channels = []"), &fakeArtifact{id: "File"})
	if points(t, dir, "latest") || !leaves(t, dir, "main") {
		t.Error("a channel moved, or the line did not")
	}
}

// TestPostProcess_unpublishedBeside has one of two sources left from a run that could not publish
// it: the run that builds the other one publishes both.
func TestPostProcess_unpublishedBeside(t *testing.T) {
	dir := folder(t)
	left := newSibling(t, dir, "other")
	left.entries[0].PackerRunUUID = "before"
	rec := newRecord(dir)
	rec.Sources, rec.Pending = []string{"file.image", "file.other"}, []string{"file.image"}
	left.rec.Sources = rec.Sources
	_, err := left.writeUnpublished(t.Context(), left.entries)
	check(t, err)
	rec.Entries, rec.Unpublished = left.entries, true
	processed(t, configured(t, "file", rec, ""), &fakeArtifact{id: "File"})
	if m := stored(t, dir); len(m.Builds) != 2 || copied(t, localPath(dir)).Unpublished() {
		t.Errorf("got %+v", m.Builds)
	}
	if at := pointer(t, dir, registry.Channel, "latest"); at == nil || len(at.Current().Builds) != 2 {
		t.Errorf("got %+v", at)
	}
}

// TestPostProcess_changedManifest has somebody put an older manifest back: no pointer may name what
// it lacks.
func TestPostProcess_changedManifest(t *testing.T) {
	dir := folder(t)
	processed(t, configured(t, "file", newRecord(dir), "channels = []"), &fakeArtifact{id: "File"})
	rec := passedThrough(dir, stored(t, dir), false)
	rec.Entries[0].PackerRunUUID = "gone"
	_, err := process(t, configured(t, "chain", rec, ""), &fakeArtifact{id: "File"})
	if err == nil || !strings.Contains(err.Error(), "no longer has the builds that this run has found") || points(t, dir, "latest") {
		t.Errorf("got %v", err)
	}
}

// TestPostProcess_ci notes which CI build made the image, and which moved the channel.
func TestPostProcess_ci(t *testing.T) {
	dir := folder(t)
	for name, value := range map[string]string{
		"GITHUB_ACTIONS": "true", "GITHUB_RUN_ID": "7", "GITHUB_REPOSITORY": "acme/images", "GITHUB_SERVER_URL": "https://github.com",
		"GITHUB_REF": "refs/heads/elsewhere", // What the data source found out counts, not what is said now.
	} {
		t.Setenv(name, value)
	}
	processed(t, configured(t, "file", newRecord(dir), ""), &fakeArtifact{id: "File"})
	want := &manifest.CI{Provider: "github-actions", BuildID: "7", BuildURL: "https://github.com/acme/images/actions/runs/7"}
	if diff := cmp.Diff(want, stored(t, dir).Chain.CI); diff != "" {
		t.Error(diff)
	}
	move := pointer(t, dir, registry.Channel, "latest").Moves[0]
	if move.CI == nil || *move.CI != *want || move.Commit != sha1 || move.GitSHA != sha1 || move.Content["app"] != sha1 || move.Line != main {
		t.Errorf("got %+v", move)
	}
}

func TestTags(t *testing.T) {
	j := publication{rec: newRecord("registry")}
	j.config.Tags = map[string]string{"team": "images"}
	j.ci.Provider, j.ci.BuildID = "jenkins", "7"
	want := map[string]string{"chain:image": "app", "chain:ci-build": "7", "team": "images"}
	if diff := cmp.Diff(want, j.tags()); diff != "" {
		t.Error(diff)
	}
	if len(j.rec.Tags) != 1 {
		t.Error("the tags of the record are changed")
	}
	j.rec.Tags = nil
	if got := j.tags(); got["team"] != "images" {
		t.Errorf("got %v", got)
	}
}
