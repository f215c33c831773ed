// SPDX-License-Identifier: MPL-2.0

package main

import (
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/packer-chain/packer-plugin-chain"

// imports are what a package imports directly. Packages of this module have no prefix.
type imports struct{ code, tests []string }

// list returns all packages of this module.
func list(t *testing.T) map[string]imports {
	t.Helper()
	watch(t)
	const format = `{{.ImportPath}}|{{join .Imports " "}}|` +
		`{{join .TestImports " "}} {{join .XTestImports " "}}`
	out, err := exec.Command("go", "list", "-f", format, "./...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	packages := map[string]imports{}
	for line := range strings.Lines(strings.ReplaceAll(string(out), module+"/", "")) {
		parts := strings.Split(line, "|")
		packages[parts[0]] = imports{code: strings.Fields(parts[1]), tests: strings.Fields(parts[2])}
	}
	if len(packages) < 10 {
		t.Fatalf("go list found %d packages only", len(packages))
	}
	return packages
}

// watch reads all folders, so that go test repeats a test after a change. Otherwise it would take
// the result from its cache, because it does not see what go list reads.
func watch(t *testing.T) {
	t.Helper()
	err := filepath.WalkDir(".", func(name string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() && name != "." && strings.HasPrefix(name, ".") {
			return fs.SkipDir
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// under reports whether a package is in one of these folders.
func under(name string, folders ...string) bool {
	return slices.ContainsFunc(folders, func(folder string) bool {
		return name == folder || strings.HasPrefix(name, folder+"/")
	})
}

func isComponent(name string) bool { return under(name, "datasource", "builder", "postprocessor") }

// isHarness reports whether a package only tests, measures or generates.
func isHarness(name string) bool { return under(name, "test", "scripts") }

// isTestSupport reports whether a package of the plugin is for tests only, as net/http/httptest is.
func isTestSupport(name string) bool {
	return !isHarness(name) && slices.ContainsFunc(strings.Split(name, "/"), func(part string) bool {
		return strings.HasSuffix(part, "test")
	})
}

// TestLayout checks who imports whom.
func TestLayout(t *testing.T) {
	for name, imports := range list(t) {
		for _, imported := range slices.Concat(imports.code, imports.tests) {
			if isHarness(imported) && !isHarness(name) {
				t.Errorf("%s imports %s: the plugin does not depend on what tests it", name, imported)
			}
		}
		if isHarness(name) {
			continue
		}
		for _, imported := range imports.code {
			if rule := broken(name, imported); rule != "" {
				t.Errorf("%s imports %s: %s", name, imported, rule)
			}
		}
	}
}

// broken returns the rule that an import breaks, or "".
func broken(name, imported string) string {
	foreign := strings.Contains(imported, ".")
	own := under(imported, "internal") || isComponent(imported)
	switch {
	case isComponent(imported) && name != module:
		return "components are imported by main only"
	case isTestSupport(imported) && !isTestSupport(name):
		return "it is for tests only"
	case under(imported, "github.com/aws") &&
		!under(name, "internal/access", "internal/ami", "internal/awserror", "internal/parameter",
			"internal/store/s3store"):
		return "only internal/access, internal/ami, internal/awserror, internal/parameter and " +
			"internal/store/s3store use AWS"
	case name == "internal/parameter/parametername" && (foreign || own):
		return "it uses the standard library only"
	case under(imported, "github.com/hashicorp/packer-plugin-sdk") && !isComponent(name) &&
		!under(name, "internal/access", "internal/artifact", "internal/option", module):
		return "only components, internal/access, internal/artifact and internal/option use the Packer SDK"
	case name == "internal/manifest" && under(imported, "github.com/go-json-experiment/json"):
		return "" // encoding/json/v2, until go.mod can say Go 1.27
	case name == "internal/manifest" && (foreign || own && imported != "internal/text"):
		return "it uses the standard library and internal/text only"
	case name == "internal/text" && (foreign || own):
		return "it uses the standard library only"
	case under(imported, "github.com/hashicorp/packer"):
		return "Packer is a tool, not a library"
	}
	return ""
}

// TestLayout_used finds packages that the plugin does not need.
func TestLayout_used(t *testing.T) {
	packages := list(t)
	used := map[string]bool{module: true}
	for name, imports := range packages {
		for _, imported := range imports.code {
			used[imported] = used[imported] || !isHarness(name)
		}
	}
	for name := range packages {
		if !used[name] && !isHarness(name) && !isTestSupport(name) {
			t.Errorf("%s is used by tests only: name it, or a folder above it, …test", name)
		}
	}
}

// TestLayout_contributing compares the tree in CONTRIBUTING.md with the one on disk.
func TestLayout_contributing(t *testing.T) {
	page, err := os.ReadFile("CONTRIBUTING.md")
	if err != nil {
		t.Fatal(err)
	}
	_, tree, _ := strings.Cut(string(page), "```text\n")
	tree, _, _ = strings.Cut(tree, "```")
	named := map[string]bool{}
	for _, name := range folders(tree) {
		named[name] = true
		if _, err := os.Stat(name); err != nil {
			t.Errorf("CONTRIBUTING.md names %s, which does not exist", name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(list(t))) {
		if name != module && !named[name] {
			t.Errorf("the tree in CONTRIBUTING.md lacks %s", name)
		}
	}
}

// folders returns what an indented tree names: in each line a file, or one or more folders.
func folders(tree string) []string {
	var names, above []string
	for line := range strings.Lines(tree) {
		text := strings.TrimLeft(line, " ")
		above = append(above[:min(len(above), (len(line)-len(text))/2)], "")
		for i, name := range strings.Fields(text) {
			if i > 0 && !strings.HasSuffix(name, "/") {
				break
			}
			above[len(above)-1] = name
			names = append(names, path.Join(above...))
		}
	}
	return names
}
