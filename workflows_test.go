// SPDX-License-Identifier: MPL-2.0

package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"go.yaml.in/yaml/v3"
)

// workflow is what TestWorkflows reads in a file of GitHub Actions.
type workflow struct {
	Permissions *yaml.Node
	Jobs        map[string]struct {
		Uses  string
		Steps []struct{ Uses, Run string }
	}
}

// pinned is a line that names an action as nobody can change it, and says its version to readers.
var pinned = regexp.MustCompile(
	`(?m)^[ -]+uses: ([\w-]+/[\w./-]+@[0-9a-f]{40}) # v\d+\.\d+\.\d+$`)

// TestWorkflows checks that the workflows can be read, say what they may do, and pin all actions.
func TestWorkflows(t *testing.T) {
	paths, err := filepath.Glob(".github/workflows/*.y*ml")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no workflows: %v", err)
	}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, problem := range problems(text) {
			t.Errorf("%s: %s", path, problem)
		}
	}
}

// problems are what is wrong with a workflow.
func problems(text []byte) []string {
	var w workflow
	if err := yaml.NewDecoder(bytes.NewReader(text)).Decode(&w); err != nil {
		return []string{err.Error()}
	}
	var found, pins []string
	for _, match := range pinned.FindAllSubmatch(text, -1) {
		pins = append(pins, string(match[1]))
	}
	if w.Permissions == nil {
		found = append(found, "permissions are missing: it gets those of the repository")
	}
	for name, job := range w.Jobs {
		if len(job.Steps) == 0 && job.Uses == "" {
			found = append(found, "job "+name+" has no steps")
		}
		used := []string{job.Uses}
		for _, step := range job.Steps {
			if step.Uses == "" && step.Run == "" {
				found = append(found, "job "+name+" has a step that does nothing")
			}
			used = append(used, step.Uses)
		}
		for _, action := range used {
			if action != "" && !slices.Contains(pins, action) {
				found = append(found, action+" is not pinned: write OWNER/NAME@HASH # vX.Y.Z")
			}
		}
	}
	return found
}

// TestWorkflows_problems checks that TestWorkflows finds something.
func TestWorkflows_problems(t *testing.T) {
	const hash = "34e114876b0b11c390a56381ad16ebd13914f8d5"
	const head = "permissions: {}\njobs:\n  test:\n    steps:\n"
	for name, test := range map[string]struct {
		text string
		good bool
	}{
		"pinned":             {head + "      - uses: actions/checkout@" + hash + " # v4.3.1\n", true},
		"a command":          {head + "      - run: make test\n", true},
		"a tag":              {head + "      - uses: actions/checkout@v4\n", false},
		"no version":         {head + "      - uses: actions/checkout@" + hash + "\n", false},
		"half a version":     {head + "      - uses: actions/checkout@" + hash + " # v4\n", false},
		"half a hash":        {head + "      - uses: actions/checkout@" + hash[:39] + " # v4.3.1\n", false},
		"in quotes":          {head + "      - uses: \"actions/checkout@v4\" # v4.3.1\n", false},
		"a workflow":         {"permissions: {}\njobs:\n  test:\n    uses: acme/ci/test.yml@v1\n", false},
		"no permissions":     {"jobs:\n  test:\n    steps:\n      - run: make test\n", false},
		"no YAML":            {head + "      - run: \"make test\n", false},
		"a step for nothing": {head + "      - name: test\n", false},
	} {
		if found := problems([]byte(test.text)); (len(found) == 0) != test.good {
			t.Errorf("%s: found %q", name, found)
		}
	}
}
