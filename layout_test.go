// SPDX-License-Identifier: MPL-2.0

package main

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/packer-chain/packer-plugin-chain/"

// components are the folders of what Packer calls.
var components = []string{"datasource/", "builder/", "postprocessor/"}

// tools are the folders of what tests and measures the plugin, and is no part of it.
var tools = []string{"scripts", "test"}

// imports lists, for each package of the plugin, what its code imports directly. Tests and tools
// count for nothing here.
func imports(t *testing.T) map[string][]string {
	t.Helper()
	out, err := exec.Command("go", "list", "-f", `{{.ImportPath}} {{join .Imports " "}}`, "./...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	packages := map[string][]string{}
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		name := strings.TrimPrefix(fields[0], module)
		if folder, _, _ := strings.Cut(name, "/"); !slices.Contains(tools, folder) {
			packages[name] = fields[1:]
		}
	}
	return packages
}

func isComponent(name string) bool {
	for _, folder := range components {
		if strings.HasPrefix(name, folder) {
			return true
		}
	}
	return false
}

// TestLayout holds the arrows between the packages: who may import whom.
func TestLayout(t *testing.T) {
	packages := imports(t)
	if len(packages) < 10 {
		t.Fatalf("go list found %d packages only", len(packages))
	}
	root := strings.TrimSuffix(module, "/")
	for name, imported := range packages {
		for _, path := range imported {
			own, isOwn := strings.CutPrefix(path, module)
			switch {
			case isOwn && isComponent(own) && name != root:
				t.Errorf("%s imports %s: components are imported by main only", name, own)
			case strings.HasPrefix(path, "github.com/aws/") && !mayUseAWS(name):
				t.Errorf("%s imports %s: only internal/ami, internal/access and "+
					"internal/store/s3store use AWS", name, path)
			case strings.HasPrefix(path, "github.com/hashicorp/packer-plugin-sdk") && !mayUsePacker(name, root):
				t.Errorf("%s imports %s: only components, internal/access and internal/option "+
					"use the Packer SDK", name, path)
			case name == "internal/manifest" && strings.Contains(path, ".") &&
				own != "internal/text" && !strings.HasPrefix(path, "github.com/go-json-experiment/json"):
				t.Errorf("%s imports %s: it uses the standard library, encoding/json/v2 and "+
					"internal/text only", name, path)
			case name == "internal/text" && strings.Contains(path, "."):
				t.Errorf("%s imports %s: it uses the standard library only", name, path)
			case strings.HasPrefix(path, "github.com/hashicorp/packer/"):
				t.Errorf("%s imports %s: Packer is a tool, no library", name, path)
			}
		}
	}
}

func mayUseAWS(name string) bool {
	return name == "internal/ami" || name == "internal/access" || name == "internal/store/s3store"
}

func mayUsePacker(name, root string) bool {
	return isComponent(name) || name == "internal/access" || name == "internal/option" || name == root
}
