// SPDX-License-Identifier: MPL-2.0

package gitrepo

import (
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
)

// workTree is what "git status" prints.
type workTree struct {
	unborn bool   // no commit yet
	head   string // object id of HEAD
	branch string // empty if HEAD is detached
	files  []file // sorted by path, each path once
}

// file is a path, relative to the root, that differs or may differ from HEAD.
type file struct {
	path string
	gone bool // not on disk
	// untracked is true for a file that git was never told of.
	untracked bool
	// inSubmodule is true for a file that a submodule was told to overlook.
	inSubmodule bool
	// overlooked is the flag that tells git to overlook the file, usually empty.
	overlooked string
}

// under returns the files at a path or below it.
func (w workTree) under(root string) []file {
	var found []file
	for _, f := range w.files {
		if isUnder(f.path, root) {
			found = append(found, f)
		}
	}
	return found
}

func isUnder(name, root string) bool {
	return root == "." || name == root || strings.HasPrefix(name, root+"/")
}

// Records of "git status --porcelain=v2 -z", see https://git-scm.com/docs/git-status. Every field
// before the path is free of spaces; the path comes last, unquoted. The object ids are not used.
const (
	states = ` [.MTADRCU]{2} (?:N\.\.\.|S[.C][.M][.U])`
	two    = states + `(?: [0-7]{6}){2} ([0-7]{6})(?: [0-9a-f]+){2}`
	three  = states + `(?: [0-7]{6}){3} ([0-7]{6})(?: [0-9a-f]+){3}`
)

var (
	changed = regexp.MustCompile(`(?s)^(?:1` + two + `|u` + three + `) (.+)$`)
	renamed = regexp.MustCompile(`(?s)^2` + two + ` ([RC])[0-9]{1,3} (.+)$`)
)

// absent is the mode of a file that is not on disk.
const absent = "000000"

// parseStatus reads "git status --porcelain=v2 -z --branch".
func parseStatus(out string) (workTree, error) {
	var w workTree
	gone, tracked := map[string]bool{}, map[string]bool{}
	for rest := out; rest != ""; {
		next, ok := w.record(rest, gone, tracked)
		if !ok {
			return workTree{}, unexpected(rest)
		}
		rest = next
	}
	if w.head == "" && !w.unborn {
		return workTree{}, unexpected(out)
	}
	for name, missing := range gone {
		w.files = append(w.files, file{path: name, gone: missing, untracked: !tracked[name]})
	}
	slices.SortFunc(w.files, func(a, b file) int { return strings.Compare(a.path, b.path) })
	return w, nil
}

// record reads one record and returns what follows it.
func (w *workTree) record(out string, gone, tracked map[string]bool) (next string, ok bool) {
	// A file that is staged as deleted but exists again has two records: it is on disk.
	add := func(name string, missing bool) bool {
		before, seen := gone[name]
		gone[name] = missing && (!seen || before)
		return isPath(name)
	}
	known := func(name string, missing bool) bool {
		tracked[name] = true
		return add(name, missing)
	}
	record, next, ended := strings.Cut(out, "\x00")
	if !ended {
		return "", false
	}
	if strings.HasPrefix(record, "# ") {
		return next, w.header(record)
	}
	if m := changed.FindStringSubmatch(record); m != nil {
		return next, known(m[3], m[1]+m[2] == absent)
	}
	if m := renamed.FindStringSubmatch(record); m != nil {
		from, next, ended := strings.Cut(next, "\x00")
		return next, ended && known(m[3], m[1] == absent) && (m[2] == "C" || known(from, true))
	}
	name, isNew := strings.CutPrefix(record, "? ")
	// A nested repository is one untracked folder, with a slash at its end.
	name = strings.TrimSuffix(name, "/")
	return next, isNew && add(name, false)
}

// header reads a "# name value" record. It ignores those that it does not know.
func (w *workTree) header(record string) bool {
	switch name, value, _ := strings.Cut(strings.TrimPrefix(record, "# "), " "); name {
	case "branch.oid":
		w.unborn = value == "(initial)"
		if !w.unborn {
			w.head = value
		}
		return w.unborn || manifest.IsGitSHA(value)
	case "branch.head":
		if value != "(detached)" {
			w.branch = value
		}
		return value != ""
	}
	return true
}

// isPath reports whether a name is a clean path that stays below the root.
func isPath(name string) bool {
	return name != "" && name != "." && name != ".." && name == path.Clean(name) &&
		!strings.HasPrefix(name, "/") && !strings.HasPrefix(name, "../")
}
