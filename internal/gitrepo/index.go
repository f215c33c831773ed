// SPDX-License-Identifier: MPL-2.0

package gitrepo

import (
	"context"
	"fmt"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
)

// listIndex lists what "git status" does not show: the files that git was told to overlook, and the
// submodules, which are clean even if they are not checked out.
var listIndex = []string{"ls-files", "-v", "-s", "-z", "--full-name", "--"}

// parseIndex reads what git prints for listIndex: records "<tag> <mode> <object id> <stage>", a tab
// and the path. It returns the files to overlook, with the flag that tells git so, and the
// submodules among the others. It uses no regular expression, which takes ten times as long.
func parseIndex(out string) (overlooked map[string]string, submodules []string, err error) {
	overlooked = map[string]string{}
	for rest := out; rest != ""; {
		record, next, ended := strings.Cut(rest, "\x00")
		meta, name, named := strings.Cut(record, "\t")
		tag, meta, _ := strings.Cut(meta, " ")
		mode, meta, _ := strings.Cut(meta, " ")
		id, stage, _ := strings.Cut(meta, " ")
		if !ended || !named || len(mode) != 6 || !manifest.IsGitSHA(id) || len(stage) != 1 ||
			!isPath(name) {
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

// indexEntries turns the output of listIndex into the input of "update-index --index-info": the
// same without the tags, and without some paths.
func indexEntries(out string, without map[string]bool) string {
	var entries strings.Builder
	for record := range strings.SplitSeq(out, "\x00") {
		_, entry, _ := strings.Cut(record, " ")
		if _, name, _ := strings.Cut(entry, "\t"); entry != "" && !without[name] {
			entries.WriteString(entry + "\x00")
		}
	}
	return entries.String()
}

// submoduleMode is the mode of a submodule's commit.
const submoduleMode = "160000"

// indexReader reads the index of a work tree, and those of its submodules.
type indexReader struct {
	ctx  context.Context
	base target
	root string
	// overlooked are the files in all of them that git was told to overlook, by their paths relative
	// to the root.
	overlooked map[string]file
}

// read reads the output of listIndex in a folder: "." for the root, or a submodule.
func (r indexReader) read(folder string, got result) error {
	dir := filepath.Join(r.root, filepath.FromSlash(folder))
	if got.err != nil {
		return explain(got.err, r.base.name, dir)
	}
	overlooked, submodules, err := parseIndex(got.out)
	if err != nil {
		return fmt.Errorf("inspect %q: git ls-files: %w", r.base.name, err)
	}
	for name, flag := range overlooked {
		name = path.Join(folder, name)
		r.overlooked[name] = file{path: name, overlooked: flag, inSubmodule: folder != "."}
	}
	for _, name := range submodules {
		at := filepath.Join(dir, filepath.FromSlash(name))
		if !hasGit(at) {
			return noSubmodule(at, dir)
		}
		got := command{dir: at}.run(r.ctx, listIndex...)
		if err := r.read(path.Join(folder, name), got); err != nil {
			return err
		}
	}
	return nil
}

// overlook adds the files that git was told to overlook, because they may differ from HEAD.
func (w *workTree) overlook(files map[string]file) {
	for i := range w.files {
		f := &w.files[i]
		f.overlooked = files[f.path].overlooked
		delete(files, f.path)
	}
	w.files = slices.AppendSeq(w.files, maps.Values(files))
	slices.SortFunc(w.files, func(a, b file) int { return strings.Compare(a.path, b.path) })
}
