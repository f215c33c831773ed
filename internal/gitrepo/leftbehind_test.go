// SPDX-License-Identifier: MPL-2.0

package gitrepo

import (
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
)

func TestLeftBehind(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	left := LeftBehind("base", "", filepath.Join(dir, "copy"), filepath.Join(dir, "copy2"), "")
	for name, want := range map[string]bool{
		"manifest-base.json": true, "manifest-app.json": false, "packer-manifest.json": true, "copy": true, "copy2": true,
		"packer_cache/x": true, "a/packer_cache/b/x": true, "my_packer_cache/x": false, "packer_cache": false, "other": false,
		// Cause: a build that was killed while it wrote its local manifest made the next one stop at a file that
		// was not committed.
		"manifest-base.json123456789": true, "copy1234": true, "copy23": true,
		"manifest-base.json.1": false, "other123": false,
	} {
		if got := left(dir, name); got != want {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
}

// Cause: only copies with the usual name were known by their content. With output set to another name, the
// next build stopped at it, and a child could not find its parent.
func TestLeftBehind_copies(t *testing.T) {
	root := tempDir(t)
	m, _ := manifest.Merge(nil, manifest.Facts{Image: "app", Fingerprint: strings.Repeat("1", 64)},
		[]manifest.Entry{{Name: "image", BuilderType: "file", ArtifactID: "File"}}, time.Now(), "write")
	body, err := manifest.Encode(m)
	must(t, err)
	write(t, root, map[string]string{
		"image.json": string(body), "app/out.json": string(body), "image.txt": string(body),
		"packers.json": `{"builds":[{"name":"x"}],"last_run_uuid":"u"}`, "input.json": "{}",
	})
	left := LeftBehind("base", "")
	for name, want := range map[string]bool{
		"image.json": true, "app/out.json": true, "image.txt": false, "packers.json": false, "input.json": false, "none.json": false,
	} {
		if got := left(root, name); got != want {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
}

// Cause: the rule looked at the absolute path, so in a checkout below a folder packer_cache no untracked
// file counted.
func TestLeftBehind_cacheAbove(t *testing.T) {
	root := filepath.Join(t.TempDir(), "packer_cache", "checkout")
	if left := LeftBehind("base", ""); left(root, "base/untracked.sh") || !left(root, "base/packer_cache/x") {
		t.Error("the folders above the checkout count")
	}
}

// Cause: each publication to a registry below the image's folder changed what is not committed there, so
// the next run built again.
func TestLeftBehind_registry(t *testing.T) {
	root := tempDir(t)
	write(t, root, map[string]string{"registry/": ""})
	must(t, os.Symlink("registry", filepath.Join(root, "link")))
	for folder, in := range map[string]string{"registry": "registry", "link": "registry", ".": "."} {
		left := LeftBehind("base", filepath.Join(root, folder))
		for name, want := range map[string]bool{
			".chain.lock": true, "app/builds/0a1b.json": true, "app/refs/latest.json": true,
			"app/builds/.chain-ABC.tmp": true, "app/refs/.chain-ABC.tmp": true,
			"script.sh": false, "app/script.sh": false, "app/builds/run.sh": false, "app/builds/x/y.json": false,
			"builds/x.json": false, "../other/builds/x.json": false,
		} {
			if got := left(root, path.Join(in, name)); got != want {
				t.Errorf("registry %s: %s is %v", folder, name, got)
			}
		}
	}
}
