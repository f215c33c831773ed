// SPDX-License-Identifier: MPL-2.0

package publish

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/packer-chain/packer-plugin-chain/internal/access"
	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
	"github.com/packer-chain/packer-plugin-chain/internal/registry"
	"github.com/packer-chain/packer-plugin-chain/internal/store"
	"github.com/packer-chain/packer-plugin-chain/internal/store/storetest/memstore"
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
	ui, err := process(t, configured(t, "file", newRecord(dir), "on_failure = \"keep\"\nlabels = { team = \"images\" }"), &fakeArtifact{id: "File"})
	check(t, err)
	cwd, err := os.Getwd()
	check(t, err)
	address, path := filepath.Join(dir, "app", "builds", print1+".json"), filepath.Join(cwd, localPath(dir))
	begin := "publish app: write the manifest: update " + address + ": not written: "
	end := "\n\nThe manifest is not published.\nThe image is kept: File\n" +
		"To finish, remove the cause and run the same packer build again, in the same folder: it finds " + path + ", builds nothing, and publishes the image."
	if len(ui.red) != 1 || !strings.HasPrefix(ui.red[0], begin) || !strings.HasSuffix(ui.red[0], end) {
		t.Fatalf("got %q, want %q … %q", ui.red, begin, end)
	}
	local := copied(t, localPath(dir))
	if local.Chain.Published == nil || *local.Chain.Published || local.Chain.Labels["team"] != "images" {
		t.Errorf("got %+v", local.Chain)
	}

	// It fails a second time, and is still to be published.
	again := func() (*screen, error) {
		return process(t, configured(t, "chain", passedThrough(dir, copied(t, localPath(dir)), true), `on_failure = "keep"`), &fakeArtifact{id: "File"})
	}
	if ui, err := again(); err != nil || len(ui.red) != 1 || copied(t, localPath(dir)).Chain.Published == nil {
		t.Errorf("got %v, %q", err, ui.red)
	}
	repair()
	if ui, err := again(); err != nil || len(ui.red) > 0 {
		t.Errorf("got %v, %q", err, ui.red)
	}
	if m := stored(t, dir); m == nil || len(m.Builds) != 1 || m.Builds[0].ArtifactID != "File" || m.Chain.Published != nil || !points(t, dir, "latest") {
		t.Errorf("got %+v", m)
	}
	if copied(t, localPath(dir)).Chain.Published != nil {
		t.Error("the local manifest still says that it is not published")
	}
}

func TestFailed_keepWithoutCopy(t *testing.T) {
	dir, _ := broken(t)
	check(t, os.MkdirAll(filepath.Dir(localPath(dir)), 0o755))
	check(t, os.WriteFile(localPath(dir), []byte("mine\n"), 0o644))
	ui, err := process(t, configured(t, "file", newRecord(dir), `on_failure = "keep"`), &fakeArtifact{id: "File"})
	if err != nil || len(ui.red) != 1 || !strings.Contains(ui.red[0], "No local manifest could be written, so the image will be built again: replace ") {
		t.Errorf("got %v, %q", err, ui.red)
	}
	if body, _ := os.ReadFile(localPath(dir)); string(body) != "mine\n" {
		t.Errorf("the file of someone else is replaced: %q", body)
	}
}

// TestFailed_fail fails the build, and leaves what the next run publishes, as on_failure = "keep"
// does.
func TestFailed_fail(t *testing.T) {
	dir, repair := broken(t)
	ui, err := process(t, configured(t, "file", newRecord(dir), ""), &fakeArtifact{id: "File"})
	cwd, _ := os.Getwd()
	begin := "publish app: write the manifest: update " + filepath.Join(dir, "app", "builds", print1+".json") + ": not written: "
	end := "\n\nThe manifest is not published.\nPacker keeps the image if the post-processor before this one succeeded: File\n" +
		"To finish, remove the cause and run the same packer build again, in the same folder: it finds " +
		filepath.Join(cwd, localPath(dir)) + ", builds nothing, and publishes the image."
	if err == nil || !strings.HasPrefix(err.Error(), begin) || !strings.HasSuffix(err.Error(), end) || len(ui.red) > 0 {
		t.Fatalf("got %v, in red: %q", err, ui.red)
	}
	local := copied(t, localPath(dir))
	if local.Chain.Published == nil || *local.Chain.Published {
		t.Errorf("got %+v", local.Chain)
	}
	repair()
	processed(t, configured(t, "chain", passedThrough(dir, local, true), ""), &fakeArtifact{id: "File"})
	if !points(t, dir, "latest") || copied(t, localPath(dir)).Chain.Published != nil {
		t.Error("the next run does not finish")
	}
}

// damaged has a channel "production" that is no document, and "latest" on an older build.
func damaged(t *testing.T) (dir, path string) {
	t.Helper()
	dir = folder(t)
	moved(t, dir, "latest", older)
	path = filepath.Join(dir, "app", "channels", "production.json")
	check(t, os.WriteFile(path, []byte("{"), 0o644))
	return dir, path
}

func TestFailed_keepAfterManifest(t *testing.T) {
	dir, path := damaged(t)
	ui, err := process(t, configured(t, "file", newRecord(dir), "on_failure = \"keep\"\nchannels = [\"production\"]"), &fakeArtifact{id: "File"})
	address := filepath.Join(dir, "app", "builds", print1+".json")
	want := "publish app: move channel production of app: read " + path + ": corrupt: unexpected EOF after offset 1\n\n" +
		"Restore an older version of it. If there is none, delete it, and run the builds that wrote it again.\n\n" +
		"The manifest is published (" + address + "); its channels or the local manifest are incomplete.\nThe image is kept: File\n" +
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

// TestFailed_oneChannel has a channel damaged: the others move, in the first run and in every later
// one, and all errors are shown. Cause: the first error ended the moves beside it.
func TestFailed_oneChannel(t *testing.T) {
	dir, path := damaged(t)
	other := filepath.Join(filepath.Dir(path), "staging.json")
	check(t, os.WriteFile(other, []byte("[]"), 0o644))
	const options = "on_failure = \"keep\"\nchannels = [\"production\", \"staging\", \"latest\"]"
	want := "publish app: move channel production of app: read " + path + ": corrupt: unexpected EOF after offset 1\n" +
		"move channel staging of app: read " + other + ": corrupt: not a JSON object\n\n"
	ui, err := process(t, configured(t, "file", newRecord(dir), options), &fakeArtifact{id: "File"})
	if err != nil || len(ui.red) != 1 || !strings.HasPrefix(ui.red[0], want) {
		t.Errorf("got %v, %q, want %s", err, ui.red, want)
	}
	if !points(t, dir, "latest") || !leaves(t, dir, "main") {
		t.Error("latest or the line is left behind")
	}
	check(t, os.Remove(filepath.Join(dir, "app", "channels", "latest.json")))
	ui, err = process(t, configured(t, "chain", passedThrough(dir, stored(t, dir), false), options), &fakeArtifact{id: "File"})
	if err != nil || len(ui.red) != 1 || !points(t, dir, "latest") {
		t.Errorf("a later run leaves latest behind: %v, %q", err, ui.red)
	}
}

// TestFailed_failAfterManifest fails, and takes nothing back: a reader finds the AMI gone, and the
// next run builds it again.
func TestFailed_failAfterManifest(t *testing.T) {
	dir, path := damaged(t)
	address := filepath.Join(dir, "app", "builds", print1+".json")
	_, err := process(t, configured(t, "file", newRecord(dir), `channels = ["production"]`), &fakeArtifact{id: "File"})
	want := "publish app: move channel production of app: read " + path + ": corrupt: unexpected EOF after offset 1\n\n" +
		"Restore an older version of it. If there is none, delete it, and run the builds that wrote it again.\n\n" +
		"The manifest is published (" + address + "); its channels or the local manifest are incomplete.\n" +
		"Packer keeps the image if the post-processor before this one succeeded: File\n" +
		"To finish, remove the cause and run the same packer build again: it builds nothing."
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if m := stored(t, dir); m == nil || len(m.Live()) != 1 || !leaves(t, dir, "main") {
		t.Errorf("something was taken back: %+v", m)
	}
}

// moody is a store that loses the response to the first write of a key, and then is away.
type moody struct {
	*memstore.Store
	key  string
	away atomic.Bool
}

func (m *moody) Get(ctx context.Context, key string) (store.Object, error) {
	if m.away.Load() {
		return store.Object{}, fmt.Errorf("read %s: %w", key, store.ErrTransient)
	}
	return m.Store.Get(ctx, key)
}

func (m *moody) Put(ctx context.Context, key string, body []byte, tag string) (string, error) {
	if m.away.Load() {
		return "", fmt.Errorf("write %s: %w", key, store.ErrTransient)
	}
	tag, err := m.Store.Put(ctx, key, body, tag)
	if err == nil && key == m.key {
		m.away.Store(true)
		return "", fmt.Errorf("write %s: %w", key, store.ErrUnknown)
	}
	return tag, err
}

// TestFailed_unknown loses the response to a write, and does not learn until the deadline whether
// it landed.
func TestFailed_unknown(t *testing.T) {
	build := "app/builds/" + print1 + ".json"
	for name, tt := range map[string]struct{ key, want string }{
		"channel": {"app/channels/latest.json", "The manifest is published (memory://" + build + ")"},
		"build":   {build, "It is unknown whether the manifest is published: read memory://" + build + " to find out."},
	} {
		t.Run(name, func(t *testing.T) {
			dir := folder(t)
			synctest.Test(t, func(t *testing.T) {
				j := newSibling(t, dir, "image")
				j.config.OnFailure, j.config.Channels = failBuild, []string{"latest"}
				reg := registry.New(&moody{Store: memstore.New(), key: tt.key})
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				source, done := &fakeArtifact{}, progress{own: j.entries}
				var early registry.Early
				var err error
				done.stored, early, err = j.publishManifest(ctx, &access.Connection{}, reg, source, done.own)
				if err == nil {
					done, err = j.point(ctx, &access.Connection{}, reg, done, early)
				}
				err = j.failed(t.Context(), source, done, err)
				if err == nil || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("got %v, want %s", err, tt.want)
				}
			})
		})
	}
}

// TestFailed_corruptManifest never overwrites what it cannot read.
func TestFailed_corruptManifest(t *testing.T) {
	dir := folder(t)
	path := filepath.Join(dir, "app", "builds", print1+".json")
	check(t, os.MkdirAll(filepath.Dir(path), 0o755))
	check(t, os.WriteFile(path, []byte("{"), 0o644))
	_, err := process(t, configured(t, "file", newRecord(dir), ""), &fakeArtifact{id: "File"})
	if err == nil || !strings.Contains(err.Error(), "read "+path+": corrupt: unexpected EOF after offset 1") || !strings.Contains(err.Error(), "The manifest is not published.") {
		t.Errorf("got %v", err)
	}
	if body, _ := os.ReadFile(path); string(body) != "{" {
		t.Errorf("overwritten: %s", body)
	}
}

// TestFailed_passedThrough has the manifest vanish between the look and the publication: the text
// must not say that the image was never published.
func TestFailed_passedThrough(t *testing.T) {
	dir := folder(t)
	m := &manifest.Manifest{Builds: []manifest.Entry{{Name: "image", BuilderType: "file", ArtifactID: "File"}}}
	_, err := process(t, configured(t, "chain", passedThrough(dir, m, false), ""), &fakeArtifact{id: "File"})
	want := "\n\nThe image was published by an earlier build; its channels or the local manifest may not be up to date.\nThe image is kept: File\n" +
		"To finish, remove the cause and run the same packer build again: it builds nothing."
	if err == nil || !strings.HasSuffix(err.Error(), want) {
		t.Errorf("got %v", err)
	}
}

func TestState(t *testing.T) {
	lost := &store.UpdateError{Address: "s3://acme-images/chain/app/builds/1.json", Outcome: store.Unknown, Err: store.ErrUnknown}
	not := &store.UpdateError{Outcome: store.NotWritten, Err: store.ErrConflict}
	published := progress{stored: registry.Stored{Manifest: &manifest.Manifest{}, URI: "s3://m"}}
	for name, tt := range map[string]struct {
		done  progress
		cause error
		want  string
	}{
		"lost response": {progress{}, fmt.Errorf("write the manifest: %w", lost),
			"It is unknown whether the manifest is published: read s3://acme-images/chain/app/builds/1.json to find out."},
		"not written":         {progress{}, not, "The manifest is not published."},
		"before the manifest": {progress{}, errors.New("tag"), "The manifest is not published."},
		"after the manifest": {published, lost,
			"The manifest is published (s3://m); its channels or the local manifest are incomplete."},
	} {
		t.Run(name, func(t *testing.T) {
			if got := (publication{}).state(tt.done, tt.cause); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
