// SPDX-License-Identifier: MPL-2.0

package gitrepo

import (
	"context"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
)

// place is the location of a folder as git sees it. Ids are empty if git knows none.
type place struct {
	outside bool // in a bare repository or inside .git
	bare    bool
	root    string
	head    string // commit
	tree    string // of the root
	folder  string // tree of the folder that git ran in
}

// parsePlace reads what "rev-parse --is-inside-work-tree --is-bare-repository --show-toplevel HEAD
// HEAD^{tree} HEAD:./" prints. If git cannot resolve a name, it prints the name itself and stops;
// the lines before it are valid.
func parsePlace(out string) (place, error) {
	lines := strings.Split(strings.TrimSuffix(out, "\n"), "\n")
	if len(lines) < 2 || !isBool(lines[0]) || !isBool(lines[1]) {
		return place{}, unexpected(out)
	}
	p := place{outside: lines[0] == "false", bare: lines[1] == "true"}
	if p.outside {
		return p, nil
	}
	if len(lines) < 3 || !filepath.IsAbs(filepath.FromSlash(lines[2])) {
		return place{}, unexpected(out)
	}
	p.root = lines[2]
	names := []string{"HEAD", "HEAD^{tree}", "HEAD:./"}
	ids := []*string{&p.head, &p.tree, &p.folder}
	for i, line := range lines[3:] {
		if i < len(names) && manifest.IsGitSHA(line) {
			*ids[i] = line
			continue
		}
		if i >= len(names) || line != names[i] || i+4 != len(lines) {
			return place{}, unexpected(out)
		}
	}
	return p, nil
}

func isBool(s string) bool { return s == "true" || s == "false" }

// readObjects finds the object id of every target.
func (c *Checkout) readObjects(
	ctx context.Context, targets []target, p place, tree workTree,
) error {
	base := targets[0]
	known := map[string]Object{".": {Path: ".", SHA: p.tree}}
	if base.dir && base.rel != "." {
		known[base.rel] = Object{Path: base.rel, SHA: p.folder}
	}
	var unknown []string
	for _, t := range targets {
		if _, found := known[t.rel]; !found {
			unknown = append(unknown, t.rel)
		}
	}
	if err := (command{dir: c.Root}).listTree(ctx, c.Commit, unknown, known); err != nil {
		return explain(err, base.name, c.Root)
	}
	for _, t := range targets {
		object := known[t.rel]
		object.Content = object.SHA
		switch {
		case object.SHA != emptyTrees[len(object.SHA)]:
			c.Objects = append(c.Objects, object)
		case t.dir && t.rel != "." && hasGit(t.real):
			return nested(t.name, t.real)
		case len(tree.under(t.rel)) > 0:
			return uncommitted(t.name, c.Root, t.rel)
		default:
			return noFiles.at(t.name)
		}
	}
	return nil
}

// listTree adds the objects at paths of a tree. It runs ls-tree because that takes names literally:
// "rev-parse HEAD:a..b" may be a range, and "cat-file" finds no submodule.
func (c command) listTree(
	ctx context.Context, tree string, paths []string, into map[string]Object,
) error {
	if len(paths) == 0 {
		return nil
	}
	// With -t, a tree is listed even if another path is inside it.
	args := append([]string{"ls-tree", "-z", "-t", "--full-tree", tree, "--"}, paths...)
	got := c.run(ctx, args...)
	if got.err != nil {
		return got.err
	}
	if err := parseTree(got.out, into); err != nil {
		return fmt.Errorf("git ls-tree: %w", err)
	}
	return nil
}

var treeEntry = regexp.MustCompile(`^([0-7]{6}) (?:blob|tree|commit) ([0-9a-f]+)$`)

// parseTree reads "ls-tree -z" into a map by path.
func parseTree(out string, into map[string]Object) error {
	for out != "" {
		entry, rest, ended := strings.Cut(out, "\x00")
		meta, name, named := strings.Cut(entry, "\t")
		m := treeEntry.FindStringSubmatch(meta)
		if !ended || !named || m == nil || !manifest.IsGitSHA(m[2]) || !isPath(name) {
			return unexpected(out)
		}
		into[name] = Object{Path: name, SHA: m[2], Executable: m[1] == "100755"}
		out = rest
	}
	return nil
}
