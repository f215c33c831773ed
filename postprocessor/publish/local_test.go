// SPDX-License-Identifier: MPL-2.0

package publish

import (
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
	"github.com/packer-chain/packer-plugin-chain/internal/record"
	"github.com/packer-chain/packer-plugin-chain/internal/registry"
)

// TestLocal_foreign refuses to replace what the plugin did not write: local_manifest may name the
// wrong file.
func TestLocal_foreign(t *testing.T) {
	for name, tt := range map[string]struct{ body, want string }{
		"Packer's own": {`{"builds":[{"name":"x"}],"last_run_uuid":"u"}`, "it was not written by the chain plugin"},
		"anything":     {"root:x:0:0", "corrupt: not a JSON object"},
		"huge":         {strings.Repeat(" ", manifest.MaxSize+1), "not a manifest: a file of at most 1048576 bytes is expected"},
		"newer":        {`{"builds":[{"name":"x"}],"chain":{"schema":2}}`, "unsupported schema version 2"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := folder(t)
			path := filepath.Join(t.TempDir(), "file")
			check(t, os.WriteFile(path, []byte(tt.body), 0o600))
			ui, err := process(t, configured(t, "file", newRecord(dir), "local_manifest = "+strconv.Quote(path)), &fakeArtifact{id: "File"})
			if err != nil || len(ui.red) != 1 || !strings.HasPrefix(ui.red[0], "The image is published, but the local manifest could not be written: replace "+path+": ") ||
				!strings.Contains(ui.red[0], tt.want) || !strings.Contains(ui.red[0], "Remove the file, or set local_manifest to another") {
				t.Errorf("got %v, %q", err, ui.red)
			}
			if body, _ := os.ReadFile(path); string(body) != tt.body {
				t.Error("the file is replaced")
			}
		})
	}
	t.Run("device", func(t *testing.T) {
		if runtime.GOOS == "windows" {
			t.Skip("Windows has no file that is a device")
		}
		dir := folder(t)
		ui, err := process(t, configured(t, "file", newRecord(dir), `local_manifest = "`+filepath.ToSlash(os.DevNull)+`"`), &fakeArtifact{id: "File"})
		if err != nil || len(ui.red) != 1 || !strings.Contains(ui.red[0], "not a manifest: a file of at most") {
			t.Errorf("got %v, %q", err, ui.red)
		}
	})
}

func TestLocal_output(t *testing.T) {
	dir := folder(t)
	processed(t, configured(t, "file", newRecord(dir), `local_manifest = "out/of/app.json"`), &fakeArtifact{id: "File"})
	if copied(t, "out/of/app.json").Chain.Published != nil {
		t.Error("it says that it is not published")
	}
	info, err := os.Stat("out/of/app.json")
	if err != nil || info.Mode().Perm() != 0o644 && runtime.GOOS != "windows" {
		t.Errorf("got %v, %v: others must be able to read it", info, err)
	}
	left, err := os.ReadDir("out/of")
	if err != nil || len(left) != 2 || left[0].Name() != ".chain" {
		t.Errorf("more is left there than the file and the folder of its lock: %v", left)
	}
}

// sibling is one of several sources of a run, which publish concurrently.
type sibling struct {
	publication
	reg     *registry.Registry
	entries []manifest.Entry
	stored  registry.Stored
}

func newSibling(t *testing.T, dir, source string) *sibling {
	t.Helper()
	return &sibling{
		publication: publication{ui: &screen{}, rec: newRecord(dir)}, reg: open(t, dir),
		entries: []manifest.Entry{
			{Name: source, BuilderType: "file", PackerRunUUID: "run", ArtifactID: "File", BuildTime: now.Unix()}},
	}
}

// newSiblings returns the two sources of one image.
func newSiblings(t *testing.T, dir string) (amd64, arm64 *sibling) {
	t.Helper()
	amd64, arm64 = newSibling(t, dir, "amd64"), newSibling(t, dir, "arm64")
	amd64.rec.Sources = []string{"file.amd64", "file.arm64"}
	arm64.rec.Sources = amd64.rec.Sources
	return amd64, arm64
}

func (s *sibling) publishEntries(t *testing.T) {
	t.Helper()
	var err error
	s.stored, err = s.reg.Publish(t.Context(), s.facts(), s.entries, nil)
	check(t, err)
}

// TestLocal_order has the source that read the older manifest come last.
func TestLocal_order(t *testing.T) {
	dir := folder(t)
	first, second := newSiblings(t, dir)
	first.publishEntries(t)
	second.publishEntries(t)
	check(t, second.writeLocal(t.Context(), second.stored))
	check(t, first.writeLocal(t.Context(), first.stored))
	if m := copied(t, localPath(dir)); len(m.Builds) != 2 || m.Chain.Seq != 2 {
		t.Errorf("the older manifest won: %+v", m)
	}
}

// TestLocal_otherRegistry publishes to a registry that was begun anew. Cause: the local manifest of
// the old one stayed, because its seq is higher.
func TestLocal_otherRegistry(t *testing.T) {
	dir := folder(t)
	const options = `local_manifest = "app.json"`
	for _, run := range []string{"1", "2"} {
		t.Setenv("PACKER_RUN_UUID", run)
		rec := newRecord(dir)
		rec.Forced = true
		processed(t, configured(t, "file", rec, options), &fakeArtifact{id: "File" + run})
	}
	t.Setenv("PACKER_RUN_UUID", "3")
	processed(t, configured(t, "file", newRecord(filepath.Join(t.TempDir(), "new")), options), &fakeArtifact{id: "File3"})
	if builds := copied(t, "app.json").Builds; len(builds) != 1 || builds[0].ArtifactID != "File3" {
		t.Errorf("the copy is not what was published: %+v", builds)
	}
}

// TestLocal_twoRegistries publishes one template to two registries: what one of them still lacks is
// not replaced by what the other has. Cause: both had one file, and a second AMI was built.
func TestLocal_twoRegistries(t *testing.T) {
	dir := folder(t)
	lost := newSibling(t, filepath.Join(t.TempDir(), "broken"), "image")
	path, err := lost.writeUnpublished(t.Context(), lost.entries)
	check(t, err)
	processed(t, configured(t, "file", newRecord(dir), ""), &fakeArtifact{id: "File"})
	if !copied(t, path).Unpublished() || copied(t, localPath(dir)).Unpublished() {
		t.Error("the two are not kept apart")
	}
}

// TestLocal_lost replaces the local manifest of an image that is still to be published, and that
// nobody will publish. Cause: the id, which is whatever the file says, went to the terminal as it
// was.
func TestLocal_lost(t *testing.T) {
	for name, change := range map[string]func(*record.Record){
		"of other files":                  func(rec *record.Record) { rec.Fingerprint = strings.Repeat("3", 64) },
		"of a source that does not count": func(rec *record.Record) { rec.Sources = []string{"file.image"} },
	} {
		t.Run(name, func(t *testing.T) {
			dir := folder(t)
			lost := newSibling(t, dir, "debug")
			lost.entries[0].ArtifactID = "File\x1b[2J\n::error::"
			change(&lost.rec)
			_, err := lost.writeUnpublished(t.Context(), lost.entries)
			check(t, err)
			ui, err := process(t, configured(t, "file", newRecord(dir), ""), &fakeArtifact{id: "File"})
			want := "warning: File[2J ::error:: was built by an earlier run and never published; nothing refers to it any more"
			if err != nil || !slices.Equal(ui.red, []string{want}) {
				t.Errorf("got %v, %q", err, ui.red)
			}
		})
	}
}

// TestLocal_lostByFailure is the same where this run cannot publish either.
func TestLocal_lostByFailure(t *testing.T) {
	dir, _ := broken(t)
	lost := newSibling(t, dir, "image")
	lost.entries[0].ArtifactID, lost.rec.Fingerprint = "Earlier", print2
	_, err := lost.writeUnpublished(t.Context(), lost.entries)
	check(t, err)
	ui, err := process(t, configured(t, "file", newRecord(dir), ""), &fakeArtifact{id: "File"})
	want := "warning: Earlier was built by an earlier run and never published; nothing refers to it any more"
	if err == nil || !slices.Equal(ui.red, []string{want}) {
		t.Errorf("got %v, %q", err, ui.red)
	}
	if m := copied(t, localPath(dir)); m.Chain.Fingerprint != print1 || !m.Unpublished() || len(m.Builds) != 1 {
		t.Errorf("got %+v", m)
	}
}

// TestLocal_unpublished has one source fail, and the other succeed after it.
func TestLocal_unpublished(t *testing.T) {
	dir := folder(t)
	failed, good := newSiblings(t, dir)
	_, err := failed.writeUnpublished(t.Context(), failed.entries)
	check(t, err)
	good.publishEntries(t)
	check(t, good.writeLocal(t.Context(), good.stored))
	if m := copied(t, localPath(dir)); m.Chain.Published == nil || len(m.Builds) != 1 || m.Builds[0].Name != "amd64" {
		t.Errorf("what is still to be published is forgotten: %+v", m)
	}
	failed.publishEntries(t)
	check(t, failed.writeLocal(t.Context(), failed.stored))
	if m := copied(t, localPath(dir)); m.Chain.Published != nil || len(m.Builds) != 2 {
		t.Errorf("got %+v", m)
	}
}

// TestLocal_race has many sources fail at once: none of them is lost.
func TestLocal_race(t *testing.T) {
	dir := folder(t)
	var wg sync.WaitGroup
	names := []string{"a", "b", "c", "d", "e", "f", "g", "h"}
	for _, name := range names {
		j := newSibling(t, dir, name)
		wg.Go(func() {
			if _, err := j.writeUnpublished(t.Context(), j.entries); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if m := copied(t, localPath(dir)); len(m.Builds) != len(names) || m.Chain.Seq != int64(len(names)) {
		t.Errorf("%d builds, seq %d", len(m.Builds), m.Chain.Seq)
	}
}

// TestLocal_twoFiles has the file set for the post-processor and another for the data source: what
// could not be published goes where the next run looks for it. It went to the first, where nobody
// found it.
func TestLocal_twoFiles(t *testing.T) {
	j := newSibling(t, folder(t), "amd64")
	j.config.LocalManifest, j.rec.LocalManifest = "out.json", "next-run-looks-here.json"
	path, err := j.writeUnpublished(t.Context(), j.entries)
	check(t, err)
	if filepath.Base(path) != "next-run-looks-here.json" || copied(t, path).Chain.Published == nil {
		t.Errorf("it is in %s", path)
	}
	j.publishEntries(t)
	check(t, j.writeLocal(t.Context(), j.stored))
	if copied(t, "out.json").Chain.Published != nil {
		t.Error("output is not the copy of what is published")
	}
}
