// SPDX-License-Identifier: MPL-2.0

// Package workspace makes git repositories to build images from. They are independent of the git
// configuration of the machine, and their commits are one minute apart.
package workspace

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// Repo is a git repository with the branch main.
type Repo struct {
	// Dir is the root of the work tree.
	Dir string
	// Now is the time of the next commit. Set it back for a commit that is older than the last.
	Now time.Time
}

// New makes an empty repository in dir, which is created if it does not exist.
func New(ctx context.Context, dir string) (*Repo, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	r := &Repo{Dir: dir, Now: time.Date(2026, 1, 2, 3, 4, 0, 0, time.UTC)}
	_, err := r.Git(ctx, "init", "--quiet", "--initial-branch=main")
	return r, err
}

// Git runs git in the work tree and returns what it prints, without space around it.
func (r *Repo) Git(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir = r.Dir
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + r.Dir}, r.Environ()...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("git %s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out)), nil
}

// Environ makes git independent of the machine: it gives the author and time of the next commit.
func (r *Repo) Environ() []string {
	date := r.Now.Format(time.RFC3339)
	return []string{
		"GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=" + os.DevNull,
		"GIT_AUTHOR_NAME=Acme", "GIT_AUTHOR_EMAIL=images@example.com", "GIT_AUTHOR_DATE=" + date,
		"GIT_COMMITTER_NAME=Acme", "GIT_COMMITTER_EMAIL=images@example.com",
		"GIT_COMMITTER_DATE=" + date,
	}
}

// Write writes a file of the work tree, with its folders. Name is relative to [Repo.Dir].
func (r *Repo) Write(name, content string) error {
	path := filepath.Join(r.Dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, []byte(content), 0o644)
}

// CopyFrom copies a folder into the work tree. It fails if a file exists already.
func (r *Repo) CopyFrom(dir string) error {
	return os.CopyFS(r.Dir, os.DirFS(dir))
}

// Commit commits the whole work tree and returns the id of the commit. The next is a minute later.
func (r *Repo) Commit(ctx context.Context, message string) (string, error) {
	if _, err := r.Git(ctx, "add", "--all"); err != nil {
		return "", err
	}
	if _, err := r.Git(ctx, "commit", "--quiet", "--message", message); err != nil {
		return "", err
	}
	r.Now = r.Now.Add(time.Minute)
	return r.Git(ctx, "rev-parse", "HEAD")
}
