// SPDX-License-Identifier: MPL-2.0

package gitrepo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/packer-chain/packer-plugin-chain/internal/text"
)

const (
	// maxOutput is 64 MiB: some 400,000 dirty files, or files under the paths.
	maxOutput = 64 << 20
	maxStderr = 64 << 10
	// waitDelay is how long a child that git left behind may keep the pipes open.
	waitDelay = 5 * time.Second
)

// command runs git in a folder.
type command struct {
	dir string
	env []string // in addition to that of the process
	in  string   // standard input
}

// options keep git from side effects. A file system monitor may be out of date, and git would start
// one that outlives this process. Writing a temporary index would run a hook, and with
// core.splitIndex write a part of it into the repository.
var options = []string{
	"--no-optional-locks", "-c", "core.fsmonitor=false", "-c", "core.splitIndex=false",
	"-c", "core.hooksPath=" + os.DevNull,
}

// result is what a git command printed, and how it failed. Both may be set: git prints what it
// found before it fails.
type result struct {
	out string
	err error
}

// commandError is a git command that failed. Its text has no control characters.
type commandError struct {
	name   string
	stderr string
	err    error
}

func (e *commandError) Error() string {
	if e.stderr == "" {
		return fmt.Sprintf("git %s: %v", e.name, e.err)
	}
	return fmt.Sprintf("git %s: %s: %v", e.name, e.stderr, e.err)
}

func (e *commandError) Unwrap() error { return e.err }

func (c command) run(ctx context.Context, args ...string) result {
	cmd := exec.CommandContext(ctx, "git", slices.Concat(options, args)...)
	cmd.Dir = c.dir
	cmd.Env = append(environment(os.Environ()), c.env...)
	cmd.Stdin = strings.NewReader(c.in)
	cmd.WaitDelay = waitDelay
	stdout, stderr := &limited{max: maxOutput, fail: true}, &limited{max: maxStderr}
	cmd.Stdout, cmd.Stderr = stdout, stderr
	err := cmd.Run()
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if stdout.full {
		err = errTooLong
	}
	if err != nil {
		err = &commandError{name: args[0], stderr: message(stderr.buf.String()), err: err}
	}
	return result{out: stdout.buf.String(), err: err}
}

var errTooLong = errors.New("output is longer than 64 MiB")

// limited keeps the first max bytes. It drops what follows, or with fail returns an error. The
// buffer is not embedded, because io.Copy would call its ReadFrom, which knows no limit.
type limited struct {
	buf  bytes.Buffer
	max  int
	fail bool
	full bool
}

func (l *limited) Write(p []byte) (int, error) {
	room := l.max - l.buf.Len()
	if len(p) <= room {
		return l.buf.Write(p)
	}
	l.buf.Write(p[:room])
	l.full = l.fail
	if l.fail {
		return room, errTooLong
	}
	return len(p), nil
}

// dropped are the variables that would point git at another repository or change what a path
// means. A git hook sets some of them. GIT_CONFIG_COUNT and its like stay: CI systems set
// safe.directory for a container with them.
var dropped = []string{
	"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR", "GIT_OBJECT_DIRECTORY",
	"GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_NAMESPACE", "GIT_PREFIX", "GIT_SHALLOW_FILE",
	"GIT_GRAFT_FILE", "GIT_REPLACE_REF_BASE", "GIT_NO_REPLACE_OBJECTS", "GIT_IMPLICIT_WORK_TREE",
	"GIT_INTERNAL_SUPER_PREFIX", "GIT_ATTR_SOURCE", "GIT_CONFIG", "GIT_GLOB_PATHSPECS",
	"GIT_NOGLOB_PATHSPECS", "GIT_ICASE_PATHSPECS", "GIT_LITERAL_PATHSPECS", "GIT_OPTIONAL_LOCKS",
	"GIT_TERMINAL_PROMPT", "LC_ALL", "LANGUAGE", "PWD",
}

func environment(env []string) []string {
	kept := slices.DeleteFunc(slices.Clone(env), func(pair string) bool {
		name, _, _ := strings.Cut(pair, "=")
		return slices.Contains(dropped, strings.ToUpper(name))
	})
	return append(kept,
		"LC_ALL=C", "GIT_OPTIONAL_LOCKS=0", "GIT_TERMINAL_PROMPT=0", "GIT_LITERAL_PATHSPECS=1")
}

// message returns what git complains about, on one line: its "fatal" and "error" lines, or all.
func message(stderr string) string {
	lines := strings.Split(strings.TrimSpace(stderr), "\n")
	complaints := slices.DeleteFunc(slices.Clone(lines), func(l string) bool {
		return !strings.HasPrefix(l, "fatal: ") && !strings.HasPrefix(l, "error: ")
	})
	if len(complaints) > 0 {
		lines = complaints
	}
	return text.Clip(strings.Join(lines, "; "), 1000)
}
