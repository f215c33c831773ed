// SPDX-License-Identifier: MPL-2.0

package gitrepo

import (
	"path/filepath"
	"testing"
)

func TestLeftBehind(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	left := LeftBehind("base", filepath.Join(dir, "copy"), filepath.Join(dir, "copy2"), "")
	for name, want := range map[string]bool{
		"manifest-base.json": true, "manifest-app.json": false, "packer-manifest.json": true, "copy": true, "copy2": true,
		"packer_cache/x": true, "a/packer_cache/b/x": true, "my_packer_cache/x": false, "packer_cache": false, "other": false,
		// Cause: a build that was killed while it wrote its local copy made the next one stop at a file that
		// was not committed.
		"manifest-base.json123456789": true, "copy1234": true, "copy23": true,
		"manifest-base.json.1": false, "other123": false,
	} {
		if got := left(dir, name); got != want {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
}

// Cause: the rule looked at the absolute path, so in a checkout below a folder packer_cache no untracked
// file counted.
func TestLeftBehind_cacheAbove(t *testing.T) {
	root := filepath.Join(t.TempDir(), "packer_cache", "checkout")
	if left := LeftBehind("base"); left(root, "base/untracked.sh") || !left(root, "base/packer_cache/x") {
		t.Error("the folders above the checkout count")
	}
}
