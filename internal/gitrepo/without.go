// SPDX-License-Identifier: MPL-2.0

package gitrepo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// WithoutRepository names the content of paths as git would name it after a commit of all files
// that it does not ignore. It needs the git command and no repository: a folder .git at a path does
// not count. The .gitignore and .gitattributes at a path and below it count, and those of the user.
// The paths of the objects are relative to the first path, or to its folder if it is a file.
// Relative paths, isLeft and errors are those of [Inspect]. The result has no root and no commit,
// and nothing in it is dirty.
func WithoutRepository(
	ctx context.Context, isLeft func(root, name string) bool, paths ...string,
) (Checkout, error) {
	targets, err := resolve(paths)
	if err != nil {
		return Checkout{}, err
	}
	var c Checkout
	for _, t := range targets {
		object, err := t.object(ctx, isLeft)
		if err != nil {
			return Checkout{}, explain(err, t.name, t.cwd())
		}
		rel, err := filepath.Rel(targets[0].cwd(), t.real)
		if err != nil {
			rel = t.real // on another drive
		}
		object.Path = filepath.ToSlash(rel)
		c.Objects = append(c.Objects, object)
	}
	return c, nil
}

// object returns the content of a target, which is its own work tree here.
func (t target) object(
	ctx context.Context, isLeft func(root, name string) bool,
) (object Object, err error) {
	object.Path = "."
	if !t.dir {
		object.Path = filepath.Base(t.real)
	}
	err = inTemporary(ctx, t.cwd(), func(git command) error {
		got := git.run(ctx, append(slices.Clone(showStatus), t.real)...)
		if got.err != nil {
			return got.err
		}
		tree, err := parseStatus(got.out)
		if err != nil {
			return fmt.Errorf("git status: %w", err)
		}
		files := slices.DeleteFunc(tree.files, func(f file) bool {
			return isLeft != nil && isLeft(git.dir, f.path)
		})
		if len(files) == 0 {
			return onlyIgnored.at(t.name)
		}
		found, err := inspectDisk(git.dir, files)
		if err != nil {
			return err
		}
		if err := git.nameContent(ctx, "", found, []*Object{&object}); err != nil {
			return err
		}
		object.SHA = object.Content
		return hashForeign(ctx, git.dir, found.foreign, []*Object{&object})
	})
	return object, err
}

// inTemporary calls do with a git that takes a folder for the work tree of a new repository, which
// is elsewhere and removed afterwards.
func inTemporary(ctx context.Context, folder string, do func(command) error) (err error) {
	dir, err := os.MkdirTemp("", "packer-chain-git-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	git := command{dir: folder, env: []string{
		"GIT_DIR=" + dir, "GIT_WORK_TREE=" + folder, "GIT_DEFAULT_HASH=sha1",
	}}
	// The templates of the user may hold anything.
	if got := git.run(ctx, "init", "--quiet", "--template="); got.err != nil {
		return got.err
	}
	return do(git)
}

// Ignored returns those of the files in a folder that git ignores, as far as that is known:
// repository is whether the folder is in one, or is to be seen as [WithoutRepository] sees it.
func Ignored(ctx context.Context, folder string, repository bool, names ...string) []string {
	if len(names) == 0 {
		return nil
	}
	var out string
	check := func(git command) error {
		args := []string{"ls-files", "-z", "--others", "--ignored", "--exclude-standard", "--"}
		out = git.run(ctx, append(args, names...)...).out
		return nil
	}
	targets, err := resolve([]string{folder})
	switch {
	case err != nil:
		return nil
	case repository:
		err = check(command{dir: targets[0].real})
	default:
		err = inTemporary(ctx, targets[0].real, check)
	}
	if err != nil {
		return nil
	}
	ignored := strings.Split(out, "\x00")
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool {
		return !slices.Contains(ignored, name)
	})
}
