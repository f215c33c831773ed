// SPDX-License-Identifier: MPL-2.0

package gitrepo

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
)

// Contents returns the object ids, as in [Object.ID], of those paths that are on disk as they are
// in the current commit. root is that of the work tree, as in [Checkout]; paths are relative to it,
// with slashes. It leaves out a path that the commit does not have, or under which a file is dirty
// or overlooked. isLeft is that of [Inspect]. The paths may be anything: those that are not clean,
// that lead out of the work tree or through a symlink are left out too.
func Contents(
	ctx context.Context, root string, isLeft func(root, name string) bool, paths []string,
) (map[string]string, error) {
	paths = slices.DeleteFunc(slices.Clone(paths), func(p string) bool { return !isOnDisk(root, p) })
	if len(paths) == 0 {
		return nil, nil
	}
	tree, err := changes(ctx, root, paths)
	if err != nil || tree.unborn {
		return nil, err
	}
	tree.files = slices.DeleteFunc(tree.files, func(f file) bool {
		return f.untracked && isLeft != nil && isLeft(root, f.path)
	})
	objects := map[string]Object{}
	git := command{dir: root}
	if err := git.listTree(ctx, tree.head, paths, objects); err != nil {
		return nil, explain(err, root, root)
	}
	if slices.Contains(paths, ".") {
		if objects["."], err = git.rootOf(ctx, tree.head); err != nil {
			return nil, explain(err, root, root)
		}
	}
	contents := map[string]string{}
	for _, p := range paths {
		if object := objects[p]; object.SHA != "" && len(tree.under(p)) == 0 {
			object.Content = object.SHA
			contents[p] = object.ID()
		}
	}
	if err := ctx.Err(); err != nil { // in which case a submodule may have been taken for dirty
		return nil, err
	}
	return contents, nil
}

// isOnDisk reports whether a path is one that git can be asked about: clean, on disk, in this work
// tree and not in one below it, and not behind a symlink.
func isOnDisk(root, name string) bool {
	if name != "." && !isPath(name) || !filepath.IsLocal(filepath.FromSlash(name)) {
		return false
	}
	real, err := filepath.EvalSymlinks(filepath.Join(root, filepath.FromSlash(name)))
	if err != nil {
		return false
	}
	place := []target{{name: name, real: real}}
	return locate(root, place) == nil && place[0].rel == name
}

// changes returns the files under the paths that differ or may differ from the current commit.
func changes(ctx context.Context, root string, paths []string) (workTree, error) {
	git := command{dir: root}
	var status, index result
	var wg sync.WaitGroup
	wg.Go(func() { status = git.run(ctx, slices.Concat(showStatus, paths)...) })
	wg.Go(func() { index = git.run(ctx, slices.Concat(listIndex, paths)...) })
	wg.Wait()
	for _, got := range []result{status, index} {
		if got.err != nil {
			return workTree{}, explain(got.err, root, root)
		}
	}
	tree, err := parseStatus(status.out)
	if err != nil {
		return workTree{}, fmt.Errorf("inspect %q: git status: %w", root, err)
	}
	overlooked, submodules, err := parseIndex(index.out)
	if err != nil {
		return workTree{}, fmt.Errorf("inspect %q: git ls-files: %w", root, err)
	}
	for name, flag := range overlooked {
		tree.files = append(tree.files, file{path: name, overlooked: flag})
	}
	for _, name := range submodules {
		if !isWhole(ctx, root, name) {
			tree.files = append(tree.files, file{path: name})
		}
	}
	return tree, nil
}

// isWhole reports whether a submodule is checked out, and no file in it overlooked.
func isWhole(ctx context.Context, root, name string) bool {
	dir := filepath.Join(root, filepath.FromSlash(name))
	if !hasGit(dir) {
		return false
	}
	reader := indexReader{
		ctx: ctx, base: target{name: dir}, root: root, overlooked: map[string]file{},
	}
	err := reader.read(name, command{dir: dir}.run(ctx, listIndex...))
	return err == nil && len(reader.overlooked) == 0
}

// rootOf returns the tree of a commit, which ls-tree does not list.
func (c command) rootOf(ctx context.Context, commit string) (Object, error) {
	got := c.run(ctx, "rev-parse", "--verify", commit+"^{tree}")
	id := strings.TrimSuffix(got.out, "\n")
	if got.err == nil && !manifest.IsGitSHA(id) {
		return Object{}, fmt.Errorf("git rev-parse: %w", unexpected(got.out))
	}
	return Object{Path: ".", SHA: id}, got.err
}
