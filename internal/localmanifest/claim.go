// SPDX-License-Identifier: MPL-2.0

package localmanifest

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Claim notes beside a local manifest that a source publishes into its image in a run of Packer. It
// returns another source that has noted the same in this run, or "". It only helps to refuse early
// what the registry refuses later, so it fails silently, and does nothing outside of the folder
// .chain, where a file would be in the way.
func Claim(path, run, source string) (other string) {
	if chainFolder(filepath.Dir(path)) == "" || run == "" {
		return ""
	}
	name := strings.TrimSuffix(path, ".json") + ".sources"
	body, _ := os.ReadFile(name)
	noted := strings.Fields(string(body))
	if len(noted) == 0 || noted[0] != run {
		noted = []string{run}
	}
	for _, by := range noted[1:] {
		if by != source {
			other = by
		}
	}
	if !slices.Contains(noted[1:], source) && makeFolder(filepath.Dir(path)) == nil {
		_ = write(name, []byte(strings.Join(append(noted, source), "\n")+"\n"))
	}
	return other
}

// chainFolder returns the folder .chain that a folder is in, or "".
func chainFolder(dir string) string {
	for filepath.Base(dir) != folder {
		if dir == filepath.Dir(dir) {
			return ""
		}
		dir = filepath.Dir(dir)
	}
	return dir
}
