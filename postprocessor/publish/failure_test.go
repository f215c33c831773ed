// SPDX-License-Identifier: MPL-2.0

package publish

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
	"github.com/packer-chain/packer-plugin-chain/internal/registry"
	"github.com/packer-chain/packer-plugin-chain/internal/store"
)

// broken is a registry that cannot be written to: its folder is a file.
func broken(t *testing.T) (dir string, repair func()) {
	t.Helper()
	dir = folder(t)
	check(t, os.WriteFile(dir, nil, 0o644))
	return dir, func() { check(t, os.Remove(dir)) }
}

// TestFailed_keep fails, and then finishes as the text says: with the same build again.
func TestFailed_keep(t *testing.T) {
	dir, repair := broken(t)
	ui, err := process(t, configured(t, "file", newRecord(dir), "labels = { team = \"images\" }"), &artifact{id: "File"})
	check(t, err)
	cwd, err := os.Getwd()
	check(t, err)
	address, path := filepath.Join(dir, "app", "builds", print1+".json"), filepath.Join(cwd, "manifest-app.json")
	begin := "publish app: write the manifest: update " + address + ": not written: "
	end := "\n\nThe manifest is not published.\nThe image is kept: File\n" +
		"To finish, remove the cause and run the same packer build again, in the same folder: it finds " + path + ", builds nothing, and publishes the image."
	if len(ui.red) != 1 || !strings.HasPrefix(ui.red[0], begin) || !strings.HasSuffix(ui.red[0], end) {
		t.Fatalf("got %q, want %q … %q", ui.red, begin, end)
	}
	local := copied(t, "manifest-app.json")
	if local.Chain.Published == nil || *local.Chain.Published || local.Chain.Labels["team"] != "images" {
		t.Errorf("got %+v", local.Chain)
	}

	// It fails a second time, and is still to be published.
	again := func() (*screen, error) {
		return process(t, configured(t, "chain", handedOn(dir, copied(t, "manifest-app.json"), true), ""), &artifact{id: "File"})
	}
	if ui, err := again(); err != nil || len(ui.red) != 1 || copied(t, "manifest-app.json").Chain.Published == nil {
		t.Errorf("got %v, %q", err, ui.red)
	}
	repair()
	if ui, err := again(); err != nil || len(ui.red) > 0 {
		t.Errorf("got %v, %q", err, ui.red)
	}
	if m := stored(t, dir); m == nil || len(m.Builds) != 1 || m.Builds[0].ArtifactID != "File" || m.Chain.Published != nil || !points(t, dir, "latest") {
		t.Errorf("got %+v", m)
	}
	if copied(t, "manifest-app.json").Chain.Published != nil {
		t.Error("the local copy still says that it is not published")
	}
}

func TestFailed_keepWithoutCopy(t *testing.T) {
	dir, _ := broken(t)
	check(t, os.WriteFile("manifest-app.json", []byte("mine\n"), 0o644))
	ui, err := process(t, configured(t, "file", newRecord(dir), ""), &artifact{id: "File"})
	if err != nil || len(ui.red) != 1 || !strings.Contains(ui.red[0], "No local copy could be left, so the image will be built again: replace ") {
		t.Errorf("got %v, %q", err, ui.red)
	}
	if body, _ := os.ReadFile("manifest-app.json"); string(body) != "mine\n" {
		t.Errorf("the file of someone else is replaced: %q", body)
	}
}

func TestFailed_fail(t *testing.T) {
	dir, _ := broken(t)
	ui, err := process(t, configured(t, "file", newRecord(dir), `on_failure = "fail"`), &artifact{id: "File"})
	if err == nil || !strings.HasPrefix(err.Error(), "publish app: write the manifest: ") || !strings.HasSuffix(err.Error(), "\n\nThe manifest is not published.") {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat("manifest-app.json"); !errors.Is(err, os.ErrNotExist) || len(ui.red) > 0 {
		t.Error("a local copy of an image that Packer destroys")
	}
}

// damaged has a channel "production" that is no document, and "latest" on an older build.
func damaged(t *testing.T) (dir, path string) {
	t.Helper()
	dir = folder(t)
	old := registry.Target{Fingerprint: strings.Repeat("2", 64), ManifestSeq: 1}
	_, err := open(t, dir).Move(t.Context(), "app", "git-"+sha1, old, registry.Always, "test")
	check(t, err)
	path = filepath.Join(dir, "app", "refs", "production.json")
	check(t, os.WriteFile(path, []byte("{"), 0o644))
	return dir, path
}

func TestFailed_keepAfterManifest(t *testing.T) {
	dir, path := damaged(t)
	ui, err := process(t, configured(t, "file", newRecord(dir), `channels = ["production"]`), &artifact{id: "File"})
	address := filepath.Join(dir, "app", "builds", print1+".json")
	want := "publish app: move ref production of app: read " + path + ": corrupt: it is cut short\n\n" +
		"The manifest is published (" + address + "); the refs or the local copy are not complete.\nThe image is kept: File\n" +
		"To finish, remove the cause and run the same packer build again: it builds nothing."
	if err != nil || len(ui.red) != 1 {
		t.Fatalf("got %v, %q", err, ui.red)
	}
	if diff := cmp.Diff(want, ui.red[0]); diff != "" {
		t.Error(diff)
	}
	if body, _ := os.ReadFile(path); string(body) != "{" {
		t.Errorf("a damaged document is overwritten: %s", body)
	}
}

// TestFailed_failAfterManifest takes back what is there already: Packer destroys the image next.
func TestFailed_failAfterManifest(t *testing.T) {
	dir, path := damaged(t)
	_, err := process(t, configured(t, "file", newRecord(dir), "on_failure = \"fail\"\nchannels = [\"production\"]"), &artifact{id: "File"})
	want := "publish app: move ref production of app: read " + path + ": corrupt: it is cut short\n\nWhat was published has been taken back."
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if m := stored(t, dir); m == nil || m.Chain.Revoked != manifest.Withdrawn {
		t.Errorf("the manifest is not withdrawn: %+v", m)
	}
	ref, err := open(t, dir).Ref(t.Context(), "app", "git-"+sha1)
	if err != nil || ref.Fingerprint != strings.Repeat("2", 64) {
		t.Errorf("the ref is not moved back: %+v, %v", ref, err)
	}
}

// TestFailed_failTwice has nothing left of the image after the second failure either. Cause: the manifest
// held an entry that was revoked, and was not revoked itself.
func TestFailed_failTwice(t *testing.T) {
	dir, _ := damaged(t)
	for _, run := range []string{"1", "2"} {
		t.Setenv("PACKER_RUN_UUID", run)
		p := configured(t, "file", newRecord(dir), "on_failure = \"fail\"\nchannels = [\"production\"]")
		if _, err := process(t, p, &artifact{id: "File" + run}); err == nil {
			t.Fatal("the build did not fail")
		}
		if m := stored(t, dir); m == nil || m.Chain.Revoked != manifest.Withdrawn {
			t.Errorf("run %s: the manifest is not revoked: %+v", run, m)
		}
	}
}

// canceller is a Ui at which the user gives up when the manifest is written.
type canceller struct {
	screen
	cancel func()
}

func (c *canceller) Say(text string) {
	if strings.HasPrefix(text, "manifest: ") {
		c.cancel()
	}
}

// TestFailed_cancelled takes back what was published although the time of the build is over.
func TestFailed_cancelled(t *testing.T) {
	dir := folder(t)
	ctx, cancel := context.WithCancel(t.Context())
	p := configured(t, "file", newRecord(dir), `on_failure = "fail"`)
	_, _, _, err := p.PostProcess(ctx, &canceller{cancel: cancel}, &artifact{id: "File"})
	if !errors.Is(err, context.Canceled) || !strings.HasSuffix(err.Error(), "\n\nWhat was published has been taken back.") {
		t.Errorf("got %v", err)
	}
	if m := stored(t, dir); m == nil || m.Chain.Revoked != manifest.Withdrawn {
		t.Errorf("the manifest is not withdrawn: %+v", m)
	}
}

// TestFailed_corruptManifest never overwrites what it cannot read.
func TestFailed_corruptManifest(t *testing.T) {
	dir := folder(t)
	path := filepath.Join(dir, "app", "builds", print1+".json")
	check(t, os.MkdirAll(filepath.Dir(path), 0o755))
	check(t, os.WriteFile(path, []byte("{"), 0o644))
	ui, err := process(t, configured(t, "file", newRecord(dir), ""), &artifact{id: "File"})
	if err != nil || len(ui.red) != 1 || !strings.Contains(ui.red[0], "read "+path+": corrupt: it is cut short") || !strings.Contains(ui.red[0], "The manifest is not published.") {
		t.Errorf("got %v, %q", err, ui.red)
	}
	if body, _ := os.ReadFile(path); string(body) != "{" {
		t.Errorf("overwritten: %s", body)
	}
}

// TestFailed_handedOn has the manifest vanish between the look and the publication: it is not said that
// the image was never published.
func TestFailed_handedOn(t *testing.T) {
	dir := folder(t)
	m := &manifest.Manifest{Builds: []manifest.Entry{{Name: "image", BuilderType: "file", ArtifactID: "File"}}}
	ui, err := process(t, configured(t, "chain", handedOn(dir, m, false), ""), &artifact{id: "File"})
	if err != nil || len(ui.red) != 1 || !strings.Contains(ui.red[0], "The image was published by an earlier build;") || strings.Contains(ui.red[0], "not published") {
		t.Errorf("got %v, %q", err, ui.red)
	}
}

func TestState(t *testing.T) {
	lost := &store.UpdateError{Address: "s3://acme-images/chain/app/builds/1.json", Outcome: store.Unknown, Err: store.ErrUnknown}
	not := &store.UpdateError{Outcome: store.NotWritten, Err: store.ErrConflict}
	published := publication{stored: registry.Stored{Manifest: &manifest.Manifest{}, URI: "s3://m"}}
	for name, tt := range map[string]struct {
		in    *publication
		cause error
		want  string
	}{
		"lost answer": {&publication{}, fmt.Errorf("write the manifest: %w", lost),
			"It is unknown whether the manifest is published: read s3://acme-images/chain/app/builds/1.json to find out."},
		"not written":         {&publication{}, not, "The manifest is not published."},
		"before the manifest": {&publication{}, errors.New("tag"), "The manifest is not published."},
		"after the manifest":  {&published, lost, "The manifest is published (s3://m); the refs or the local copy are not complete."},
	} {
		t.Run(name, func(t *testing.T) {
			if got := tt.in.state(tt.cause); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
