// SPDX-License-Identifier: MPL-2.0

package gitrepo

import (
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/packer-chain/packer-plugin-chain/internal/localmanifest"
)

// LeftBehind is a rule for [Inspector]: untracked files that a build leaves behind are no inputs of
// the next one. These are Packer's own manifest and cache, the local manifest of the image's manifest, under
// its usual name or one of the paths in copies, and the documents of a registry in a folder, where
// registry is its absolute path. A process that dies while it writes such a file leaves the new one; that
// of a local manifest has digits at the end of its name.
func LeftBehind(image, registry string, copies ...string) func(root, name string) bool {
	names := map[string]bool{
		"packer-manifest.json": true, "packer-manifest.json.lock": true, "manifest-" + image + ".json": true}
	paths := map[string]bool{}
	for _, path := range copies {
		if path = withoutLinks(path); path != "" {
			paths[path] = true
		}
	}
	known := func(path string) bool { return names[filepath.Base(path)] || paths[path] }
	// A folder that is not there yet holds nothing.
	registry, _ = filepath.EvalSymlinks(registry)
	return func(root, name string) bool {
		path := filepath.Join(root, filepath.FromSlash(name))
		return known(path) || known(strings.TrimRight(path, "0123456789")) || isCopy(path) ||
			inRegistry(registry, path) || strings.Contains("/"+name, "/packer_cache/")
	}
}

// registryFiles are the files of a registry in a folder: documents, unfinished ones, and the lock. Not all
// below the folder is the registry's, for it may be the checkout itself.
var registryFiles = []string{
	".chain.lock", "*/builds/*.json", "*/builds/.chain-*.tmp", "*/refs/*.json", "*/refs/.chain-*.tmp",
}

func inRegistry(dir, file string) bool {
	name, err := filepath.Rel(dir, file)
	return err == nil && filepath.IsLocal(name) && slices.ContainsFunc(registryFiles, func(pattern string) bool {
		matches, _ := path.Match(pattern, filepath.ToSlash(name))
		return matches
	})
}

// isCopy tells whether a file is the local manifest of some image's manifest, by its content: the template may
// name it as it likes, and the folder of another image may lie below this one's.
func isCopy(path string) bool {
	if filepath.Ext(path) != ".json" {
		return false
	}
	m, _, err := localmanifest.Read(path)
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
