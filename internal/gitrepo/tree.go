// SPDX-License-Identifier: MPL-2.0

package gitrepo

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
)

// disk sorts the dirty files by what they are on disk.
type disk struct {
	// present are the files and submodules that git can name as they are on disk.
	present []string
	// absent are not part of a tree: deleted, or something else that git does not track.
	absent map[string]bool
	// foreign have content that is in no tree of this repository: submodules, nested repositories,
	// and devices.
	foreign []file
}

// inspectDisk finds out what dirty files are on disk.
func inspectDisk(root string, files []file) (disk, error) {
	d := disk{absent: map[string]bool{}}
	for _, f := range files {
		if f.inSubmodule {
			d.foreign = append(d.foreign, f)
			continue
		}
		mode, err := fileMode(root, f)
		switch {
		case errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR):
			d.absent[f.path] = true
		case err != nil:
			return disk{}, fmt.Errorf("read uncommitted file %q: %w", filepath.Join(root, f.path), err)
		case mode.IsRegular() || mode&fs.ModeSymlink != 0:
			d.present = append(d.present, f.path)
		case mode.IsDir() && !hasGit(filepath.Join(root, f.path)):
			// It took the place of a file. The files in it are listed themselves.
			d.absent[f.path] = true
		default:
			d.foreign = append(d.foreign, f)
			if mode.IsDir() && !f.untracked {
				d.present = append(d.present, f.path) // the commit of a submodule is in the tree
			} else {
				d.absent[f.path] = true
			}
		}
	}
	return d, nil
}

// fileMode returns the mode of a file as git sees it: nothing exists behind a symlink.
func fileMode(root string, f file) (fs.FileMode, error) {
	if f.gone {
		return 0, fs.ErrNotExist
	}
	if f.overlooked != "" { // Git has looked at all others itself.
		for dir := path.Dir(f.path); dir != "."; dir = path.Dir(dir) {
			info, err := os.Lstat(filepath.Join(root, dir))
			if err != nil {
				return 0, err
			}
			if info.Mode()&fs.ModeSymlink != 0 {
				return 0, fs.ErrNotExist
			}
		}
	}
	info, err := os.Lstat(filepath.Join(root, f.path))
	if err != nil {
		return 0, err
	}
	return info.Mode(), nil
}

// nameContent finds the object ids of objects as they are on disk. index is the output of
// listIndex.
func (c command) nameContent(
	ctx context.Context, index string, found disk, objects []*Object,
) (err error) {
	dir, err := os.MkdirTemp("", "packer-chain-git-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	git := command{
		dir: c.dir, env: append(slices.Clone(c.env), "GIT_INDEX_FILE="+filepath.Join(dir, "index")),
	}
	if err := git.fillIndex(ctx, index, found); err != nil {
		return err
	}
	tree, err := git.writeTree(ctx, dir)
	if err != nil {
		return err
	}
	paths := make([]string, len(objects))
	for i, o := range objects {
		paths[i] = o.Path
	}
	content := map[string]Object{".": {SHA: tree}}
	if err := git.listTree(ctx, tree, paths, content); err != nil {
		return err
	}
	for _, o := range objects {
		o.Content, o.Executable = content[o.Path].SHA, content[o.Path].Executable
		if o.Content == "" { // a folder without files
			o.Content = emptyTrees[len(tree)]
		}
	}
	return nil
}

// fillIndex makes an index of the files as a commit would have them: the repository's index,
// without flags and other paths, plus the dirty files. So .gitignore, a sparse checkout or a
// conflict elsewhere do not matter, and what builds leave behind stays out.
func (c command) fillIndex(ctx context.Context, index string, found disk) error {
	c.in = indexEntries(index, found.absent)
	if got := c.run(ctx, "update-index", "-z", "--index-info"); got.err != nil {
		return got.err
	}
	// With --info-only, content is hashed but not stored: it may be a whole disk image.
	c.in = strings.Join(found.present, "\x00")
	return c.run(ctx, "update-index", "--info-only", "--add", "--remove", "-z", "--stdin").err
}

// writeTree makes a tree of the index. From here on, new objects are written to dir. Git looks in
// the repository for those that exist; if it cannot, that only takes longer.
func (c *command) writeTree(ctx context.Context, dir string) (string, error) {
	got := c.run(ctx, "rev-parse", "--git-path", "objects")
	if got.err != nil {
		return "", got.err
	}
	have := strings.TrimSuffix(got.out, "\n")
	if !filepath.IsAbs(have) {
		have = filepath.Join(c.dir, have)
	}
	c.env = append(c.env, "GIT_OBJECT_DIRECTORY="+dir, "GIT_ALTERNATE_OBJECT_DIRECTORIES="+have)
	got = c.run(ctx, "write-tree", "--missing-ok")
	if got.err != nil {
		return "", got.err
	}
	tree := strings.TrimSuffix(got.out, "\n")
	if !manifest.IsGitSHA(tree) {
		return "", fmt.Errorf("git write-tree: %w", unexpected(got.out))
	}
	return tree, nil
}
