// SPDX-License-Identifier: MPL-2.0

package gitrepo

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var contentsPaths = []string{"base", "base/f", "base/dir", "run.sh", "other", "."}

// newImages is a repository of some images, and the ids of their paths.
func newImages(t *testing.T) (root string, ids map[string]string) {
	t.Helper()
	needsModes(t)
	root = newRepo(t, map[string]string{
		"base/f": "1", "base/dir/f": "1", "run.sh": "1", "other/f": "1", ".gitignore": "*.log\n",
	})
	must(t, os.Chmod(filepath.Join(root, "run.sh"), 0o755))
	commit(t, root)
	ids = map[string]string{".": git(t, root, "rev-parse", "HEAD^{tree}")}
	for _, name := range contentsPaths[:len(contentsPaths)-1] {
		ids[name] = git(t, root, "rev-parse", "HEAD:"+name)
	}
	ids["run.sh"] += " 100755"
	return root, ids
}

func TestContents(t *testing.T) {
	at := func(root, name string) string { return filepath.Join(root, filepath.FromSlash(name)) }
	tests := []struct {
		name   string
		change func(t *testing.T, root string)
		gone   []string // what is left out
	}{
		{"clean", func(*testing.T, string) {}, nil},
		{"modified", func(t *testing.T, r string) { write(t, r, map[string]string{"base/f": "2"}) },
			[]string{"base", "base/f", "."}},
		{"staged", func(t *testing.T, r string) {
			write(t, r, map[string]string{"base/dir/new": "2"})
			git(t, r, "add", "-A")
		}, []string{"base", "base/dir", "."}},
		{"staged, then as before", func(t *testing.T, r string) {
			write(t, r, map[string]string{"base/f": "2"})
			git(t, r, "add", "-A")
			write(t, r, map[string]string{"base/f": "1"})
		}, []string{"base", "base/f", "."}},
		{"deleted", func(t *testing.T, r string) { must(t, os.RemoveAll(at(r, "base/dir"))) },
			[]string{"base", "base/dir", "."}},
		{"untracked", func(t *testing.T, r string) { write(t, r, map[string]string{"other/new": "2"}) },
			[]string{"other", "."}},
		{"ignored", func(t *testing.T, r string) { write(t, r, map[string]string{"other/x.log": "2"}) }, nil},
		{"left behind", func(t *testing.T, r string) { write(t, r, map[string]string{"base/crash.log": "2"}) }, nil},
		{"left behind, but staged", func(t *testing.T, r string) {
			write(t, r, map[string]string{"base/packer-manifest.json": "2"})
			git(t, r, "add", "-A")
		}, []string{"base", "."}},
		{"no longer executable", func(t *testing.T, r string) { must(t, os.Chmod(at(r, "run.sh"), 0o644)) },
			[]string{"run.sh", "."}},
		{"overlooked", func(t *testing.T, r string) { git(t, r, "update-index", "--assume-unchanged", "base/f") },
			[]string{"base", "base/f", "."}},
		{"sparse checkout", func(t *testing.T, r string) { git(t, r, "sparse-checkout", "set", "other") },
			[]string{"base", "base/f", "base/dir", "."}},
		{"folder is a symlink", func(t *testing.T, r string) {
			must(t, os.RemoveAll(at(r, "base/dir")), os.Symlink(at(r, "other"), at(r, "base/dir")))
		}, []string{"base", "base/dir", "."}},
		{"folder is a repository", func(t *testing.T, r string) { git(t, at(r, "base"), "init", "-q") },
			[]string{"base/f", "base/dir"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			root, want := newImages(t)
			for _, name := range tt.gone {
				delete(want, name)
			}
			tt.change(t, root)
			got, err := Contents(t.Context(), root, LeftBehind(""), contentsPaths)
			must(t, err)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// What a document says may be anything. It neither fails nor leads out of the checkout.
func TestContents_hostilePaths(t *testing.T) {
	root, want := newImages(t)
	must(t, os.Symlink("base", filepath.Join(root, "link")), os.Symlink("..", filepath.Join(root, "up")))
	write(t, root, map[string]string{":(top)x": "1", "-x": "1", "a b\n": "1", "*": "1"})
	commit(t, root)
	write(t, root, map[string]string{"none/x": "1"})
	var paths []string
	for i := range 300 {
		paths = append(paths, fmt.Sprint("base/none", i))
	}
	paths = append(paths, "", "..", "../x", "/etc/passwd", "base/", "./base", "base/../other", "base//f", ".git", ".git/config",
		"base/f/x", "link", "link/f", "up/x", "up", "base\x00x", strings.Repeat("x", 10000), "none", "none/x", "BASE", "HEAD",
		`base\f`, "C:base", "--help", "-z")
	names := []string{"base", ":(top)x", "-x", "a b\n", "*"}
	got, err := Contents(t.Context(), root, nil, append(paths, append(names, names...)...))
	must(t, err)
	want = map[string]string{"base": want["base"]}
	for _, name := range names[1:] {
		want[name] = git(t, root, "hash-object", filepath.Join(root, "-x"))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestContents_submodule(t *testing.T) {
	root, _ := newImages(t)
	sub := newRepo(t, map[string]string{"f": "1"})
	git(t, root, "submodule", "-q", "add", "file://"+sub, "base/sub")
	commit(t, root)
	check := func(what string, want ...string) {
		t.Helper()
		ids := map[string]string{}
		for _, name := range want {
			ids[name] = git(t, root, "rev-parse", "HEAD:"+name)
		}
		got, err := Contents(t.Context(), root, nil, []string{"base", "base/sub", "base/sub/f", "other"})
		must(t, err)
		if diff := cmp.Diff(ids, got); diff != "" {
			t.Errorf("%s: %s", what, diff)
		}
	}
	check("clean", "base", "base/sub", "other")
	write(t, root, map[string]string{"base/sub/f": "2"})
	check("modified", "other")
	write(t, root, map[string]string{"base/sub/f": "1"})
	git(t, filepath.Join(root, "base/sub"), "update-index", "--skip-worktree", "f")
	check("overlooked", "other")
	git(t, root, "submodule", "-q", "deinit", "-f", "base/sub")
	check("not checked out", "other")
}

func TestContents_sameAsInspect(t *testing.T) {
	root, want := newImages(t)
	var paths []string
	for _, name := range contentsPaths {
		paths = append(paths, filepath.Join(root, filepath.FromSlash(name)))
	}
	got := map[string]string{}
	for _, object := range inspect(t, paths...).Objects {
		got[object.Path] = object.ID()
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestContents_noCommit(t *testing.T) {
	isolate(t)
	root := tempDir(t)
	git(t, root, "init", "-q")
	write(t, root, map[string]string{"base/f": "1"})
	if got, err := Contents(t.Context(), root, nil, []string{"base", "."}); err != nil || len(got) > 0 {
		t.Errorf("got %v, %v", got, err)
	}
}

// A git that fails or prints garbage is an error, and never an id.
func TestContents_garbage(t *testing.T) {
	root, _ := newImages(t)
	realGit, err := exec.LookPath("git")
	must(t, err)
	for _, when := range []string{"*status*", "*ls-files*", "*ls-tree*", "*rev-parse*"} {
		for _, script := range []string{"exit 128", "echo garbage", "echo fatal: boom >&2; exit 1", `printf '\000'`} {
			fakeGit(t, fmt.Sprintf("case \"$*\" in\n%s) %s ;;\n*) exec %s \"$@\" ;;\nesac", when, script, realGit))
			if got, err := Contents(t.Context(), root, nil, []string{"base", "."}); err == nil || got != nil {
				t.Errorf("%s: %s: got %v, %v", when, script, got, err)
			}
		}
	}
}

// Three processes, whatever the number of paths; none if no path is on disk.
func TestContents_processes(t *testing.T) {
	root, _ := newImages(t)
	realGit, err := exec.LookPath("git")
	must(t, err)
	log := filepath.Join(t.TempDir(), "log")
	fakeGit(t, "echo x >> "+log+"; exec "+realGit+" \"$@\"")
	for want, paths := range map[int][]string{0: {"none"}, 3: {"base", "other", "run.sh"}, 4: {"base", "."}} {
		must(t, os.WriteFile(log, nil, 0o644))
		_, err := Contents(t.Context(), root, nil, paths)
		must(t, err)
		calls, err := os.ReadFile(log)
		must(t, err)
		if got := strings.Count(string(calls), "x"); got != want {
			t.Errorf("%q: %d processes, want %d", paths, got, want)
		}
	}
}
