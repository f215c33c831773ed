// SPDX-License-Identifier: MPL-2.0

// Package gitrepo reads from git what an image is built from: the object ids of its paths, the
// commit, the branch, and the files that are not committed. It runs the git command, parses its
// output strictly, and never changes the repository. What to do about dirty files is the caller's
// decision.
package gitrepo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
)

// Checkout is what git knows about the paths of one image, all of them at one commit.
type Checkout struct {
	// Root is the absolute path of the work tree, free of symlinks. It is empty if there is none: see
	// [WithoutRepository].
	Root string
	// Commit is the full object id of HEAD.
	Commit string
	// CommitTime is the committer's time of Commit, in UTC.
	CommitTime time.Time
	// Branch is empty if HEAD is detached, as it is in most CI systems.
	Branch string
	// Objects has one entry for each path that [Inspect] was called with, in that order.
	Objects []Object
	// Untracked are the dirty files that git was never told of, sorted.
	Untracked []string
	// Overlooked maps the dirty files that git was told to overlook to the flag that tells it so:
	// assume-unchanged, or skip-worktree, which a sparse checkout sets too. Git does not report
	// whether they differ from HEAD.
	Overlooked map[string]string
}

// Object is one path as it is committed, and as it is on disk.
type Object struct {
	// Path is relative to the root, with slashes; "." is the root itself.
	Path string
	// SHA is the object id of HEAD:Path: of a tree, of a blob, or of a submodule's commit.
	SHA string
	// Content is the object id of what is on disk: SHA if nothing differs, else the id that a commit
	// of Dirty would give it. Ignored files do not count.
	Content string
	// Executable is true for a file that is executable on disk, which is not part of its object id.
	Executable bool
	// Dirty are the files under Path that differ from HEAD, relative to the root and sorted:
	// modified, staged, deleted, new and not ignored, or overlooked. A submodule or a nested
	// repository counts as one file.
	Dirty []string
	// DirtyHash is a hex SHA-256 over the content that Content does not name: dirty submodules and
	// nested repositories, of which everything but .git counts. It is usually empty.
	DirtyHash string
}

// ID returns the object id of what is on disk, with the mode of a file that is executable.
func (o Object) ID() string {
	if o.Executable {
		return o.Content + " 100755"
	}
	return o.Content
}

// maxTime is the latest time of a commit that fits RFC 3339: 9999-12-31T23:59:59Z.
const maxTime = 253402300799

// emptyTrees are the ids of a tree without files, of SHA-1 and of SHA-256, by their length.
var emptyTrees = map[int]string{
	40: "4b825dc642cb6eb9a060e54bf8d69288fbee4904",
	64: "6ef19b41225c5369f1c104d45d8d85efa9b057b53b14b4b9b939dd74decc5321",
}

// Inspect reads from git what it knows about paths: first the image's folder, then whatever else
// goes into the image. Relative paths are relative to the working directory of the process;
// symlinks are followed. All must be committed in one work tree. It returns an [*Error] for what
// the user can repair.
//
// Untracked files that a build left behind are not dirty. isLeft, if set, reports whether a file is
// one, by the root of the work tree and the file's path in it, with slashes. See [LeftBehind].
func Inspect(
	ctx context.Context, isLeft func(root, name string) bool, paths ...string,
) (Checkout, error) {
	targets, err := resolve(paths)
	if err != nil {
		return Checkout{}, err
	}
	base := targets[0]
	got := query(ctx, targets)
	place, err := parsePlace(got.place.out)
	if err := locationError(base, place, err, got.place.err); err != nil {
		return Checkout{}, err
	}
	root, err := filepath.EvalSymlinks(filepath.FromSlash(place.root))
	if err != nil {
		return Checkout{}, fmt.Errorf("inspect %q: %w", base.name, err)
	}
	if err := locate(root, targets); err != nil {
		return Checkout{}, err
	}
	c := Checkout{Root: root, Commit: place.head}
	tree, err := c.readHead(base, place, got)
	if err != nil {
		return Checkout{}, err
	}
	index := indexReader{ctx: ctx, base: base, root: root, overlooked: map[string]file{}}
	if err := index.read(".", got.index); err != nil {
		return Checkout{}, err
	}
	tree.overlook(index.overlooked)
	if err := c.readObjects(ctx, targets, place, tree); err != nil {
		return Checkout{}, err
	}
	dirty := slices.DeleteFunc(tree.files, func(f file) bool {
		return f.untracked && isLeft != nil && isLeft(root, f.path)
	})
	for _, f := range dirty {
		if f.untracked {
			c.Untracked = append(c.Untracked, f.path)
		}
	}
	if err := c.readDirty(ctx, base, got.index.out, dirty); err != nil {
		return Checkout{}, err
	}
	return c, nil
}

// target is a path to inspect.
type target struct {
	name string // absolute, as the user wrote it
	real string // free of symlinks
	rel  string // relative to the root, with slashes
	dir  bool
}

// cwd returns the folder to run git in: the target, or for a file the folder that holds it.
func (t target) cwd() string {
	if t.dir {
		return t.real
	}
	return filepath.Dir(t.real)
}

func resolve(paths []string) ([]target, error) {
	if len(paths) == 0 {
		return nil, errors.New("inspect git repository: no path given")
	}
	targets := make([]target, len(paths))
	for i, p := range paths {
		if p == "" {
			return nil, noPath.at(p)
		}
		name, err := filepath.Abs(p)
		if err != nil {
			return nil, fmt.Errorf("inspect %q: %w", p, err)
		}
		real, err := filepath.EvalSymlinks(name)
		if errors.Is(err, os.ErrNotExist) {
			return nil, noPath.at(name)
		}
		if err != nil {
			return nil, fmt.Errorf("inspect %q: %w", name, err)
		}
		info, err := os.Stat(real)
		if err != nil {
			return nil, fmt.Errorf("inspect %q: %w", name, err)
		}
		targets[i] = target{name: name, real: real, dir: info.IsDir()}
	}
	return targets, nil
}

// showStatus shows what differs from HEAD under the paths that follow.
var showStatus = []string{
	"status", "--porcelain=v2", "-z", "--branch", "--untracked-files=all", "--no-renames",
	"--ignore-submodules=none",
	"--no-ahead-behind", // else git walks the history to count
	"--",
}

// results are those of four git commands that need not wait for each other.
type results struct {
	place, status, index, date result
}

func query(ctx context.Context, targets []target) results {
	g := command{dir: targets[0].cwd()}
	status, index := slices.Clone(showStatus), slices.Clone(listIndex)
	for _, t := range targets {
		status, index = append(status, t.real), append(index, t.real)
	}
	var got results
	var wg sync.WaitGroup
	wg.Go(func() {
		got.place = g.run(ctx, "rev-parse", "--is-inside-work-tree", "--is-bare-repository",
			"--show-toplevel", "HEAD", "HEAD^{tree}", "HEAD:./")
	})
	wg.Go(func() { got.status = g.run(ctx, status...) })
	wg.Go(func() { got.index = g.run(ctx, index...) })
	wg.Go(func() { got.date = g.run(ctx, "rev-list", "--timestamp", "--max-count=1", "HEAD", "--") })
	wg.Wait()
	return got
}

// locationError returns why git knows no work tree here, or nil. Only then is it worth reading what
// git printed about HEAD.
func locationError(base target, p place, parseErr, runErr error) error {
	switch {
	case runErr != nil && p.root == "" && !p.outside:
		return explain(runErr, base.name, base.cwd())
	case parseErr != nil:
		return fmt.Errorf("inspect %q: git rev-parse: %w", base.name, parseErr)
	case p.outside && p.bare:
		return bare.at(base.name)
	case p.outside:
		return insideGit.at(base.name)
	}
	return nil
}

// locate finds the place of every target in the work tree.
func locate(root string, targets []target) error {
	for i := range targets {
		t := &targets[i]
		rel, err := filepath.Rel(root, t.real)
		if err != nil || !filepath.IsLocal(rel) {
			return outside(t.name, root)
		}
		t.rel = filepath.ToSlash(rel)
		dir := root
		parts := strings.Split(rel, string(filepath.Separator))
		for _, part := range parts[:len(parts)-1] {
			dir = filepath.Join(dir, part)
			if part == ".git" {
				return insideGit.at(t.name)
			}
			if hasGit(dir) {
				return nested(t.name, dir)
			}
		}
		if parts[len(parts)-1] == ".git" {
			return insideGit.at(t.name)
		}
	}
	return nil
}

// hasGit reports whether a folder is the root of a repository, a linked work tree or a submodule.
func hasGit(dir string) bool {
	_, err := os.Lstat(filepath.Join(dir, ".git"))
	return err == nil
}

// readHead reads commit, time and branch, and makes sure that all results are about one commit.
func (c *Checkout) readHead(base target, p place, got results) (workTree, error) {
	if got.status.err != nil {
		return workTree{}, explain(got.status.err, base.name, base.cwd())
	}
	tree, err := parseStatus(got.status.out)
	if err != nil {
		return workTree{}, fmt.Errorf("inspect %q: git status: %w", base.name, err)
	}
	if tree.unborn {
		return workTree{}, noCommit.at(base.name)
	}
	// A folder that is not in HEAD fails too; readObjects finds a better text for that.
	if missing := p.tree != "" && p.folder == ""; got.place.err != nil && !missing {
		return workTree{}, explain(got.place.err, base.name, base.cwd())
	}
	if got.date.err != nil {
		return workTree{}, explain(got.date.err, base.name, base.cwd())
	}
	when, commit, err := parseDate(got.date.out)
	if err != nil {
		return workTree{}, fmt.Errorf("inspect %q: git rev-list: %w", base.name, err)
	}
	if c.Commit != commit || c.Commit != tree.head {
		return workTree{}, moved.at(base.name)
	}
	c.CommitTime, c.Branch = when, tree.branch
	return tree, nil
}

func parseDate(out string) (time.Time, string, error) {
	seconds, commit, _ := strings.Cut(strings.TrimSuffix(out, "\n"), " ")
	unix, err := strconv.ParseInt(seconds, 10, 64)
	if err != nil || unix < 0 || unix > maxTime || !manifest.IsGitSHA(commit) {
		return time.Time{}, "", unexpected(out)
	}
	return time.Unix(unix, 0).UTC(), commit, nil
}
