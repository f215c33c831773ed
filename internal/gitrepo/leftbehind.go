// SPDX-License-Identifier: MPL-2.0

package gitrepo

import (
	"path/filepath"
	"strings"

	"github.com/packer-chain/packer-plugin-chain/internal/localcopy"
)

// LeftBehind is a rule for [Inspector]: untracked files that a build leaves behind are no inputs of
// the next one. These are Packer's own manifest and cache, and the local copy of the image's manifest:
// under its usual name, or under one of the paths in copies. A process that dies while it writes such a
// file leaves the new one, whose name has digits at the end.
func LeftBehind(image string, copies ...string) func(root, name string) bool {
	names := map[string]bool{
		"packer-manifest.json": true, "packer-manifest.json.lock": true, "manifest-" + image + ".json": true}
	paths := map[string]bool{}
	for _, path := range copies {
		if path = withoutLinks(path); path != "" {
			paths[path] = true
		}
	}
	known := func(path string) bool { return names[filepath.Base(path)] || paths[path] }
	return func(root, name string) bool {
		path := filepath.Join(root, filepath.FromSlash(name))
		return known(path) || known(strings.TrimRight(path, "0123456789")) || isCopy(path) ||
			strings.Contains("/"+name, "/packer_cache/")
	}
}

// isCopy tells whether a file is the local copy of some image's manifest, by name and by content: the
// folder of another image may lie below this one's.
func isCopy(path string) bool {
	if named, err := filepath.Match("manifest-*.json", filepath.Base(path)); err != nil || !named {
		return false
	}
	m, _, err := localcopy.Read(path)
	return err == nil && m.Chain != nil
}

// withoutLinks is the absolute path of a file as git has it, with the links on the way to it resolved.
// It is empty where there is no such folder.
func withoutLinks(path string) string {
	if path == "" {
		return ""
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return ""
	}
	dir, err := filepath.EvalSymlinks(filepath.Dir(path))
	if err != nil {
		return ""
	}
	return filepath.Join(dir, filepath.Base(path))
}
