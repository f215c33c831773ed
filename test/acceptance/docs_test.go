// SPDX-License-Identifier: MPL-2.0

package acceptance

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/packer-chain/packer-plugin-chain/test/lab/packercli"
	"github.com/packer-chain/packer-plugin-chain/test/lab/workspace"
)

// fence is a block of HCL on a page.
var fence = regexp.MustCompile("(?ms)^```hcl\n(.*?)^```$")

// ownFile is a file beside a template that the template refers to: packer validate wants it there.
var ownFile = regexp.MustCompile(`\$\{path\.root\}/([\w./-]+\.\w+)"`)

// TestAccDocs checks every block of HCL on the pages of the documentation: all have to be formatted,
// and a block with a build is a whole template, which has to pass packer validate.
func TestAccDocs(t *testing.T) {
	packer := newPacker(t)
	t.Parallel()
	pages := files(t, filepath.Join(root, "docs"), "")
	maps.Copy(pages, files(t, root+"/README.md", ""))
	maps.Copy(pages, files(t, root+"/CONTRIBUTING.md", ""))
	blocks := workspace.Repo{Dir: t.TempDir()}
	for page, text := range pages {
		for i, match := range fence.FindAllStringSubmatch(text, -1) {
			block := match[1]
			name := fmt.Sprintf("%s-%d.pkr.hcl", strings.TrimPrefix(page, root+"/"), i+1)
			if err := blocks.Write(name, block); err != nil {
				t.Fatal(err)
			}
			if strings.Contains(block, "\nbuild {") {
				t.Run(page, func(t *testing.T) { validateBlock(t, packer, block) })
			}
		}
	}
	wantFormatted(t, packer, blocks.Dir)
}

// wantFormatted checks that packer fmt has nothing to change below a folder, and with that, that
// all is HCL.
func wantFormatted(t *testing.T, packer packercli.Packer, folder string) {
	t.Helper()
	result, err := packer.Run(t.Context(), folder, "fmt", "-check", "-diff", "-recursive", ".")
	if err != nil {
		t.Fatal(err)
	}
	wantCode(t, 0, result)
}

// TestAccExamples checks that every example passes a plain packer validate, which needs neither AWS
// nor git: a folder with templates is one example.
func TestAccExamples(t *testing.T) {
	packer := newPacker(t)
	t.Parallel()
	examples := map[string]packercli.Packer{}
	for path, text := range files(t, filepath.Join(root, "example"), ".pkr.hcl") {
		if folder := filepath.Dir(path); strings.Contains(text, "github.com/hashicorp/docker") {
			examples[folder] = packer.With(withDocker())
		} else if _, known := examples[folder]; !known {
			examples[folder] = packer
		}
		for _, match := range ownFile.FindAllStringSubmatch(text, -1) {
			if _, err := os.Stat(filepath.Join(filepath.Dir(path), match[1])); err != nil {
				t.Errorf("%s refers to a file that does not exist: %v", path, err)
			}
		}
	}
	for folder, packer := range examples {
		t.Run(folder, func(t *testing.T) { validate(t, packer, folder) })
	}
	wantFormatted(t, packer, filepath.Join(root, "example"))
}

// validateBlock validates a template with an empty file in the place of each that it refers to.
func validateBlock(t *testing.T, packer packercli.Packer, block string) {
	t.Helper()
	folder := workspace.Repo{Dir: t.TempDir()}
	texts := map[string]string{"page.pkr.hcl": block}
	for _, match := range ownFile.FindAllStringSubmatch(block, -1) {
		texts[match[1]] = ""
	}
	for name, text := range texts {
		if err := folder.Write(name, text); err != nil {
			t.Fatal(err)
		}
	}
	validate(t, packer, folder.Dir)
}

// validate runs packer validate in a folder, without any AWS account.
func validate(t *testing.T, packer packercli.Packer, folder string) {
	t.Helper()
	offline := packer.With("AWS_REGION=eu-west-1", "AWS_ENDPOINT_URL="+deadEndpoint,
		// Whoever revokes an image has to say which, and why.
		"PKR_VAR_fingerprint="+strings.Repeat("0", 64), "PKR_VAR_reason=CVE-2026-0001")
	result, err := offline.Validate(t.Context(), folder)
	if err != nil {
		t.Fatal(err)
	}
	wantCode(t, 0, result)
}

// files are the texts of the files below dir whose names end so, by path.
func files(t *testing.T, dir, ending string) map[string]string {
	t.Helper()
	texts := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() || !strings.HasSuffix(path, ending) {
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
