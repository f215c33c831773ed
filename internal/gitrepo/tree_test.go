// SPDX-License-Identifier: MPL-2.0

package gitrepo

import (
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// commitDisk commits what is on disk, flags and sparse checkout or not.
func commitDisk(t *testing.T, root string) {
	t.Helper()
	run := func(args ...string) string {
		return git(t, root, append([]string{"-c", "core.sparseCheckout=false"}, args...)...)
	}
	later := time.Now().Add(time.Hour)
	run("add", "-A") // a conflict can have no flag
	names := strings.FieldsFunc(run("ls-files", "-z"), func(r rune) bool { return r == 0 })
	run(append([]string{"update-index", "--no-assume-unchanged", "--"}, names...)...)
	run(append([]string{"update-index", "--no-skip-worktree", "--"}, names...)...)
	for _, name := range names {
		// Git takes a file with a flag for unchanged if it was changed within the second.
		file := filepath.Join(root, name)
		if info, err := os.Lstat(file); err == nil && info.Mode().IsRegular() {
			must(t, os.Chtimes(file, later, later))
		}
	}
	run("add", "-A")
	run("commit", "-q", "--allow-empty", "-m", "as on disk")
}

// snapshot is a hash of each file of a repository, with its name and mode.
func snapshot(t *testing.T, root string) map[string]string {
	t.Helper()
	files := map[string]string{}
	dirs := git(t, root, "rev-parse", "--git-dir", "--git-common-dir")
	for dir := range strings.SplitSeq(dirs, "\n") {
		if !filepath.IsAbs(dir) {
			dir = filepath.Join(root, dir)
		}
		must(t, filepath.WalkDir(dir, func(name string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				files[name] = ""
				return err
			}
			info, err := entry.Info()
			must(t, err)
			body, err := os.ReadFile(name)
			sum := sha256.Sum256(body)
			files[name] = info.Mode().String() + hex.EncodeToString(sum[:])
			return err
		}))
	}
	return files
}

// wantSame checks that content has the same names before and after its commit, and that the
// repository stays as it is.
func wantSame(t *testing.T, root string, paths ...string) (before Checkout) {
	t.Helper()
	was := snapshot(t, root)
	for i := range paths {
		paths[i] = filepath.Join(root, paths[i])
	}
	before = inspect(t, paths...)
	if diff := cmp.Diff(was, snapshot(t, root)); diff != "" {
		t.Errorf("the repository changed: %s", diff)
	}
	commitDisk(t, root)
	after := inspect(t, paths...)
	if dirty := after.DirtyFiles(); len(dirty) > 0 {
		t.Errorf("dirty after the commit: %q", dirty)
	}
	for i, o := range before.Objects {
		committed := after.Objects[i]
		if o.Content != committed.SHA || o.Name() != committed.Name() ||
			o.Executable != committed.Executable {
			t.Errorf("before the commit %+v, after it %+v", o, committed)
		}
	}
	return before
}

// Every way in which a file on disk may differ from HEAD. Beside base, which is dirty, other is
// clean.
func TestInspect_sameAfterCommit(t *testing.T) {
	needsModes(t)
	at := filepath.Join
	config := func(name, value string) func(*testing.T, string) {
		return func(t *testing.T, r string) {
			git(t, r, "config", name, value)
			write(t, r, map[string]string{"base/f": "a\r\nb\r\n", "base/new": "c\r\n"})
		}
	}
	tests := map[string]func(t *testing.T, root string){
		"modified": func(t *testing.T, r string) { write(t, r, map[string]string{"base/f": "2"}) },
		"new":      func(t *testing.T, r string) { write(t, r, map[string]string{"base/a/b": "2"}) },
		"staged, then otherwise": func(t *testing.T, r string) {
			write(t, r, map[string]string{"base/f": "2", "base/new": "2"})
			git(t, r, "add", "-A")
			write(t, r, map[string]string{"base/f": "3", "base/new": "3"})
		},
		"staged elsewhere": func(t *testing.T, r string) {
			write(t, r, map[string]string{"base/f": "2", "x": "2"})
			git(t, r, "add", "x")
		},
		"announced": func(t *testing.T, r string) {
			write(t, r, map[string]string{"base/new": "2"})
			git(t, r, "add", "-N", "base/new")
		},
		"deleted": func(t *testing.T, r string) { must(t, os.Remove(at(r, "base/f"))) },
		"ignored, tracked by force": func(t *testing.T, r string) {
			write(t, r, map[string]string{"base/kept.log": "2", "base/not.log": "2"})
		},
		"ignored, staged by force": func(t *testing.T, r string) {
			write(t, r, map[string]string{"base/new.log": "2", "base/not.log": "2"})
			git(t, r, "add", "-f", "base/new.log")
		},
		"executable": func(t *testing.T, r string) { must(t, os.Chmod(at(r, "base/f"), 0o755)) },
		"executable no more": func(t *testing.T, r string) {
			must(t, os.Chmod(at(r, "base/run.sh"), 0o644))
		},
		"modes do not count": func(t *testing.T, r string) {
			git(t, r, "config", "core.fileMode", "false")
			git(t, r, "update-index", "--assume-unchanged", "base/run.sh")
			write(t, r, map[string]string{"base/run.sh": "2"})
			must(t, os.Chmod(at(r, "base/run.sh"), 0o644), os.Chmod(at(r, "base/f"), 0o755))
		},
		"symlink": func(t *testing.T, r string) {
			must(t, os.Remove(at(r, "base/f")), os.Symlink("/etc/hosts", at(r, "base/f")))
		},
		"folder now a symlink": func(t *testing.T, r string) {
			must(t, os.RemoveAll(at(r, "base/dir")), os.Symlink(at(r, "other"), at(r, "base/dir")))
		},
		"folder now a file": func(t *testing.T, r string) {
			must(t, os.RemoveAll(at(r, "base/dir")))
			write(t, r, map[string]string{"base/dir": "2"})
		},
		"file now a folder": func(t *testing.T, r string) {
			must(t, os.Remove(at(r, "base/f")))
			write(t, r, map[string]string{"base/f/g": "2"})
		},
		"file now an empty folder": func(t *testing.T, r string) {
			must(t, os.Remove(at(r, "base/f")))
			write(t, r, map[string]string{"base/f/": ""})
		},
		"assumed to be unchanged": func(t *testing.T, r string) {
			git(t, r, "update-index", "--assume-unchanged", "base/f", "base/run.sh", "base/dir/f")
			write(t, r, map[string]string{"base/f": "2"})
			must(t, os.Remove(at(r, "base/run.sh")))
		},
		"skipped": func(t *testing.T, r string) {
			git(t, r, "update-index", "--skip-worktree", "base/f", "base/run.sh", "base/dir/f")
			write(t, r, map[string]string{"base/f": "2"})
			must(t, os.Remove(at(r, "base/run.sh")))
		},
		// Cause: git refuses to look behind a symlink.
		"skipped, its folder now a symlink": func(t *testing.T, r string) {
			git(t, r, "update-index", "--skip-worktree", "base/dir/f")
			must(t, os.RemoveAll(at(r, "base/dir")), os.Symlink(at(r, "other"), at(r, "base/dir")))
		},
		"skipped, its folder now a file": func(t *testing.T, r string) {
			git(t, r, "update-index", "--skip-worktree", "base/dir/f")
			must(t, os.RemoveAll(at(r, "base/dir")))
			write(t, r, map[string]string{"base/dir": "2"})
		},
		"skipped, now a folder": func(t *testing.T, r string) {
			git(t, r, "update-index", "--skip-worktree", "base/f")
			must(t, os.Remove(at(r, "base/f")))
			write(t, r, map[string]string{"base/f/g": "2"})
		},
		"sparse checkout": func(t *testing.T, r string) {
			git(t, r, "sparse-checkout", "set", "--no-cone", "base/f", "other", ".gitignore")
		},
		"sparse index": func(t *testing.T, r string) {
			git(t, r, "sparse-checkout", "set", "--cone", "--sparse-index", "base", "other")
			write(t, r, map[string]string{"base/f": "2"})
		},
		"conflict": func(t *testing.T, r string) { conflict(t, r, "base/f") },
		// Cause: git makes no tree of an index with a conflict, wherever that is.
		"conflict elsewhere": func(t *testing.T, r string) {
			conflict(t, r, "deep/er/f")
			write(t, r, map[string]string{"base/f": "2"})
		},
		"line ends":               config("core.autocrlf", "input"),
		"line ends, not as asked": config("core.safecrlf", "true"),
		"filter": func(t *testing.T, r string) {
			git(t, r, "config", "filter.up.clean", "tr a-z A-Z")
			write(t, r, map[string]string{
				"base/f": "abc", "base/new": "abc", "base/.gitattributes": "* filter=up\n",
			})
		},
		// Cause: git runs this hook for a temporary index too.
		"hook": func(t *testing.T, r string) {
			write(t, r, map[string]string{"base/f": "2"})
			hook := at(r, ".git", "hooks", "post-index-change")
			must(t, os.MkdirAll(filepath.Dir(hook), 0o755),
				os.WriteFile(hook, []byte("#!/bin/sh\ntouch \"$0.ran\"\n"), 0o755))
		},
		"split index": func(t *testing.T, r string) {
			git(t, r, "config", "core.splitIndex", "true")
			git(t, r, "update-index", "--split-index")
			write(t, r, map[string]string{"base/f": "2"})
		},
		"odd names": func(t *testing.T, r string) {
			write(t, r, map[string]string{"base/-x": "", "base/:(top)f": "", "base/a\nb": "", "base/\"": ""})
		},
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			root := newRepo(t, map[string]string{
				"base/f": "1", "base/run.sh": "1", "base/dir/f": "1", "base/kept.log": "1",
				"other/f": "1", "deep/er/f": "1", ".gitignore": "*.log\n",
			})
			must(t, os.Chmod(at(root, "base/run.sh"), 0o755))
			git(t, root, "add", "-f", "base/kept.log", "base/run.sh")
			git(t, root, "commit", "-q", "-m", "executable, and by force")
			change(t, root)
			f := wantSame(t, root, "base", "other")
			if o := f.Objects[1]; o.Dirty != nil || o.Content != o.SHA {
				t.Errorf("the clean path: %+v", o)
			}
			if f.DirtyHash() != "" || len(f.Objects[0].Dirty) == 0 {
				t.Errorf("the dirty path: %+v", f.Objects[0])
			}
		})
	}
}

// conflict leaves a file as a merge does that could not merge it.
func conflict(t *testing.T, root, name string) {
	t.Helper()
	git(t, root, "checkout", "-q", "-b", "theirs")
	write(t, root, map[string]string{name: "theirs"})
	commit(t, root)
	git(t, root, "checkout", "-q", "main")
	write(t, root, map[string]string{name: "ours"})
	commit(t, root)
	merge := exec.Command("git", "merge", "-q", "theirs")
	if merge.Dir = root; merge.Run() == nil {
		t.Fatal("no conflict")
	}
}

// Single files have the executable bit beside their id, and the root has all files.
func TestInspect_sameAfterCommitOfPaths(t *testing.T) {
	needsModes(t)
	root := newRepo(t, map[string]string{"base/f": "1", "run.sh": "1", "gone/f": "1", "clean": "1"})
	write(t, root, map[string]string{"base/f": "2", "base/new": "2", "run.sh": "2"})
	must(t, os.Chmod(filepath.Join(root, "run.sh"), 0o755))
	f := wantSame(t, root, "base", ".", "base/f", "run.sh", "clean", "base")
	if o := f.Objects[3]; !o.Executable || o.Content != git(t, root, "rev-parse", "HEAD:run.sh") {
		t.Errorf("got %+v", o)
	}
	must(t, os.Remove(filepath.Join(root, "gone/f")))
	o := inspect(t, filepath.Join(root, "gone")).Objects[0]
	if want := git(t, root, "hash-object", "-t", "tree", os.DevNull); o.Content != want {
		t.Errorf("a folder without files: got %+v, want %s", o, want)
	}
}

func TestInspect_sameAfterCommitSHA256(t *testing.T) {
	isolate(t)
	root := tempDir(t)
	if err := exec.Command("git", "-C", root, "init", "-q",
		"--object-format=sha256").Run(); err != nil {
		t.Skip("git without SHA-256")
	}
	write(t, root, map[string]string{"base/f": "1"})
	commit(t, root)
	write(t, root, map[string]string{"base/f": "2"})
	wantSame(t, root, "base")
}

// Every kind of checkout. A clone has lost its origin, so that git cannot fetch what it lacks.
func TestInspect_sameAfterCommitInCheckouts(t *testing.T) {
	needsModes(t)
	origin := newRepo(t, map[string]string{"base/f": "1", "base/g": "1", "other/f": "1"})
	write(t, origin, map[string]string{"base/g": "2"})
	commit(t, origin)
	git(t, origin, "config", "uploadpack.allowFilter", "true")
	clone := func(t *testing.T, args ...string) string {
		root := filepath.Join(tempDir(t), "clone")
		git(t, origin, append(append([]string{"clone", "-q"}, args...), "file://"+origin, root)...)
		git(t, root, "config", "remote.origin.url", filepath.Join(root, "none"))
		return root
	}
	tests := map[string]func(t *testing.T) string{
		"linked worktree": func(t *testing.T) string {
			root := filepath.Join(tempDir(t), "linked")
			git(t, origin, "worktree", "add", "-q", root)
			return root
		},
		"shallow": func(t *testing.T) string { return clone(t, "--depth=1") },
		"partial, without a blob": func(t *testing.T) string {
			root := clone(t, "--filter=blob:none", "--no-checkout")
			git(t, root, "reset", "-q", "--mixed")
			write(t, root, map[string]string{"base/f": "1", "base/g": "2", "other/f": "1"})
			git(t, root, "update-index", "--refresh")
			return root
		},
		"sparse": func(t *testing.T) string {
			root := clone(t, "--sparse")
			git(t, root, "sparse-checkout", "set", "base")
			return root
		},
		"read-only": func(t *testing.T) string {
			root := clone(t)
			chmod := func(mode string) { must(t, exec.Command("chmod", "-R", mode, root+"/.git").Run()) }
			chmod("a-w")
			t.Cleanup(func() { chmod("u+w") })
			inspect(t, filepath.Join(root, "base"))
			write(t, root, map[string]string{"base/f": "3"})
			before := inspect(t, filepath.Join(root, "base")).Objects[0].Name()
			chmod("u+w")
			if after := inspect(t, filepath.Join(root, "base")).Objects[0].Name(); after != before {
				t.Errorf("read-only %s, else %s", before, after)
			}
			return root
		},
	}
	for name, checkout := range tests {
		t.Run(name, func(t *testing.T) {
			root := checkout(t)
			write(t, root, map[string]string{"base/f": "3", "base/new": "3"})
			f := wantSame(t, root, "base")
			if diff := cmp.Diff([]string{"base/f", "base/new"}, f.DirtyFiles()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// What is left behind is part of the tree only if git knows it.
func TestInspect_leftBehindInTree(t *testing.T) {
	left := map[string]string{
		"base/packer-manifest.json": "{}", "base/crash.log": "x", "base/packer_cache/x": "x",
	}
	root := newRepo(t, map[string]string{"base/f": "1"})
	base := filepath.Join(root, "base")
	content := func() string {
		f, err := Inspect(t.Context(), LeftBehind(""), base)
		must(t, err)
		return f.Objects[0].Name()
	}
	write(t, root, map[string]string{"base/f": "2"})
	before := content()
	write(t, root, left)
	if after := content(); after != before {
		t.Errorf("an untracked file that is left behind counts: %s, before %s", after, before)
	}
	git(t, root, "add", "base/crash.log")
	if content() == before {
		t.Error("a staged file does not count")
	}
}
