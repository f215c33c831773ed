// SPDX-License-Identifier: MPL-2.0

package gitrepo

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// must fails on any error.
func must(t *testing.T, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

func TestInspect_dirty(t *testing.T) {
	needsModes(t)
	tests := []struct {
		name   string
		change func(t *testing.T, root string)
		want   []string
	}{
		{"modified", func(t *testing.T, r string) { write(t, r, map[string]string{"base/f": "2"}) },
			[]string{"base/f"}},
		{"staged", func(t *testing.T, r string) {
			write(t, r, map[string]string{"base/f": "2"})
			git(t, r, "add", "-A")
		}, []string{"base/f"}},
		{"staged, then as before", func(t *testing.T, r string) {
			write(t, r, map[string]string{"base/f": "2"})
			git(t, r, "add", "-A")
			write(t, r, map[string]string{"base/f": "1"})
		}, []string{"base/f"}},
		{"deleted", func(t *testing.T, r string) { must(t, os.Remove(filepath.Join(r, "base/f"))) },
			[]string{"base/f"}},
		{"deletion staged", func(t *testing.T, r string) { git(t, r, "rm", "-q", "base/f") },
			[]string{"base/f"}},
		{"deletion staged, there again", func(t *testing.T, r string) {
			git(t, r, "rm", "-q", "--cached", "base/f")
		}, []string{"base/f"}},
		{"untracked", func(t *testing.T, r string) {
			write(t, r, map[string]string{"base/new": "", "base/deep/er": ""})
		}, []string{"base/deep/er", "base/new"}},
		{"renamed", func(t *testing.T, r string) { git(t, r, "mv", "base/f", "base/h") },
			[]string{"base/f", "base/h"}},
		{"executable", func(t *testing.T, r string) {
			must(t, os.Chmod(filepath.Join(r, "base/f"), 0o755))
		}, []string{"base/f"}},
		{"now a symlink", func(t *testing.T, r string) {
			must(t, os.Remove(filepath.Join(r, "base/f")), os.Symlink("g", filepath.Join(r, "base/f")))
		}, []string{"base/f"}},
		{"folder now a symlink out", func(t *testing.T, r string) {
			out := filepath.Join(r, "other")
			must(t, os.RemoveAll(filepath.Join(r, "base/dir")),
				os.Symlink(out, filepath.Join(r, "base/dir")))
		}, []string{"base/dir", "base/dir/f"}},
		{"nested repository", func(t *testing.T, r string) {
			write(t, r, map[string]string{"base/nest/x": "1"})
			git(t, r, "init", "-q", "base/nest")
		}, []string{"base/nest"}},
		// Cause: "git status" is silent about these, so an image of changed files was published as that
		// of the commit.
		{"assumed to be unchanged", func(t *testing.T, r string) {
			git(t, r, "update-index", "--assume-unchanged", "base/f")
			write(t, r, map[string]string{"base/f": "2"})
		}, []string{"base/f"}},
		{"assumed to be unchanged, and it is", func(t *testing.T, r string) {
			git(t, r, "update-index", "--assume-unchanged", "base/f")
		}, []string{"base/f"}},
		{"skipped", func(t *testing.T, r string) {
			git(t, r, "update-index", "--skip-worktree", "base/f")
			write(t, r, map[string]string{"base/f": "2"})
		}, []string{"base/f"}},
		{"skipped, its folder now a file", func(t *testing.T, r string) {
			git(t, r, "update-index", "--skip-worktree", "base/dir/f")
			must(t, os.RemoveAll(filepath.Join(r, "base/dir")))
			write(t, r, map[string]string{"base/dir": ""})
		}, []string{"base/dir", "base/dir/f"}},
		{"staged, then skipped", func(t *testing.T, r string) {
			write(t, r, map[string]string{"base/f": "2"})
			git(t, r, "add", "-A")
			git(t, r, "update-index", "--skip-worktree", "base/f")
		}, []string{"base/f"}},
		{"sparse checkout", func(t *testing.T, r string) {
			git(t, r, "sparse-checkout", "set", "--no-cone", "base/f", "base/g")
		}, []string{"base/dir/f"}},
		{"skipped elsewhere", func(t *testing.T, r string) {
			git(t, r, "update-index", "--skip-worktree", "other/f")
		}, nil},
		{"ignored", func(t *testing.T, r string) { write(t, r, map[string]string{"base/x.log": "1"}) },
			nil},
		{"elsewhere",
			func(t *testing.T, r string) { write(t, r, map[string]string{"other/f": "2", "top": ""}) }, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			root := newRepo(t, map[string]string{
				"base/f": "1", "base/g": "1", "base/dir/f": "d", "other/f": "1", ".gitignore": "*.log",
			})
			tt.change(t, root)
			f := inspect(t, filepath.Join(root, "base"))
			if diff := cmp.Diff(tt.want, f.Objects[0].Dirty); diff != "" {
				t.Error(diff)
			}
			if got := f.DirtyHash() != ""; got != (tt.name == "nested repository") {
				t.Errorf("hash %q", f.DirtyHash())
			}
		})
	}
}

// Each state of the files has another name, and the same state always the same.
func TestObject_Name(t *testing.T) {
	needsModes(t)
	root := newRepo(t, map[string]string{"base/f": "1", "base/g": "1"})
	base := filepath.Join(root, "base")
	fp := filepath.Join(base, "f")
	seen := map[string]string{}
	steps := []struct {
		name string
		do   func()
		same string // an earlier step with the same files
	}{
		{"content 2", func() { write(t, base, map[string]string{"f": "2"}) }, ""},
		{"staged", func() { git(t, root, "add", "-A") }, "content 2"},
		{"content 3", func() { write(t, base, map[string]string{"f": "3"}) }, ""},
		{"content 2 again", func() { write(t, base, map[string]string{"f": "2"}) }, "content 2"},
		{"executable", func() { must(t, os.Chmod(fp, 0o755)) }, ""},
		{"deleted", func() { must(t, os.Remove(fp)) }, ""},
		{"empty", func() { write(t, base, map[string]string{"f": ""}) }, ""},
		{"symlink", func() { must(t, os.Remove(fp), os.Symlink("g", fp)) }, ""},
		{"assumed to be unchanged",
			func() { git(t, root, "update-index", "--assume-unchanged", "base/f") }, "symlink"},
		{"symlink elsewhere", func() { must(t, os.Remove(fp), os.Symlink("/etc/hosts", fp)) }, ""},
		{"file with that text",
			func() { must(t, os.Remove(fp)); write(t, base, map[string]string{"f": "g"}) }, ""},
		{"new file", func() { write(t, base, map[string]string{"n": "1"}) }, ""},
		{"new file, other name",
			func() { must(t, os.Rename(filepath.Join(base, "n"), filepath.Join(base, "m"))) }, ""},
		{"nested", func() {
			write(t, base, map[string]string{"r/x": "1"})
			git(t, root, "init", "-q", "base/r")
		}, ""},
		{"nested changed", func() { write(t, base, map[string]string{"r/x": "2"}) }, ""},
		{"nested .git changed", func() { write(t, base, map[string]string{"r/.git/x": "2"}) },
			"nested changed"},
	}
	for _, s := range steps {
		s.do()
		name := inspect(t, base).Objects[0].Name()
		for step, other := range seen {
			if equal := name == other; equal != (seen[s.same] == other) {
				t.Errorf("%s and %s: equal is %v", s.name, step, equal)
			}
		}
		seen[s.name] = name
	}
}

func TestCheckout_DirtyHash(t *testing.T) {
	root := newRepo(t, map[string]string{"base/f": "1", "x/f": "1", "clean/f": "1"})
	write(t, root, map[string]string{"base/in/f": "2", "x/in/f": "2", "ignored-by-paths": ""})
	git(t, root, "init", "-q", "base/in")
	git(t, root, "init", "-q", "x/in")
	at := func(p string) string { return filepath.Join(root, p) }
	f := inspect(t, at("base"), at("x"), at("clean"))
	if diff := cmp.Diff([]string{"base/in", "x/in"}, f.DirtyFiles()); diff != "" {
		t.Error(diff)
	}
	again := inspect(t, at("x"), at("clean"), at("base"), at("x"))
	if again.DirtyHash() != f.DirtyHash() {
		t.Error("the order of paths changes the hash")
	}
	if one := inspect(t, at("base")); one.DirtyHash() == f.DirtyHash() {
		t.Error("a second dirty path does not change the hash")
	}
}

// A path is not under another whose name it starts with.
func TestInspect_dirtyPrefix(t *testing.T) {
	root := newRepo(t, map[string]string{"base/f": "1", "base2/f": "1"})
	write(t, root, map[string]string{"base2/f": "2"})
	f := inspect(t, filepath.Join(root, "base"), filepath.Join(root, "base2"))
	if f.Objects[0].Dirty != nil || f.Objects[0].DirtyHash != "" || len(f.Objects[1].Dirty) != 1 {
		t.Errorf("got %+v", f.Objects)
	}
}

func TestInspect_submodule(t *testing.T) {
	lib := newRepo(t, map[string]string{"f": "1"})
	root := newRepo(t, map[string]string{"base/f": "1"})
	git(t, root, "submodule", "--quiet", "add", "--name", "lib", lib, "base/lib")
	git(t, root, "config", "submodule.lib.ignore", "all")
	commit(t, root)
	sub := filepath.Join(root, "base", "lib")
	f := inspect(t, filepath.Join(root, "base"), sub)
	if want := git(t, lib, "rev-parse", "HEAD"); f.Objects[1].SHA != want || len(f.DirtyFiles()) != 0 {
		t.Errorf("got %+v, want %s", f.Objects, want)
	}
	hashes := map[string]bool{}
	for _, content := range []string{"2", "3"} {
		write(t, sub, map[string]string{"new": content})
		f = inspect(t, filepath.Join(root, "base"))
		if diff := cmp.Diff([]string{"base/lib"}, f.DirtyFiles()); diff != "" {
			t.Error(diff)
		}
		hashes[f.DirtyHash()] = true
	}
	if len(hashes) != 2 {
		t.Error("a change in the submodule does not change the hash")
	}
	if got := inspect(t, sub); got.Root != sub || got.Objects[0].Path != "." {
		t.Errorf("the submodule by itself: %+v", got)
	}
}

// Cause: git calls a submodule clean whose folder is empty, so an image without its files became
// that of the commit. So was one of files in a submodule that git was told to overlook.
func TestInspect_submoduleHidden(t *testing.T) {
	inner := newRepo(t, map[string]string{"f": "1"})
	lib := newRepo(t, map[string]string{"f": "1"})
	git(t, lib, "submodule", "--quiet", "add", inner, "inner")
	commit(t, lib)
	origin := newRepo(t, map[string]string{"base/f": "1", "other/f": "1"})
	git(t, origin, "submodule", "--quiet", "add", lib, "base/lib")
	commit(t, origin)

	root := filepath.Join(tempDir(t), "clone")
	git(t, origin, "clone", "-q", origin, root)
	base, sub := filepath.Join(root, "base"), filepath.Join(root, "base", "lib")
	absent := func(at, in string, paths ...string) {
		t.Helper()
		_, err := Inspect(t.Context(), nil, paths...)
		want := fmt.Sprintf("inspect %q: submodule is not checked out\n\n"+
			"The image would be built without its files. Check it out:\n  git -C %s submodule update --init --recursive", at, in)
		if err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	absent(sub, root, base)
	absent(sub, root, sub)
	absent(sub, root, filepath.Join(root, "other"), sub)
	inspect(t, filepath.Join(root, "other"))
	git(t, root, "submodule", "--quiet", "update", "--init")
	absent(filepath.Join(sub, "inner"), sub, base)
	git(t, root, "submodule", "--quiet", "update", "--init", "--recursive")
	if f := inspect(t, base); f.DirtyHash() != "" ||
		f.Objects[0].SHA != git(t, origin, "rev-parse", "HEAD:base") {
		t.Errorf("got %+v", f)
	}
	git(t, filepath.Join(sub, "inner"), "update-index", "--assume-unchanged", "f")
	f := inspect(t, base)
	if diff := cmp.Diff(map[string]string{"base/lib/inner/f": "assume-unchanged"},
		f.Overlooked); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"base/lib/inner/f"}, f.DirtyFiles()); diff != "" {
		t.Error(diff)
	}
}
