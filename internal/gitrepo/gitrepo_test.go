// SPDX-License-Identifier: MPL-2.0

package gitrepo

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestInspect(t *testing.T) {
	root := newRepo(t, map[string]string{"base/main.pkr.hcl": "x", "shared/a.sh": "a", "version": "1"})
	f := inspect(t, filepath.Join(root, "base"), root, filepath.Join(root, "version"))
	object := func(path, name string) Object {
		id := git(t, root, "rev-parse", name)
		return Object{Path: path, SHA: id, Content: id}
	}
	want := Checkout{
		Root:       root,
		Commit:     git(t, root, "rev-parse", "HEAD"),
		CommitTime: time.Unix(1700000100, 0).UTC(),
		Branch:     "main",
		Objects: []Object{
			object("base", "HEAD:base"), object(".", "HEAD^{tree}"), object("version", "HEAD:version"),
		},
	}
	if diff := cmp.Diff(want, f); diff != "" {
		t.Error(diff)
	}
	if f.DirtyHash() != "" || len(f.DirtyFiles()) != 0 {
		t.Errorf("clean repository is dirty: %v %s", f.DirtyFiles(), f.DirtyHash())
	}
}

func TestInspect_relative(t *testing.T) {
	root := newRepo(t, map[string]string{"a/b/f": "x", "c/f": "y"})
	t.Chdir(filepath.Join(root, "a"))
	f := inspect(t, "b", "..", "../c", ".", "b/f", "b")
	got := []string{}
	for _, o := range f.Objects {
		if want := git(t, root, "rev-parse", "HEAD:"+strings.TrimPrefix(o.Path, ".")); o.SHA != want {
			t.Errorf("%s: got %s, want %s", o.Path, o.SHA, want)
		}
		got = append(got, o.Path)
	}
	if diff := cmp.Diff([]string{"a/b", ".", "c", "a", "a/b/f", "a/b"}, got); diff != "" {
		t.Error(diff)
	}
}

// Names that a git command could take for an option, a range, a pattern or a path magic.
func TestInspect_names(t *testing.T) {
	if runtime.GOOS == "windows" || runtime.GOOS == "darwin" {
		t.Skip("the file system has no such names")
	}
	names := []string{
		"with space", "ünïcode 日本", "-dash", "--all", "co:lon", ":(top)x", "a..main", "..HEAD", "star*",
		"HEAD", "main", "q'uo\"te", "back\\slash", "[set]", "tab\tline\nend", "bad\xffutf8", "x^!",
		"#hash", "@", "~",
	}
	files := map[string]string{"HEAD:/.keep": "a folder that looks like a name"}
	for i, name := range names {
		files["in/"+name+"/f"] = fmt.Sprint(i)
		files[name+".file"] = fmt.Sprint("file ", i)
	}
	root := newRepo(t, files)
	git(t, root, "branch", "sh")
	for _, name := range names {
		dir, extra := filepath.Join(root, "in", name), filepath.Join(root, name+".file")
		f := inspect(t, dir, extra)
		tree := strings.Fields(git(t, dir, "log", "-1", "--format=%T %H"))
		if f.Commit != tree[1] {
			t.Errorf("%q: commit %s", name, f.Commit)
		}
		if want := git(t, root, "hash-object", "--", extra); f.Objects[1].SHA != want {
			t.Errorf("%q: file %s, want %s", name, f.Objects[1].SHA, want)
		}
		if want := git(t, dir, "write-tree", "--prefix=in/"+name+"/"); f.Objects[0].SHA != want {
			t.Errorf("%q: tree %s, want %s", name, f.Objects[0].SHA, want)
		}
		write(t, dir, map[string]string{"new": "n"})
		if diff := cmp.Diff([]string{"in/" + name + "/new"},
			inspect(t, dir, extra).DirtyFiles()); diff != "" {
			t.Errorf("%q: %s", name, diff)
		}
	}
}

func TestInspect_checkouts(t *testing.T) {
	origin := newRepo(t, map[string]string{"base/f": "1"})
	for i := range 3 {
		write(t, origin, map[string]string{"base/f": fmt.Sprint(i)})
		commit(t, origin)
	}
	want := inspect(t, filepath.Join(origin, "base"))
	parent := tempDir(t)
	git(t, parent, "clone", "-q", "--depth=1", "file://"+filepath.ToSlash(origin), "shallow")
	git(t, origin, "worktree", "add", "-q", "-b", "feature/x", filepath.Join(parent, "tree"))
	git(t, parent, "clone", "-q", origin, "detached")
	git(t, filepath.Join(parent, "detached"), "checkout", "-q", "--detach")
	git(t, parent, "clone", "-q", "--bare", origin, "bare.git")
	git(t, filepath.Join(parent, "bare.git"), "worktree", "add", "-q", "-b", "b",
		filepath.Join(parent, "of-bare"))
	if err := os.Symlink(filepath.Join(parent, "shallow"), filepath.Join(parent, "link")); err != nil {
		t.Skip(err)
	}
	tests := []struct{ name, root, branch string }{
		{"shallow", "shallow", "main"}, {"tree", "tree", "feature/x"}, {"detached", "detached", ""},
		{"of-bare", "of-bare", "b"}, {"link", "shallow", "main"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			want := want
			want.Root, want.Branch = filepath.Join(parent, tt.root), tt.branch
			if diff := cmp.Diff(want, inspect(t, filepath.Join(parent, tt.name, "base"))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestInspect_sha256(t *testing.T) {
	isolate(t)
	root := tempDir(t)
	if err := exec.Command("git", "-C", root, "init", "-q",
		"--object-format=sha256").Run(); err != nil {
		t.Skip("git without SHA-256")
	}
	write(t, root, map[string]string{"base/f": "1"})
	commit(t, root)
	if f := inspect(t, filepath.Join(root, "base")); len(f.Commit) != 64 ||
		len(f.Objects[0].SHA) != 64 {
		t.Errorf("got %+v", f)
	}
}

// A symlink in the place of a path is followed: what counts is what it points at.
func TestInspect_symlink(t *testing.T) {
	root := newRepo(t, map[string]string{"base/f": "1", "real/f": "2"})
	if err := os.Symlink("real", filepath.Join(root, "link")); err != nil {
		t.Skip(err)
	}
	commit(t, root)
	f := inspect(t, filepath.Join(root, "base"), filepath.Join(root, "link"))
	if o := f.Objects[1]; o.Path != "real" || o.SHA != git(t, root, "rev-parse", "HEAD:real") {
		t.Errorf("got %+v", o)
	}
}

// A git hook sets these for its own repository.
func TestInspect_hookEnvironment(t *testing.T) {
	other := newRepo(t, map[string]string{"g": "other"})
	root := newRepo(t, map[string]string{"base/f": "1"})
	want := inspect(t, filepath.Join(root, "base"))
	for name, value := range map[string]string{
		"GIT_DIR": filepath.Join(other, ".git"), "GIT_WORK_TREE": other, "GIT_PREFIX": "x/",
		"GIT_INDEX_FILE": filepath.Join(other, ".git", "index"), "GIT_COMMON_DIR": other,
		"GIT_OBJECT_DIRECTORY": other, "GIT_GLOB_PATHSPECS": "1", "GIT_NAMESPACE": "n", "PWD": other,
	} {
		t.Setenv(name, value)
	}
	got, err := Inspect(t.Context(), nil, filepath.Join(root, "base"))
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Error(err, diff)
	}
}

// User configuration that changes what git prints.
func TestInspect_configuration(t *testing.T) {
	root := newRepo(t, map[string]string{"base/f": "1"})
	write(t, root, map[string]string{"base/sub/new": "n"})
	want := inspect(t, filepath.Join(root, "base"))
	for _, pair := range []string{
		"status.showUntrackedFiles=no", "status.relativePaths=false", "status.short=true",
		"status.branch=true",
		"status.showStash=true", "status.aheadBehind=true", "log.showSignature=true", "log.decorate=full",
		"color.ui=always", "color.status=always", "core.quotePath=true", "column.ui=always",
		"core.fsmonitor=" + filepath.Join(root, "no-such-hook"), "core.preloadIndex=false",
	} {
		name, value, _ := strings.Cut(pair, "=")
		git(t, root, "config", name, value)
	}
	if diff := cmp.Diff(want, inspect(t, filepath.Join(root, "base"))); diff != "" {
		t.Error(diff)
	}
}

// The index stays as it is: another git process may hold its lock.
func TestInspect_readsOnly(t *testing.T) {
	root := newRepo(t, map[string]string{"base/f": "1"})
	write(t, root, map[string]string{".git/index.lock": ""})
	later := time.Now().Add(time.Hour)
	if err := os.Chtimes(filepath.Join(root, "base", "f"), later, later); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(filepath.Join(root, ".git", "index"))
	if err != nil {
		t.Fatal(err)
	}
	if dirty := inspect(t, filepath.Join(root, "base")).DirtyFiles(); len(dirty) != 0 {
		t.Errorf("only the time changed, but dirty: %q", dirty)
	}
	after, err := os.ReadFile(filepath.Join(root, ".git", "index"))
	if err != nil || string(before) != string(after) {
		t.Error("the index was written", err)
	}
}
