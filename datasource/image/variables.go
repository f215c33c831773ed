// SPDX-License-Identifier: MPL-2.0

package image

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclparse"

	"github.com/packer-chain/packer-plugin-chain/internal/gitrepo"
	"github.com/packer-chain/packer-plugin-chain/internal/text"
)

// unseenVariables returns a warning for each file of variables that Packer reads by itself and git
// ignores, unless inputs has one of them: then the user has thought of what counts.
func unseenVariables(ctx context.Context, c Config) (warnings []string) {
	entries, err := os.ReadDir(c.Path)
	if err != nil {
		return nil // It is a file: Packer reads no such files beside that.
	}
	var names []string
	for _, entry := range entries {
		name := entry.Name()
		if strings.HasSuffix(name, ".auto.pkrvars.hcl") || strings.HasSuffix(name, ".auto.pkrvars.json") {
			names = append(names, name)
		}
	}
	inputs := inputNames(c.Inputs)
	for _, name := range gitrepo.Ignored(ctx, c.Path, !c.Git.False(), names...) {
		variables := variablesIn(filepath.Join(c.Path, name))
		if !slices.ContainsFunc(variables, func(v string) bool { return inputs[v] }) {
			warnings = append(warnings, fmt.Sprintf("git ignores %s, so the variables that it sets are "+
				"not part of the fingerprint. If they change the image, set "+
				"inputs = { vars = jsonencode(var) } in data \"chain-image\"", text.File(name)))
		}
	}
	return warnings
}

// inputNames returns the keys of the inputs, and those of the inputs that are JSON objects.
func inputNames(inputs map[string]string) map[string]bool {
	names := map[string]bool{}
	for key, value := range inputs {
		names[key] = true
		var object map[string]any
		if json.Unmarshal([]byte(value), &object) == nil {
			for name := range object {
				names[name] = true
			}
		}
	}
	return names
}

// variablesIn returns the names of the variables that a file sets, as far as it can be read.
func variablesIn(path string) []string {
	parse := hclparse.NewParser().ParseHCLFile
	if filepath.Ext(path) == ".json" {
		parse = hclparse.NewParser().ParseJSONFile
	}
	file, _ := parse(path)
	if file == nil || file.Body == nil {
		return nil
	}
	var attributes hcl.Attributes
	attributes, _ = file.Body.JustAttributes()
	return slices.Sorted(maps.Keys(attributes))
}
