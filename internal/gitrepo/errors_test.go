// SPDX-License-Identifier: MPL-2.0

package gitrepo

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// In the wanted texts, ROOT is the repository and TMP another folder.
func TestInspect_errors(t *testing.T) {
	tests := []struct {
		name  string
		setup func(t *testing.T, root, tmp string)
		paths []string
		want  string
	}{
		{name: "no such path", paths: []string{"ROOT/nope"},
			want: `inspect "ROOT/nope": no such file or folder

Check path and extra_paths. ${path.root} is the folder of the template.`},
		{name: "no such extra path", paths: []string{"ROOT/base", "ROOT/nope"},
			want: `inspect "ROOT/nope": no such file or folder

Check path and extra_paths. ${path.root} is the folder of the template.`},
		{name: "dangling symlink", paths: []string{"ROOT/link"},
			setup: func(t *testing.T, root, _ string) {
				must(t, os.Symlink("nope", filepath.Join(root, "link")))
			},
			want: `inspect "ROOT/link": no such file or folder

Check path and extra_paths. ${path.root} is the folder of the template.`},
		{name: "no repository", paths: []string{"TMP"},
			want: `inspect "TMP": not in a git repository

Run Packer in a git checkout. For files without one, such as an archive, set git = false in data "chain-image", and in data "chain" set channel, fingerprint or git_sha in place of path.`},
		{name: "extra path in no repository", paths: []string{"ROOT/base", "TMP"},
			want: `inspect "TMP": outside of the git repository ROOT

All paths of an image must lie in one git checkout. Move the files into it, or put their version into inputs.`},
		{name: "symlink out of the repository", paths: []string{"ROOT/base", "ROOT/link"},
			setup: func(t *testing.T, root, tmp string) {
				must(t, os.Symlink(tmp, filepath.Join(root, "link")))
			},
			want: `inspect "ROOT/link": outside of the git repository ROOT

All paths of an image must lie in one git checkout. Move the files into it, or put their version into inputs.`},
		{name: "extra path is a nested repository", paths: []string{"ROOT/base", "ROOT/nest"},
			setup: nest, want: `inspect "ROOT/nest": outside of the git repository, in another one: ROOT/nest

All paths of an image must lie in one git checkout. Move the files into it, or put their version into inputs.`},
		{name: "extra path in a nested repository", paths: []string{"ROOT/base", "ROOT/nest/in"},
			setup: nest,
			want: `inspect "ROOT/nest/in": outside of the git repository, in another one: ROOT/nest

All paths of an image must lie in one git checkout. Move the files into it, or put their version into inputs.`},
		{name: "new folder", paths: []string{"ROOT/new one"},
			setup: func(t *testing.T, root, _ string) {
				write(t, root, map[string]string{"new one/f": "1"})
			},
			want: `inspect "ROOT/new one": not committed yet

Images are named after what git has. Add the files and commit them:
  git -C ROOT add -- 'new one'`},
		{name: "new extra file, staged", paths: []string{"ROOT/base", "ROOT/new"},
			setup: func(t *testing.T, root, _ string) {
				write(t, root, map[string]string{"new": "1"})
				git(t, root, "add", "new")
			},
			want: `inspect "ROOT/new": not committed yet

Images are named after what git has. Add the files and commit them:
  git -C ROOT add -- new`},
		{name: "empty folder", paths: []string{"ROOT/empty"},
			setup: func(t *testing.T, root, _ string) { write(t, root, map[string]string{"empty/": ""}) },
			want: `inspect "ROOT/empty": no tracked files

The path is empty, or .gitignore hides all of it. Add files and commit them.`},
		{name: "ignored folder", paths: []string{"ROOT/base", "ROOT/hidden"},
			setup: func(t *testing.T, root, _ string) {
				write(t, root, map[string]string{"hidden/f": "", ".git/info/exclude": "hidden"})
			},
			want: `inspect "ROOT/hidden": no tracked files

The path is empty, or .gitignore hides all of it. Add files and commit them.`},
		{name: "root without files", paths: []string{"TMP"},
			setup: func(t *testing.T, _, tmp string) {
				git(t, tmp, "init", "-q")
				git(t, tmp, "commit", "-q", "--allow-empty", "-m", "empty")
			},
			want: `inspect "TMP": no tracked files

The path is empty, or .gitignore hides all of it. Add files and commit them.`},
		{name: "no commit", paths: []string{"TMP"},
			setup: func(t *testing.T, _, tmp string) {
				git(t, tmp, "init", "-q")
				write(t, tmp, map[string]string{"f": ""})
			},
			want: `inspect "TMP": the git repository has no commit yet

Commit the files of the image first.`},
		{name: "bare", paths: []string{"TMP"},
			setup: func(t *testing.T, _, tmp string) { git(t, tmp, "init", "-q", "--bare") },
			want: `inspect "TMP": in a bare git repository

A bare repository has no files. Run Packer in a checkout of it.`},
		{name: "inside .git", paths: []string{"ROOT/.git/objects"},
			want: `inspect "ROOT/.git/objects": inside a .git folder

Git does not track its own files. Point path and extra_paths at files of the checkout.`},
		{name: "extra path inside .git", paths: []string{"ROOT/base", "ROOT/.git/HEAD"},
			want: `inspect "ROOT/.git/HEAD": inside a .git folder

Git does not track its own files. Point path and extra_paths at files of the checkout.`},
		{name: "owner", paths: []string{"ROOT/base"},
			setup: func(t *testing.T, _, _ string) { t.Setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1") },
			want: `inspect "ROOT/base": git refuses the repository, which belongs to another user

If you trust it, tell git so:
  git config --global --add safe.directory ROOT`},
		{name: "git is missing", paths: []string{"ROOT/base"},
			setup: func(t *testing.T, _, tmp string) { t.Setenv("PATH", tmp) },
			want: `inspect "ROOT/base": git is not installed, or not on PATH

The chain plugin reads from git which files an image is built from. Install git where Packer runs.`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			root := newRepo(t, map[string]string{"base/f": "1"})
			tmp := tempDir(t)
			if tt.setup != nil {
				tt.setup(t, root, tmp)
			}
			fill := strings.NewReplacer("ROOT", root, "TMP", tmp)
			var paths []string
			for _, p := range tt.paths {
				paths = append(paths, filepath.FromSlash(fill.Replace(p)))
			}
			f, err := Inspect(t.Context(), nil, paths...)
			var known *Error
			if !errors.As(err, &known) || known.Path != paths[len(paths)-1] {
				t.Fatalf("got %v", err)
			}
			if diff := cmp.Diff(fill.Replace(tt.want), err.Error()); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(Checkout{}, f); diff != "" {
				t.Error("a checkout beside an error", diff)
			}
		})
	}
}

func nest(t *testing.T, root, _ string) {
	write(t, root, map[string]string{"nest/in/f": ""})
	git(t, root, "init", "-q", "nest")
}

func TestInspect_arguments(t *testing.T) {
	if _, err := Inspect(t.Context(), nil); err == nil ||
		err.Error() != "inspect git repository: no path given" {
		t.Errorf("no path: %v", err)
	}
	_, err := Inspect(t.Context(), nil, "")
	if err == nil || !strings.HasPrefix(err.Error(), `inspect "": no such file or folder`+"\n\n") {
		t.Errorf("empty path: %v", err)
	}
	if _, err := Inspect(t.Context(), nil, "a\x00b"); err == nil {
		t.Error("NUL in a path: no error")
	}
}

func TestInspect_canceled(t *testing.T) {
	root := newRepo(t, map[string]string{"base/f": "1"})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Inspect(ctx, nil, root); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// A repository whose objects are gone is not "not committed".
func TestInspect_corrupt(t *testing.T) {
	root := newRepo(t, map[string]string{"base/f": "1"})
	must(t, os.RemoveAll(filepath.Join(root, ".git", "objects")),
		os.Mkdir(filepath.Join(root, ".git", "objects"), 0o755))
	_, err := Inspect(t.Context(), nil, filepath.Join(root, "base"))
	var known *Error
	if err == nil || errors.As(err, &known) || strings.ContainsAny(err.Error(), "\n\x1b") {
		t.Errorf("got %v", err)
	}
	t.Log(err)
}

func TestInspect_brokenGitFile(t *testing.T) {
	isolate(t)
	dir := tempDir(t)
	write(t, dir, map[string]string{".git": "gitdir: /nonexistent/worktrees/x\n"})
	_, err := Inspect(t.Context(), nil, dir)
	want := "not in a git repository: its .git file points at no repository"
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v", err)
	}
}

// Cause: git 2.54 and 2.55 name the folder "(null)", and later ones name the .git file in another
// text.
func TestExplain_brokenGitFile(t *testing.T) {
	for stderr, want := range map[string]string{
		"fatal: not a git repository: /git/worktrees/x":                  ": /git/worktrees/x",
		"fatal: not a git repository: (null)":                            "",
		"fatal: gitfile does not point to a valid repository: /src/.git": ": /src/.git",
	} {
		err := explain(&commandError{"status", stderr, errors.New("exit status 128")}, "/p", "/work")
		want := "inspect \"/p\": not in a git repository: its .git file points at no repository" + want +
			"\n\n" +
			"Mount or check out the folder that it names too, or use a clone instead of a linked work tree."
		if err.Error() != want {
			t.Errorf("%s: got %v", stderr, err)
		}
	}
}

func TestExplain_owner(t *testing.T) {
	for stderr, want := range map[string]string{
		"fatal: unsafe repository ('/src/a b' is owned by someone else)":                "'/src/a b'",
		"fatal: detected dubious ownership in repository at '/src/$(x)'; fatal: in sub": "'/src/$(x)'",
		"fatal: detected dubious ownership in a way that is new":                        "/work",
	} {
		err := explain(&commandError{"status", stderr, errors.New("exit status 128")}, "/p", "/work")
		if _, got, _ := strings.Cut(err.Error(), "safe.directory "); got != want {
			t.Errorf("%s: got %s, want %s", stderr, got, want)
		}
	}
}

func TestQuote(t *testing.T) {
	for in, want := range map[string]string{"/a/b-c.d": "/a/b-c.d", "": "''", "a'b": `'a'\''b'`,
		"$x": "'$x'"} {
		if got := quote(in); got != want {
			t.Errorf("%s: got %s, want %s", in, got, want)
		}
	}
}
