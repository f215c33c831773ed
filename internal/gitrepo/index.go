// SPDX-License-Identifier: MPL-2.0

package gitrepo

import (
	"context"
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
)

// listIndex asks for what "git status" does not tell: the files that git was told to overlook, and the
// submodules, which are clean also where they are not checked out.
var listIndex = []string{"ls-files", "-v", "-s", "-z", "--full-name", "--"}

// parseIndex reads the answer to listIndex: records "<tag> <mode> <object id> <stage>", a tab and the
// path. It answers the files to overlook, with the flag by which git was told so, and the submodules
// among the others. It is no pattern: that takes ten times as long.
func parseIndex(out string) (overlooked map[string]string, submodules []string, err error) {
	overlooked = map[string]string{}
	for rest := out; rest != ""; {
		record, next, ended := strings.Cut(rest, "\x00")
		meta, name, named := strings.Cut(record, "\t")
		tag, meta, _ := strings.Cut(meta, " ")
		mode, meta, _ := strings.Cut(meta, " ")
		id, stage, _ := strings.Cut(meta, " ")
		if !ended || !named || len(mode) != 6 || !manifest.IsGitSHA(id) || len(stage) != 1 || !isPath(name) {
			return nil, nil, unexpected(rest)
		}
		switch tag {
		case "H", "M":
			if mode == submoduleMode {
				submodules = append(submodules, name)
			}
		case "S", "s":
			overlooked[name] = "skip-worktree"
		case "h", "m":
			overlooked[name] = "assume-unchanged"
		default:
			return nil, nil, unexpected(rest)
		}
		rest = next
	}
	return overlooked, submodules, nil
}

// submoduleMode is the mode of a submodule's commit.
const submoduleMode = "160000"

// indexReader reads the index of a work tree, and those of its submodules.
type indexReader struct {
	ctx  context.Context
	base target
	root string
	// overlooked are the files of all of them that git was told to overlook, relative to the root.
	overlooked map[string]string
}

// read reads what git said in a folder: "." for the root, or a submodule.
func (r indexReader) read(folder string, got answer) error {
	dir := filepath.Join(r.root, filepath.FromSlash(folder))
	if got.err != nil {
		return explain(got.err, r.base.name, dir)
	}
	overlooked, submodules, err := parseIndex(got.out)
	if err != nil {
		return fmt.Errorf("inspect %q: git ls-files: %w", r.base.name, err)
	}
	for name, flag := range overlooked {
		r.overlooked[path.Join(folder, name)] = flag
	}
	for _, name := range submodules {
		at := filepath.Join(dir, filepath.FromSlash(name))
		if !hasGit(at) {
			return noSubmodule(at, dir)
		}
		if err := r.read(path.Join(folder, name), command{dir: at}.run(r.ctx, listIndex...)); err != nil {
			return err
		}
	}
	return nil
}

// overlook adds the files that git was told to overlook: nobody knows whether they differ from HEAD.
func (w *workTree) overlook(flags map[string]string) {
	for i := range w.files {
		f := &w.files[i]
		f.overlooked = flags[f.path]
		delete(flags, f.path)
	}
	for name, flag := range flags {
		w.files = append(w.files, file{path: name, overlooked: flag})
	}
	slices.SortFunc(w.files, func(a, b file) int { return strings.Compare(a.path, b.path) })
}
