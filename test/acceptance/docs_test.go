// SPDX-License-Identifier: MPL-2.0

package acceptance

import (
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/packer-chain/packer-plugin-chain/test/lab/packercli"
)

// fence is a block of HCL on a page.
var fence = regexp.MustCompile("(?ms)^```hcl\n(.*?)^```$")

// ownFile is a file beside a template that the template refers to: packer validate wants it there.
var ownFile = regexp.MustCompile(`\$\{path\.root\}/([\w./-]+\.\w+)"`)

// TestAccDocs checks every block of HCL on the pages of the documentation: a block with a build is a
// whole template, and has to pass packer validate; others have to be well-formed.
func TestAccDocs(t *testing.T) {
	packer := newPacker(t)
	for page, text := range pages(t) {
		for i, match := range fence.FindAllStringSubmatch(text, -1) {
			block := match[1]
			t.Run(page, func(t *testing.T) {
				if strings.Contains(block, "\nbuild {") {
					validate(t, packer, map[string]string{"page.pkr.hcl": block})
					return
				}
				_, diags := hclsyntax.ParseConfig([]byte(block), page, hcl.InitialPos)
				if diags.HasErrors() {
					t.Errorf("block %d of HCL: %v", i+1, diags)
				}
			})
		}
	}
}

// TestAccExamples checks that every example passes a plain packer validate, which needs neither AWS nor
// git: a folder with templates is one example.
func TestAccExamples(t *testing.T) {
	packer := newPacker(t)
	examples := map[string]map[string]string{}
	for path, text := range files(t, filepath.Join(root, "example")) {
		folder := filepath.Dir(path)
		if strings.HasSuffix(path, ".pkr.hcl") && examples[folder] == nil {
			examples[folder] = map[string]string{}
		}
		if strings.HasSuffix(path, ".pkr.hcl") {
			examples[folder][filepath.Base(path)] = text
		}
	}
	for _, folder := range slices.Sorted(maps.Keys(examples)) {
		t.Run(filepath.Base(folder), func(t *testing.T) {
			for name, text := range examples[folder] {
				for _, match := range ownFile.FindAllStringSubmatch(text, -1) {
					if _, err := os.Stat(filepath.Join(folder, match[1])); err != nil {
						t.Errorf("%s refers to a file that is not there: %v", name, err)
					}
				}
			}
			validate(t, packer, examples[folder])
		})
	}
}

// validate runs packer validate on files in a folder of their own, without any AWS account.
func validate(t *testing.T, packer packercli.Packer, templates map[string]string) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range templates {
		for _, match := range ownFile.FindAllStringSubmatch(text, -1) {
			writeFile(t, filepath.Join(dir, match[1]), "")
		}
		writeFile(t, filepath.Join(dir, name), text)
	}
	offline := packer.With("AWS_REGION=eu-west-1", "AWS_ENDPOINT_URL=http://127.0.0.1:1")
	result, err := offline.Validate(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	wantCode(t, 0, result)
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// pages are the texts that a user reads, by path.
func pages(t *testing.T) map[string]string {
	t.Helper()
	texts := files(t, filepath.Join(root, "docs"))
	readme, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	texts["README.md"] = string(readme)
	return texts
}

func files(t *testing.T, dir string) map[string]string {
	t.Helper()
	texts := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(path)
		texts[path] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return texts
}
