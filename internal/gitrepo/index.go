// SPDX-License-Identifier: MPL-2.0

package gitrepo

import (
	"fmt"
	"slices"
	"strings"

	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
)

// listIndex asks for what "git status" does not tell: the files that git was told to overlook.
var listIndex = []string{"ls-files", "-v", "-s", "-z", "--full-name", "--"}

// parseIndex reads the answer to listIndex: records "<tag> <mode> <object id> <stage>", a tab and the
// path. It answers the files to overlook, with the flag by which git was told so. It is no pattern:
// that takes ten times as long.
func parseIndex(out string) (map[string]string, error) {
	overlooked := map[string]string{}
	for rest := out; rest != ""; {
		record, next, ended := strings.Cut(rest, "\x00")
		meta, name, named := strings.Cut(record, "\t")
		tag, meta, _ := strings.Cut(meta, " ")
		mode, meta, _ := strings.Cut(meta, " ")
		id, stage, _ := strings.Cut(meta, " ")
		if !ended || !named || len(mode) != 6 || !manifest.IsGitSHA(id) || len(stage) != 1 || !isPath(name) {
			return nil, unexpected(rest)
		}
		switch tag {
		case "H", "M":
		case "S", "s":
			overlooked[name] = "skip-worktree"
		case "h", "m":
			overlooked[name] = "assume-unchanged"
		default:
			return nil, unexpected(rest)
		}
		rest = next
	}
	return overlooked, nil
}

// readIndex adds the files that the index hides from "git status".
func (w *workTree) readIndex(base target, got answer) error {
	if got.err != nil {
		return explain(got.err, base.name, base.cwd())
	}
	overlooked, err := parseIndex(got.out)
	if err != nil {
		return fmt.Errorf("inspect %q: git ls-files: %w", base.name, err)
	}
	w.overlook(overlooked)
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
