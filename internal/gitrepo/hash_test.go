// SPDX-License-Identifier: MPL-2.0

package gitrepo

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A submodule's content is in no tree of the repository: it has a hash beside the tree, which is
// the same whether the submodule's commit is staged or not.
func TestInspect_submoduleContent(t *testing.T) {
	lib := newRepo(t, map[string]string{"f": "1"})
	root := newRepo(t, map[string]string{"base/f": "1"})
	git(t, root, "submodule", "--quiet", "add", lib, "base/lib")
	commit(t, root)
	base, sub := filepath.Join(root, "base"), filepath.Join(root, "base", "lib")
	names := map[string]string{}
	look := func(step string) Object {
		o := inspect(t, base).Objects[0]
		names[step] = o.Name()
		return o
	}
	if o := look("clean"); o.DirtyHash != "" || o.Content != o.SHA {
		t.Errorf("clean: %+v", o)
	}
	write(t, sub, map[string]string{"f": "2"})
	if o := look("modified"); o.DirtyHash == "" || o.Content != o.SHA ||
		o.Name() != o.SHA+"-dirty-"+o.DirtyHash[:12] {
		t.Errorf("modified: %+v", o)
	}
	commit(t, sub)
	if o := look("committed"); o.DirtyHash == "" || o.Content == o.SHA {
		t.Errorf("committed there only: %+v", o)
	}
	git(t, root, "add", "-A")
	look("staged")
	if names["committed"] != names["staged"] || names["committed"] == names["modified"] {
		t.Errorf("got %q", names)
	}
	content := inspect(t, base).Objects[0].Content
	commit(t, root)
	if o := look("in a tree"); o.DirtyHash != "" || o.Content != content {
		t.Errorf("got %+v, want %s", o, content)
	}
	git(t, sub, "update-index", "--assume-unchanged", "f")
	if o := look("overlooked in it"); o.DirtyHash == "" || o.Content != o.SHA {
		t.Errorf("overlooked in it: %+v", o)
	}
}

// A nested repository is no part of the tree, whether it has a commit or not. Nor is it in the
// place of a file.
func TestInspect_nestedContent(t *testing.T) {
	root := newRepo(t, map[string]string{"base/f": "1"})
	base := filepath.Join(root, "base")
	write(t, root, map[string]string{"base/nest/f": "1"})
	git(t, root, "init", "-q", "base/nest")
	before := inspect(t, base).Objects[0]
	commit(t, filepath.Join(base, "nest"))
	after := inspect(t, base).Objects[0]
	if diff := cmp.Diff(before, after); diff != "" || before.DirtyHash == "" ||
		before.Content != before.SHA {
		t.Errorf("got %+v %s", before, diff)
	}
	must(t, os.Remove(filepath.Join(base, "f")), os.Rename(filepath.Join(base, "nest"),
		filepath.Join(base, "f")))
	empty := git(t, root, "hash-object", "-t", "tree", os.DevNull)
	if o := inspect(t, base).Objects[0]; o.Content != empty || o.DirtyHash == "" {
		t.Errorf("in the place of a file: %+v", o)
	}
}

// A pipe in the place of a file is in no tree, and reading it would never end.
func TestInspect_pipe(t *testing.T) {
	root := newRepo(t, map[string]string{"base/f": "1", "base/g": "1"})
	must(t, os.Remove(filepath.Join(root, "base/f")))
	if err := exec.Command("mkfifo", filepath.Join(root, "base/f")).Run(); err != nil {
		t.Skip(err)
	}
	if o := inspect(t, filepath.Join(root, "base")).Objects[0]; o.Content == o.SHA {
		t.Errorf("got %+v", o)
	}
}

func TestHasher_stops(t *testing.T) {
	dir := tempDir(t)
	write(t, dir, map[string]string{"f": "1"})
	root, err := os.OpenRoot(dir)
	must(t, err)
	defer root.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := (hasher{ctx, root}).line("f"); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
