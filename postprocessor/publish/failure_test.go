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
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

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
	ui, err := process(t, configured(t, "file", newRecord(dir), "labels = { team = \"images\" }"), &fakeArtifact{id: "File"})
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
		return process(t, configured(t, "chain", handedOn(dir, copied(t, "manifest-app.json"), true), ""), &fakeArtifact{id: "File"})
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
		t.Error("the local manifest still says that it is not published")
	}
}

func TestFailed_keepWithoutCopy(t *testing.T) {
	dir, _ := broken(t)
	check(t, os.WriteFile("manifest-app.json", []byte("mine\n"), 0o644))
	ui, err := process(t, configured(t, "file", newRecord(dir), ""), &fakeArtifact{id: "File"})
	if err != nil || len(ui.red) != 1 || !strings.Contains(ui.red[0], "No local manifest could be left, so the image will be built again: replace ") {
		t.Errorf("got %v, %q", err, ui.red)
	}
	if body, _ := os.ReadFile("manifest-app.json"); string(body) != "mine\n" {
		t.Errorf("the file of someone else is replaced: %q", body)
	}
}

func TestFailed_fail(t *testing.T) {
	dir, _ := broken(t)
	ui, err := process(t, configured(t, "file", newRecord(dir), `on_failure = "fail"`), &fakeArtifact{id: "File"})
	if err == nil || !strings.HasPrefix(err.Error(), "publish app: write the manifest: ") || !strings.HasSuffix(err.Error(), "\n\nThe manifest is not published.") {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat("manifest-app.json"); !errors.Is(err, os.ErrNotExist) || len(ui.red) > 0 {
		t.Error("a local manifest of an image that Packer destroys")
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
	ui, err := process(t, configured(t, "file", newRecord(dir), `channels = ["production"]`), &fakeArtifact{id: "File"})
	address := filepath.Join(dir, "app", "builds", print1+".json")
	want := "publish app: move ref production of app: read " + path + ": corrupt: it is cut short\n\n" +
		"The manifest is published (" + address + "); the refs or the local manifest are not complete.\nThe image is kept: File\n" +
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

// TestFailed_oneRef has a ref damaged: the others move, in the first run and in every later one, and all
// that is wrong is said. Cause: the first error ended the moves beside it.
func TestFailed_oneRef(t *testing.T) {
	dir, path := damaged(t)
	other := filepath.Join(filepath.Dir(path), "staging.json")
	check(t, os.WriteFile(other, []byte("[]"), 0o644))
	const options = `channels = ["production", "staging", "latest"]`
	want := "publish app: move ref production of app: read " + path + ": corrupt: it is cut short\n" +
		"move ref staging of app: read " + other + ": corrupt: not a JSON object\n\n"
	ui, err := process(t, configured(t, "file", newRecord(dir), options), &fakeArtifact{id: "File"})
	if err != nil || len(ui.red) != 1 || !strings.HasPrefix(ui.red[0], want) {
		t.Errorf("got %v, %q, want %s", err, ui.red, want)
	}
	for _, name := range []string{"latest", "git-" + sha1, "commit-" + sha1} {
		if !points(t, dir, name) {
			t.Errorf("ref %s is left behind", name)
		}
	}
	behind := registry.Target{Fingerprint: strings.Repeat("2", 64), ManifestSeq: 1}
	_, err = open(t, dir).Move(t.Context(), "app", "latest", behind, registry.Always, "test")
	check(t, err)
	ui, err = process(t, configured(t, "chain", handedOn(dir, stored(t, dir), false), options), &fakeArtifact{id: "File"})
	if err != nil || len(ui.red) != 1 || !points(t, dir, "latest") {
		t.Errorf("a later run leaves latest behind: %v, %q", err, ui.red)
	}
}

// TestFailed_failAfterManifest takes back what is there already: Packer destroys the image next.
func TestFailed_failAfterManifest(t *testing.T) {
	dir, path := damaged(t)
	_, err := process(t, configured(t, "file", newRecord(dir), "on_failure = \"fail\"\nchannels = [\"production\"]"), &fakeArtifact{id: "File"})
	want := "publish app: move ref production of app: read " + path + ": corrupt: it is cut short\n\n" +
		"What was published has been taken back. Refs that did not exist before stay as they are: commit-" + sha1 + "."
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

// TestFailed_failHandedOn publishes what an earlier run could not, and fails: source "chain" destroys nothing.
// Cause: what another run had published of the image was revoked.
func TestFailed_failHandedOn(t *testing.T) {
	const options = "on_failure = \"fail\"\nchannels = [\"production\", \"latest\"]"
	for name, unpublished := range map[string]bool{"published": false, "unpublished": true} {
		t.Run(name, func(t *testing.T) {
			dir, _ := damaged(t)
			before := sibling(t, dir, "amd64")
			before.publishEntries(t)
			both, _ := manifest.Merge(before.stored.Manifest, sibling(t, dir, "arm64").entries, before.facts(), now, "w")
			_, err := process(t, configured(t, "chain", handedOn(dir, both, unpublished), options), &fakeArtifact{id: "File"})
			if err == nil || !strings.HasSuffix(err.Error(), " The image stays, and nothing was taken back.") {
				t.Errorf("got %v", err)
			}
			if m := stored(t, dir); m.Chain.Revoked != "" || len(m.Builds) < 1 || !points(t, dir, "latest") || !points(t, dir, "git-"+sha1) {
				t.Errorf("something was taken back: %+v", m)
			}
		})
	}
}

// TestFailed_failTwice has nothing left of the image after the second failure either. Cause: the manifest
// held an entry that was revoked, and was not revoked itself.
func TestFailed_failTwice(t *testing.T) {
	dir, _ := damaged(t)
	for _, run := range []string{"1", "2"} {
		t.Setenv("PACKER_RUN_UUID", run)
		p := configured(t, "file", newRecord(dir), "on_failure = \"fail\"\nchannels = [\"production\"]")
		if _, err := process(t, p, &fakeArtifact{id: "File" + run}); err == nil {
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
	_, _, _, err := p.PostProcess(ctx, &canceller{cancel: cancel}, &fakeArtifact{id: "File"})
	if !errors.Is(err, context.Canceled) || !strings.HasSuffix(err.Error(), "\n\nWhat was published has been taken back.") {
		t.Errorf("got %v", err)
	}
	if m := stored(t, dir); m == nil || m.Chain.Revoked != manifest.Withdrawn {
		t.Errorf("the manifest is not withdrawn: %+v", m)
	}
}

// moody is a store that loses the answer to the first write of a key, and then is away.
type moody struct {
	*memstore.Store
	key  string
	away bool
	// late, where set, gets the write, which has not landed yet.
	late func(land func() error)
}

func (m *moody) Get(ctx context.Context, key string) (store.Object, error) {
	if m.away {
		return store.Object{}, fmt.Errorf("read %s: %w", key, store.ErrTransient)
	}
	return m.Store.Get(ctx, key)
}

func (m *moody) Put(ctx context.Context, key string, body []byte, tag string) (string, error) {
	if m.away {
		return "", fmt.Errorf("write %s: %w", key, store.ErrTransient)
	}
	if key != m.key {
		return m.Store.Put(ctx, key, body, tag)
	}
	m.key, m.away = "", true
	land := func() error {
		_, err := m.Store.Put(context.WithoutCancel(ctx), key, body, tag)
		return err
	}
	if m.late != nil {
		m.late(land)
	} else if err := land(); err != nil {
		return "", err
	}
	return "", fmt.Errorf("write %s: %w", key, store.ErrUnknown)
}

// TestFailed_failUnknown loses the answer to a write, and does not learn until the deadline whether it landed.
// Cause: a ref of which that is not known stayed on the image that Packer destroys, and the text said that all
// was taken back.
func TestFailed_failUnknown(t *testing.T) {
	latest, build := "app/refs/latest.json", "app/builds/"+print1+".json"
	const back, not = "What was published has been taken back.", "It could not be taken back: "
	unknown := "It is unknown whether the manifest is published: read memory://" + build + " to find out."
	for name, tt := range map[string]struct {
		key         string
		late, there bool
		want        string
	}{
		"ref":               {latest, false, true, back},
		"ref, later":        {latest, true, true, back},
		"ref, store away":   {latest, false, false, not},
		"record":            {build, false, true, back},
		"build, later":      {build, true, true, unknown},
		"build, store away": {build, false, false, unknown + " " + not},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, j, old := sulking(t, tt.key)
				var land func() error
				if tt.late {
					s.late = func(f func() error) { land = f }
				}
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				err := j.publishManifest(ctx, func() {})
				if err == nil {
					err = j.moveRefs(ctx)
				}
				s.away = !tt.there
				err = j.failed(t.Context(), err)
				if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), back) != (tt.want == back) {
					t.Errorf("got %v, want %s", err, tt.want)
				}
				if land != nil {
					_ = land()
				}
				if tt.want == back {
					wantTakenBack(t, registry.New(s.Store), old)
				}
			})
		})
	}
}

// sulking is a publication of an image whose channel is on an older build.
func sulking(t *testing.T, key string) (*moody, *publication, registry.Target) {
	t.Helper()
	s := &moody{Store: memstore.New()}
	old := registry.Target{Fingerprint: strings.Repeat("2", 64), ManifestSeq: 1}
	_, err := registry.New(s).Move(t.Context(), "app", "latest", old, registry.NotBack, "test")
	check(t, err)
	s.key = key
	j := sibling(t, t.TempDir(), "image")
	j.config.OnFailure, j.config.Channels, j.registry = fail, []string{"latest"}, registry.New(s)
	j.rec.Git = manifest.Git{}
	return s, j, old
}

func wantTakenBack(t *testing.T, reg *registry.Registry, old registry.Target) {
	t.Helper()
	if ref, err := reg.Ref(t.Context(), "app", "latest"); err != nil || ref.Fingerprint != old.Fingerprint {
		t.Errorf("the ref is not moved back: %+v, %v", ref, err)
	}
	if m, err := reg.Manifest(t.Context(), "app", print1); err != nil || m.Manifest.Chain.Revoked != manifest.Withdrawn {
		t.Errorf("the manifest is not withdrawn: %+v, %v", m.Manifest, err)
	}
}

// TestFailed_corruptManifest never overwrites what it cannot read.
func TestFailed_corruptManifest(t *testing.T) {
	dir := folder(t)
	path := filepath.Join(dir, "app", "builds", print1+".json")
	check(t, os.MkdirAll(filepath.Dir(path), 0o755))
	check(t, os.WriteFile(path, []byte("{"), 0o644))
	ui, err := process(t, configured(t, "file", newRecord(dir), ""), &fakeArtifact{id: "File"})
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
	ui, err := process(t, configured(t, "chain", handedOn(dir, m, false), ""), &fakeArtifact{id: "File"})
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
		"after the manifest":  {&published, lost, "The manifest is published (s3://m); the refs or the local manifest are not complete."},
	} {
		t.Run(name, func(t *testing.T) {
			if got := tt.in.state(tt.cause); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
