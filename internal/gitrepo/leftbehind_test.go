// SPDX-License-Identifier: MPL-2.0

package gitrepo

import (
	"os"
	"path"
	"path/filepath"
	"testing"
)

func TestLeftBehind(t *testing.T) {
	dir := tempDir(t)
	t.Setenv("PACKER_LOG_PATH", filepath.Join(dir, "packer.log"))
	left := LeftBehind("", filepath.Join(dir, "copy"), filepath.Join(dir, "none", "copy"), "")
	for name, want := range map[string]bool{
		"packer-manifest.json": true, "a/packer-manifest.json": true, "packer-manifest.json.lock": true,
		"crash.log": true, "packer.log": true, "a/packer.log": false, "copy": true, "a/copy": false,
		"copy.lock": false, "a/copy.lock": false, "packer.log.lock": false,
		"packer_cache/x": true, "a/packer_cache/b/x": true, "my_packer_cache/x": false,
		"chain-report/chain.html": true, "a/chain-report/chain.json": true, "chain.json": false,
		"chain-report/other": false, "chain-report/a/chain.mmd": false,
		"packer_cache": false, "other": false, "manifest-base.json": false, "copy1234": false,
	} {
		if got := left(dir, name); got != want {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
}

// A document is an input, whatever it says: nobody reads it to find out what it is.
func TestLeftBehind_readsNothing(t *testing.T) {
	root := newRepo(t, map[string]string{"base/f": "1"})
	write(t, root, map[string]string{
		"base/image.json": `{"builds":[],"last_run_uuid":"","chain":{"schema":1,"image":"base"}}`,
	})
	f, err := Inspect(t.Context(), LeftBehind(""), filepath.Join(root, "base"))
	if err != nil || len(f.DirtyFiles()) != 1 {
		t.Errorf("got %q, %v", f.DirtyFiles(), err)
	}
}

// Cause: the rule looked at the absolute path, so in a checkout below a folder packer_cache no
// untracked file counted.
func TestLeftBehind_cacheAbove(t *testing.T) {
	root := filepath.Join(t.TempDir(), "packer_cache", "checkout")
	if left := LeftBehind(""); left(root, "base/untracked.sh") || !left(root, "base/packer_cache/x") {
		t.Error("the folders above the checkout count")
	}
}

// Cause: each publication to a registry below the image's folder changed what is not committed
// there, so the next run built again.
func TestLeftBehind_registry(t *testing.T) {
	root := tempDir(t)
	write(t, root, map[string]string{"registry/": ""})
	must(t, os.Symlink("registry", filepath.Join(root, "link")))
	for folder, in := range map[string]string{"registry": "registry", "link": "registry", ".": "."} {
		left := LeftBehind(filepath.Join(root, folder))
		for name, want := range map[string]bool{
			".chain.lock": true, "app/builds/0a1b.json": true, "app/channels/latest.json": true,
			"app/builds/.chain-ABC.tmp": true, "app/channels/.chain-ABC.tmp": true,
			"app/lines/main.json": true, "app/lines/.chain-ABC.tmp": true, "app/lines/x/main.json": false,
			"script.sh": false, "app/script.sh": false, "app/builds/run.sh": false,
			"app/builds/x/y.json": false,
			"builds/x.json":       false, "../other/builds/x.json": false,
		} {
			if got := left(root, path.Join(in, name)); got != want {
				t.Errorf("registry %s: %s is %v", folder, name, got)
			}
		}
	}
}
