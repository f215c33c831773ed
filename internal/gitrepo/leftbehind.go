// SPDX-License-Identifier: MPL-2.0

package gitrepo

import (
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// LeftBehind is a rule for [Inspect]: untracked files that a build leaves behind are no inputs of
// the next one. All are known by name. They are what Packer writes, the local manifests at the
// paths in copies, and the documents of a registry in a folder: registry is its absolute path.
func LeftBehind(registry string, copies ...string) func(root, name string) bool {
	paths := map[string]bool{}
	for _, path := range append([]string{os.Getenv("PACKER_LOG_PATH")}, copies...) {
		if path = withoutLinks(path); path != "" {
			paths[path] = true
		}
	}
	// A folder that does not exist yet holds nothing.
	registry, _ = filepath.EvalSymlinks(registry)
	return func(root, name string) bool {
		file := filepath.Join(root, filepath.FromSlash(name))
		return slices.Contains(packerFiles, path.Base(name)) ||
			strings.Contains("/"+name, "/packer_cache/") || paths[file] || inRegistry(registry, file)
	}
}

// packerFiles are the files that Packer leaves behind.
var packerFiles = []string{"packer-manifest.json", "packer-manifest.json.lock", "crash.log"}

// registryFiles are the files of a registry in a folder: documents, unfinished ones, and the lock.
// Not all below the folder is the registry's, for it may be the checkout itself.
var registryFiles = []string{
	".chain.lock", "*/builds/*.json", "*/builds/.chain-*.tmp", "*/refs/*.json", "*/refs/.chain-*.tmp",
}

func inRegistry(dir, file string) bool {
	name, err := filepath.Rel(dir, file)
	if err != nil || !filepath.IsLocal(name) {
		return false
	}
	return slices.ContainsFunc(registryFiles, func(pattern string) bool {
		matches, _ := path.Match(pattern, filepath.ToSlash(name))
		return matches
	})
}

// withoutLinks is the absolute path of a file as git has it, with the links on the way to it
// resolved. It is empty if there is no such folder.
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
