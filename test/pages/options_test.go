// SPDX-License-Identifier: MPL-2.0

package pages

import (
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2/hcldec"

	"github.com/packer-chain/packer-plugin-chain/builder/existing"
	"github.com/packer-chain/packer-plugin-chain/builder/report"
	"github.com/packer-chain/packer-plugin-chain/datasource/image"
	"github.com/packer-chain/packer-plugin-chain/datasource/parent"
	"github.com/packer-chain/packer-plugin-chain/postprocessor/publish"
	"github.com/packer-chain/packer-plugin-chain/postprocessor/revoke"
)

// component is one of the plugin, with the page that describes it.
type component struct {
	page            string
	config, outputs hcldec.ObjectSpec
}

var components = []component{
	{"data-source/chain", new(parent.Datasource).ConfigSpec(), new(parent.Datasource).OutputSpec()},
	{"data-source/image", new(image.Datasource).ConfigSpec(), new(image.Datasource).OutputSpec()},
	{"builder/chain", new(existing.Builder).ConfigSpec(), nil},
	{"builder/report", new(report.Builder).ConfigSpec(), nil},
	{"post-processor/chain", new(publish.PostProcessor).ConfigSpec(), nil},
	{"post-processor/revoke", new(revoke.PostProcessor).ConfigSpec(), nil},
}

// TestOptions checks that the page of each component describes every option, also those of blocks,
// and every output.
func TestOptions(t *testing.T) {
	folders, err := os.ReadDir(root + "/.web-docs/components")
	if err != nil {
		t.Fatal(err)
	}
	count := 0
	for _, folder := range folders {
		entries, err := os.ReadDir(root + "/.web-docs/components/" + folder.Name())
		if err != nil {
			t.Fatal(err)
		}
		count += len(entries)
	}
	if count != len(components) {
		t.Errorf("%d components have a page, and this test knows %d", count, len(components))
	}
	for _, c := range components {
		page, err := os.ReadFile(root + "/.web-docs/components/" + c.page + "/README.md")
		if err != nil {
			t.Fatal(err)
		}
		config, outputs := string(page), ""
		if c.outputs != nil {
			before, after, ok := strings.Cut(config, "\n## Outputs\n")
			if !ok {
				t.Errorf("%s has no heading Outputs", c.page)
			}
			outputs, after, _ = strings.Cut(after, "\n## ")
			config = before + after
		}
		if missing := undescribed(config, c.config); len(missing) > 0 {
			t.Errorf("%s lacks the options %q", c.page, missing)
		}
		if missing := undescribed(outputs, c.outputs); len(missing) > 0 {
			t.Errorf("%s lacks the outputs %q", c.page, missing)
		}
	}
}

// TestUndescribed proves that the test above sees what is missing, in a block too.
func TestUndescribed(t *testing.T) {
	spec := hcldec.ObjectSpec{
		"a": &hcldec.AttrSpec{Name: "a"},
		"b": &hcldec.BlockListSpec{TypeName: "b", Nested: hcldec.ObjectSpec{
			"c": &hcldec.AttrSpec{Name: "c"},
		}},
		"packer_debug": &hcldec.AttrSpec{Name: "packer_debug"},
	}
	if got := undescribed("- `a` (string) - A.\n- `b` (block) - B.\n", spec); len(got) != 1 {
		t.Errorf("got %q, want c", got)
	}
	if got := undescribed("- `a` (string) - A.\nSee `b` and - `c`.\n", spec); len(got) != 2 {
		t.Errorf("got %q, want b and c", got)
	}
}

// described are the entries that docgen writes.
var described = regexp.MustCompile("(?m)^- `(\\w+)` \\(.+?\\) - \\S")

// undescribed returns the names in a spec that a page does not describe. Options that begin with
// packer_ are set by Packer only.
func undescribed(page string, spec hcldec.ObjectSpec) []string {
	have := map[string]bool{}
	for _, match := range described.FindAllStringSubmatch(page, -1) {
		have[match[1]] = true
	}
	wanted := map[string]bool{}
	collect(spec, wanted)
	return slices.DeleteFunc(slices.Sorted(maps.Keys(wanted)), func(name string) bool {
		return have[name] || strings.HasPrefix(name, "packer_")
	})
}

// refused are blocks of the Amazon plugin that this one refuses: what they hold needs no words.
var refused = []string{"vault_aws_engine", "aws_polling"}

func collect(spec hcldec.ObjectSpec, names map[string]bool) {
	for name, field := range spec {
		names[name] = true
		if slices.Contains(refused, name) {
			continue
		}
		var nested hcldec.Spec
		switch block := field.(type) {
		case *hcldec.BlockSpec:
			nested = block.Nested
		case *hcldec.BlockListSpec:
			nested = block.Nested
		}
		if object, ok := nested.(hcldec.ObjectSpec); ok {
			collect(object, names)
		}
	}
}
