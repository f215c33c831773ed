// SPDX-License-Identifier: MPL-2.0

package gitrepo

import (
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// LeftBehind returns a rule for [Inspect]: untracked files that a build leaves behind are not
// inputs of the next one. All are known by name: the files that Packer writes, the local manifests,
// a report, and the documents of a registry in a folder, of which registry is the absolute path.
func LeftBehind(registry string, manifests ...string) func(root, name string) bool {
	paths := map[string]bool{}
	for _, path := range append([]string{os.Getenv("PACKER_LOG_PATH")}, manifests...) {
		if path = withoutLinks(path); path != "" {
			paths[path] = true
		}
	}
	// A folder that does not exist yet holds nothing.
	registry, _ = filepath.EvalSymlinks(registry)
	return func(root, name string) bool {
		file := filepath.Join(root, filepath.FromSlash(name))
		return slices.Contains(packerFiles, path.Base(name)) || isReport(name) ||
			strings.Contains("/"+name, "/packer_cache/") || paths[file] || inRegistry(registry, file)
	}
}

// packerFiles are the files that Packer leaves behind.
var packerFiles = []string{"packer-manifest.json", "packer-manifest.json.lock", "crash.log"}

// isReport reports whether a file is one that the builder "chain-report" writes by default.
func isReport(name string) bool {
	return slices.Contains([]string{"chain.html", "chain.json", "chain.mmd"}, path.Base(name)) &&
		path.Base(path.Dir(name)) == "chain-report"
}

// registryFiles are the files of a registry in a folder: documents, unfinished ones, and the lock.
// Other files in the folder may not be the registry's, because it may be the checkout itself.
var registryFiles = []string{
	".chain.lock", "*/builds/*.json", "*/builds/.chain-*.tmp",
	"*/channels/*.json", "*/channels/.chain-*.tmp", "*/lines/*.json", "*/lines/.chain-*.tmp",
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

// withoutLinks returns the absolute path of a file as git has it, with the symlinks on the way to
// it resolved, or "" if its folder does not exist.
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
