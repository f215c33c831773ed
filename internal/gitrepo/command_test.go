// SPDX-License-Identifier: MPL-2.0

package gitrepo

import (
	"context"
	"errors"
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

// fakeGit puts a shell script in the place of git.
func fakeGit(t *testing.T, script string) {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("needs a POSIX shell")
	}
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "git"), []byte("#!/bin/sh\n"+script+"\n"), 0o755))
	t.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH"))
}

// Whatever git prints, the answer is an error: never a panic, never a checkout, never an
// escape sequence.
func TestInspect_garbage(t *testing.T) {
	root := newRepo(t, map[string]string{"base/f": "1"})
	write(t, root, map[string]string{"base/f": "2"})
	realGit, err := exec.LookPath("git")
	must(t, err)
	garbage := []string{
		"", "echo", "echo garbage", "echo garbage; exit 1", "exit 128", "kill -9 $$",
		`printf '\000\000\377'`,
		`printf 'fatal: \033[31mred\007\n' >&2; exit 128`, "head -c 100000 /dev/zero",
		`printf 'true\nfalse\n/'`,
		"printf 'true\\nfalse\\n" + root + "\\n" + strings.Repeat(id+"\\n", 3) + "'",
		"printf '# branch.oid " + id + "\\000'", "echo 1 " + id, "echo usage; echo usage >&2; exit 129",
	}
	// Each garbage as the answer to every command, and as that to one of them beside a real git.
	for _, when := range []string{
		"*", "*rev-parse*HEAD*", "*status*", "*ls-files*", "*rev-list*", "*ls-tree*", "*write-tree*",
	} {
		for i, script := range garbage {
			if when == "*ls-files*" && script == "" {
				continue // the answer for a folder without files
			}
			t.Run(fmt.Sprint(when, i), func(t *testing.T) {
				fakeGit(t, fmt.Sprintf("case \"$*\" in\n%s) %s ;;\n*) exec %s \"$@\" ;;\nesac", when, script,
					realGit))
				f, err := Inspect(t.Context(), nil, filepath.Join(root, "base"),
					filepath.Join(root, "base", "f"))
				if err == nil || strings.Contains(err.Error(), "\x1b") || len(err.Error()) > 2000 {
					t.Errorf("got %+v, %v", f, err)
				}
				if diff := cmp.Diff(Checkout{}, f); diff != "" {
					t.Error(diff)
				}
			})
		}
	}
}

// A command that fails in a way that nobody foresaw is named, with what git said.
func TestInspect_failure(t *testing.T) {
	root := newRepo(t, map[string]string{"base/f": "1", "x": "1"})
	write(t, root, map[string]string{"base/f": "2"})
	realGit, err := exec.LookPath("git")
	must(t, err)
	for _, name := range []string{
		"rev-parse", "status", "ls-files", "rev-list", "ls-tree", "update-index", "write-tree",
	} {
		fakeGit(t, fmt.Sprintf(
			"%[1]s \"$@\" || exit; case \"$*\" in *%[2]s*) echo fatal: boom >&2; exit 7 ;; esac",
			realGit, name))
		_, err = Inspect(t.Context(), nil, filepath.Join(root, "base"), filepath.Join(root, "x"))
		want := fmt.Sprintf("inspect %q: git %s: fatal: boom: exit status 7", filepath.Join(root, "base"),
			name)
		if err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

// An answer without an end is cut, and git does not stay behind.
func TestInspect_endless(t *testing.T) {
	root := newRepo(t, map[string]string{"base/f": "1"})
	realGit, err := exec.LookPath("git")
	must(t, err)
	fakeGit(t, "case \"$*\" in *rev-list*) exec yes ;; *) exec "+realGit+" \"$@\" ;; esac")
	_, err = Inspect(t.Context(), nil, root)
	want := fmt.Sprintf("inspect %q: git rev-list: output is longer than 64 MiB", root)
	if err == nil || err.Error() != want {
		t.Errorf("got %v", err)
	}
}

// A git that hangs ends with the context, and the error says so rather than "signal: killed".
func TestInspect_deadline(t *testing.T) {
	root := newRepo(t, map[string]string{"base/f": "1"})
	fakeGit(t, "exec sleep 60")
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := Inspect(ctx, nil, root); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

// A file system monitor may be wrong, and one that git starts would stay behind.
func TestInspect_fsmonitor(t *testing.T) {
	root := newRepo(t, map[string]string{"base/f": "1"})
	hook := filepath.Join(t.TempDir(), "hook")
	must(t, os.WriteFile(hook, []byte("#!/bin/sh\ntouch "+hook+".ran\nprintf 'token\\000'\n"), 0o755))
	git(t, root, "config", "core.fsmonitor", hook)
	git(t, root, "status")
	if err := os.Remove(hook + ".ran"); err != nil {
		t.Skip("git did not run the hook")
	}
	write(t, root, map[string]string{"base/f": "2"})
	if got := inspect(t, root).DirtyFiles(); len(got) != 1 {
		t.Errorf("dirty: %q", got)
	}
	if _, err := os.Stat(hook + ".ran"); err == nil {
		t.Error("the hook ran")
	}
}

func TestInspect_moved(t *testing.T) {
	root := newRepo(t, map[string]string{"base/f": "1"})
	realGit, err := exec.LookPath("git")
	must(t, err)
	fakeGit(t, "case \"$*\" in *rev-list*) echo 1 "+id+" ;; *) exec "+realGit+" \"$@\" ;; esac")
	_, err = Inspect(t.Context(), nil, root)
	want := fmt.Sprintf("inspect %q: the current commit changed during the inspection\n\n"+
		"Run Packer again when no other git command runs in the checkout.", root)
	if err == nil || err.Error() != want {
		t.Errorf("got %v", err)
	}
}

// Four processes for a folder, one more for all other paths together, and five more if any is
// dirty.
func TestInspect_processes(t *testing.T) {
	root := newRepo(t, map[string]string{"base/f": "1", "a/f": "1", "b/f": "1"})
	realGit, err := exec.LookPath("git")
	must(t, err)
	log := filepath.Join(t.TempDir(), "log")
	fakeGit(t, "echo x >> "+log+"; exec "+realGit+" \"$@\"")
	for want, paths := range map[int][]string{4: {"base"}, 5: {"base", "a", "b", ".", "b/f"}} {
		must(t, os.WriteFile(log, nil, 0o644))
		for i := range paths {
			paths[i] = filepath.Join(root, paths[i])
		}
		inspect(t, paths...)
		calls, err := os.ReadFile(log)
		must(t, err)
		if got := strings.Count(string(calls), "x"); got != want {
			t.Errorf("%d paths: %d processes, want %d", len(paths), got, want)
		}
		must(t, os.WriteFile(log, nil, 0o644))
		write(t, root, map[string]string{"base/f": "2", "base/new": "2"})
		inspect(t, paths...)
		write(t, root, map[string]string{"base/f": "1"})
		must(t, os.Remove(filepath.Join(root, "base", "new")))
		calls, err = os.ReadFile(log)
		must(t, err)
		if got := strings.Count(string(calls), "x"); got != want+5 {
			t.Errorf("%d paths, dirty: %d processes, want %d", len(paths), got, want+5)
		}
	}
}

func TestEnvironment(t *testing.T) {
	got := environment([]string{
		"PATH=/bin", "GIT_DIR=/x", "git_work_tree=/x", "LC_ALL=de_DE", "GIT_GLOB_PATHSPECS=1",
		"GIT_CONFIG_COUNT=1",
		"GIT_CONFIG_KEY_0=safe.directory", "GIT_CONFIG_VALUE_0=/x", "LANGUAGE=de", "GIT_OPTIONAL_LOCKS=1",
	})
	want := []string{
		"PATH=/bin", "GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=safe.directory", "GIT_CONFIG_VALUE_0=/x",
		"LC_ALL=C", "GIT_OPTIONAL_LOCKS=0", "GIT_TERMINAL_PROMPT=0", "GIT_LITERAL_PATHSPECS=1",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestMessage(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"complaints only", "hint: do\nerror: a\nfatal: b\n\nusage\n", "error: a; fatal: b"},
		{"none", "usage: git\nmore", "usage: git; more"},
		{"control characters", "fatal: a\x1b[31m\u202e\tb\r", "fatal: a[31mb"},
		{"long", strings.Repeat("é", 2000), strings.Repeat("é", 1000) + "…"},
		{"empty", "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, message(tt.in)); diff != "" {
				t.Error(diff)
			}
		})
	}
}
