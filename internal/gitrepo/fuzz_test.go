// SPDX-License-Identifier: MPL-2.0

package gitrepo

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
)

// FuzzAnswers reads the answers of git other than its status: what is taken holds object ids where
// it says so, names that stay below the root, and a time that can be written.
func FuzzAnswers(f *testing.F) {
	id := strings.Repeat("4b825dc6", 5)
	f.Add("true\nfalse\n/srv/repo\n" + id + "\n" + id + "\n" + id + "\n")
	f.Add("true\nfalse\n/srv/repo\nHEAD\n")
	f.Add("false\ntrue\n")
	f.Add("100644 blob " + id + "\tbase/a b\x00040000 tree " + id + "\tbase\x00")
	f.Add("100644 blob " + id + "\t../../etc\x00")
	f.Add("H 100644 " + id + " 0\tbase/a b\x00h 120000 " + id + " 0\tbase/c\x00H 160000 " + id +
		" 0\tlib\x00")
	f.Add("1790000000 " + id + "\n")
	f.Add("253402300800 " + id + "\n")
	f.Add("-1 " + id + "\n")
	f.Add("9223372036854775808 " + id + "\n")
	f.Fuzz(func(t *testing.T, out string) {
		if p, err := parsePlace(out); err == nil {
			for _, id := range []string{p.head, p.tree, p.folder} {
				if id != "" && !manifest.IsGitSHA(id) {
					t.Errorf("place of %q has the id %q", out, id)
				}
			}
			if !p.outside && !filepath.IsAbs(p.root) {
				t.Errorf("place of %q has the root %q", out, p.root)
			}
		}
		objects := map[string]Object{}
		if parseTree(out, objects) == nil {
			for name, object := range objects {
				if !filepath.IsLocal(name) || object.Path != name || !manifest.IsGitSHA(object.SHA) {
					t.Errorf("tree of %q holds %+v at %q", out, object, name)
				}
			}
		}
		overlooked, submodules, err := parseIndex(out)
		for _, name := range submodules {
			if err != nil || !filepath.IsLocal(name) {
				t.Errorf("index of %q has the submodule %q: %v", out, name, err)
			}
		}
		for name, flag := range overlooked {
			if err != nil || !filepath.IsLocal(name) || flag == "" {
				t.Errorf("index of %q overlooks %q by %q: %v", out, name, flag, err)
			}
		}
		if when, commit, err := parseDate(out); err == nil {
			if _, err := when.MarshalJSON(); err != nil || !manifest.IsGitSHA(commit) {
				t.Errorf("date of %q is %v of %q: %v", out, when, commit, err)
			}
		}
	})
}
