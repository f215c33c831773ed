// SPDX-License-Identifier: MPL-2.0

package gitrepo

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// export copies the files of a repository to a folder without one, as an archive has them.
func export(t *testing.T, root string) string {
	t.Helper()
	dir := tempDir(t)
	must(t, os.CopyFS(dir, os.DirFS(root)), os.RemoveAll(filepath.Join(dir, ".git")))
	return dir
}

// without must work.
func without(t *testing.T, paths ...string) Checkout {
	t.Helper()
	c, err := WithoutRepository(t.Context(), LeftBehind(""), paths...)
	must(t, err)
	return c
}

// The same files have the same ids with a repository and without one.
func TestWithoutRepository(t *testing.T) {
	needsModes(t)
	root := newRepo(t, map[string]string{
		"base/f": "1", "base/run.sh": "1", "base/a/b/c": "2", "base/crlf.txt": "a\r\nb\r\n",
		"base/.gitattributes": "*.txt text eol=crlf\n", "base/.gitignore": "*.log\n", "base/-x y": "",
		"shared/lib.sh": "1", "other/f": "1",
	})
	must(t, os.Symlink("f", filepath.Join(root, "base", "link")))
	for _, name := range []string{"base/run.sh", "shared/lib.sh"} {
		must(t, os.Chmod(filepath.Join(root, name), 0o755))
	}
	commit(t, root)
	dir := export(t, root)
	write(t, dir, map[string]string{
		"base/x.log": "", "base/crash.log": "", "base/.chain/.gitignore": "*\n", "base/.chain/x": "",
	})
	at := func(root, name string) string { return filepath.Join(root, filepath.FromSlash(name)) }
	names := []string{"base", "shared", "shared/lib.sh", "base/f"}
	var committed, plain []string
	for _, name := range names {
		committed, plain = append(committed, at(root, name)), append(plain, at(dir, name))
	}
	want := inspect(t, committed...).Objects
	for i, path := range []string{".", "../shared", "../shared/lib.sh", "f"} {
		want[i].Path = path
	}
	if diff := cmp.Diff(Checkout{Objects: want}, without(t, plain...)); diff != "" {
		t.Error(diff)
	}
	file := without(t, at(dir, "base/f"), at(dir, "base")).Objects
	if file[0].Path != "f" || file[0].Content != want[3].Content || file[1].Path != "." {
		t.Errorf("got %+v", file)
	}
	write(t, dir, map[string]string{"base/new": ""})
	if without(t, plain...).Objects[0].ID() == want[0].ID() {
		t.Error("a new file does not count")
	}
	// A repository that is there does not count: what it ignores or tracks, and its objects.
	write(t, root, map[string]string{".git/info/exclude": "new\n", "base/new": ""})
	if diff := cmp.Diff(without(t, plain...), without(t, committed...)); diff != "" {
		t.Error(diff)
	}
}

// What lies in a nested repository counts by a hash.
func TestWithoutRepository_nested(t *testing.T) {
	isolate(t)
	dir := tempDir(t)
	write(t, dir, map[string]string{"f": "1", "nested/x": "1"})
	git(t, filepath.Join(dir, "nested"), "init", "-q")
	before := without(t, dir)
	write(t, dir, map[string]string{"nested/x": "2"})
	after := without(t, dir)
	if before.DirtyHash() == "" || before.DirtyHash() == after.DirtyHash() {
		t.Errorf("got %+v, then %+v", before, after)
	}
}

// Neither a default of the user nor one of a later git changes the form of an id, and nothing stays.
func TestWithoutRepository_clean(t *testing.T) {
	isolate(t)
	dir, tmp := tempDir(t), tempDir(t)
	write(t, dir, map[string]string{"f": "1"})
	t.Setenv("TMPDIR", tmp)
	t.Setenv("GIT_DEFAULT_HASH", "sha256")
	if got := without(t, dir).Objects[0].Content; len(got) != 40 {
		t.Errorf("got %s", got)
	}
	for _, folder := range []string{dir, tmp} {
		files, err := os.ReadDir(folder)
		must(t, err)
		if len(files) > 1 || len(files) == 1 && files[0].Name() != "f" {
			t.Errorf("left in %s: %v", folder, files)
		}
	}
}

func TestWithoutRepository_errors(t *testing.T) {
	isolate(t)
	dir := tempDir(t)
	write(t, dir, map[string]string{"f": "1", "hidden/.gitignore": "*\n", "hidden/f": "", "empty/": ""})
	for name, want := range map[string]string{
		"none": "no such file or folder", "hidden": "no files", "empty": "no files",
	} {
		path := filepath.Join(dir, name)
		_, err := WithoutRepository(t.Context(), nil, dir, path)
		var known *Error
		if !errors.As(err, &known) || known.Path != path || known.Problem != want {
			t.Errorf("%s: got %v", name, err)
		}
		if strings.Count(err.Error(), "inspect ") != 1 {
			t.Errorf("got %v", err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := WithoutRepository(ctx, nil, dir); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
	t.Setenv("PATH", "")
	if _, err := WithoutRepository(t.Context(), nil, dir); err == nil ||
		!strings.Contains(err.Error(), "git is not installed") {
		t.Errorf("without git: %v", err)
	}
}

// What git prints is never taken for an id.
func TestWithoutRepository_garbage(t *testing.T) {
	isolate(t)
	dir := tempDir(t)
	write(t, dir, map[string]string{"f": "1"})
	realGit, err := exec.LookPath("git")
	must(t, err)
	for _, when := range []string{"*status*", "*rev-parse*", "*write-tree*"} {
		for _, script := range []string{"echo garbage", "exit 1", "head -c 100000 /dev/zero"} {
			fakeGit(t, "case \"$*\" in\n"+when+") "+script+" ;;\n*) exec "+realGit+" \"$@\" ;;\nesac")
			c, err := WithoutRepository(t.Context(), nil, dir)
			if err == nil && when != "*rev-parse*" || err != nil && c.Objects != nil {
				t.Errorf("%s, %s: got %+v, %v", when, script, c, err)
			}
		}
	}
}

func TestIgnored(t *testing.T) {
	root := newRepo(t, map[string]string{"base/f": "1", "base/.gitignore": "*.hcl\n", "base/kept.hcl": ""})
	git(t, root, "add", "-f", "base/kept.hcl")
	git(t, root, "commit", "-q", "-m", "by force")
	write(t, root, map[string]string{"base/a b.hcl": ""})
	base := filepath.Join(root, "base")
	for repository, want := range map[bool][]string{
		true: {"a b.hcl"}, false: {"a b.hcl", "kept.hcl"},
	} {
		got := Ignored(t.Context(), base, repository, "f", "a b.hcl", "kept.hcl")
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("repository %v: %s", repository, diff)
		}
	}
	if got := Ignored(t.Context(), base, true, "f"); len(got) > 0 {
		t.Errorf("got %q", got)
	}
}
