// SPDX-License-Identifier: MPL-2.0

package main

import (
	"bytes"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// workflow is what the tests read in a file of GitHub Actions.
type workflow struct {
	On          map[string]any
	Permissions map[string]string
	Jobs        map[string]job
}

type job struct {
	Uses        string
	Permissions map[string]string
	Strategy    struct{ Matrix struct{ OS []string } }
	Steps       []step
}

type step struct {
	Uses, Run string
	With      map[string]string
}

// action is the name of what a step uses, without its version.
func (s step) action() string {
	name, _, _ := strings.Cut(s.Uses, "@")
	return name
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
	for what, may := range w.Permissions {
		if may != "read" && may != "none" {
			found = append(found, "each job may "+may+" "+what+": give that to one job")
		}
	}
	_, strangers := w.On["pull_request"]
	for name, job := range w.Jobs {
		if strangers && slices.Contains(slices.Collect(maps.Values(job.Permissions)), "write") {
			found = append(found, "job "+name+" may write, and a pull request runs it")
		}
		if len(job.Steps) == 0 && job.Uses == "" {
			found = append(found, "job "+name+" has no steps")
		}
		used := []string{job.Uses}
		for _, step := range job.Steps {
			if step.Uses == "" && step.Run == "" {
				found = append(found, "job "+name+" has a step that does nothing")
			}
			if strings.Contains(step.Run, "${{") {
				found = append(found, "job "+name+" runs what others wrote: pass it in env")
			}
			if step.action() == "actions/checkout" && step.With["persist-credentials"] != "false" {
				found = append(found, "job "+name+" leaves its token in the checkout")
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
	const action = head + "      - uses: acme/action"
	const checkout = head + "      - uses: actions/checkout@" + hash + " # v4.3.1\n"
	for name, test := range map[string]struct {
		text string
		good bool
	}{
		"pinned":           {action + "@" + hash + " # v4.3.1\n", true},
		"a command":        {head + "      - run: make test\n", true},
		"a tag":            {action + "@v4\n", false},
		"no version":       {action + "@" + hash + "\n", false},
		"half a version":   {action + "@" + hash + " # v4\n", false},
		"half a hash":      {action + "@" + hash[:39] + " # v4.3.1\n", false},
		"in quotes":        {head + "      - uses: \"acme/action@v4\" # v4.3.1\n", false},
		"a workflow":       {"permissions: {}\njobs:\n  test:\n    uses: acme/ci/test.yml@v1\n", false},
		"no permissions":   {"jobs:\n  test:\n    steps:\n      - run: make test\n", false},
		"all permissions":  {"permissions: write-all\njobs: {}\n", false},
		"too many of them": {"permissions: {contents: write}\njobs: {}\n", false},
		"reads":            {"permissions: {contents: read}\njobs: {}\n", true},
		"a pull request": {"on: {pull_request: {}}\npermissions: {}\njobs:\n  test:\n" +
			"    permissions: {contents: write}\n    steps:\n      - run: make test\n", false},
		"an expression":      {head + "      - run: make ${{ github.head_ref }}\n", false},
		"a checkout":         {checkout + "        with: {persist-credentials: false}\n", true},
		"that keeps a token": {checkout, false},
		"no YAML":            {head + "      - run: \"make test\n", false},
		"a step for nothing": {head + "      - name: test\n", false},
	} {
		if found := problems([]byte(test.text)); (len(found) == 0) != test.good {
			t.Errorf("%s: found %q", name, found)
		}
	}
}

// readYAML reads a file of this folder.
func readYAML[T any](t *testing.T, name string) (document T) {
	t.Helper()
	text, err := os.ReadFile(name)
	if err == nil {
		err = yaml.Unmarshal(text, &document)
	}
	if err != nil {
		t.Fatal(err)
	}
	return document
}

// TestWorkflows_release checks that a release is refused, built, attested and uploaded in this
// order, all of it, by a job that may do that and no more.
func TestWorkflows_release(t *testing.T) {
	release := readYAML[workflow](t, ".github/workflows/release.yml").Jobs["release"]
	may := map[string]string{"contents": "write", "id-token": "write", "attestations": "write"}
	if !maps.Equal(release.Permissions, may) {
		t.Errorf("it may %v, want %v", release.Permissions, may)
	}
	var does []string
	for _, step := range release.Steps {
		does = append(does, step.action()+step.Run)
		if step.action() == "actions/attest-build-provenance" {
			does = append(does, strings.Fields(step.With["subject-path"])...)
		}
	}
	want := []string{
		"actions/checkout", `scripts/tag-fits "$GITHUB_REF_NAME"`, "actions/setup-go",
		`make release VERSION="${GITHUB_REF_NAME#v}"`,
		"actions/attest-build-provenance", "dist/*.zip", "dist/*_SHA256SUMS",
		`scripts/publish "$GITHUB_REF_NAME"`,
	}
	if !slices.Equal(does, want) {
		t.Errorf("it does\n%q, want\n%q", does, want)
	}
}

// TestWorkflows_systems checks that the README's systems are built, and that tests run on those
// that GitHub has.
func TestWorkflows_systems(t *testing.T) {
	built := readYAML[struct{ Builds []struct{ Targets []string } }](t, ".goreleaser.yml").Builds
	want := []string{"darwin_amd64", "darwin_arm64", "freebsd_amd64", "linux_amd64", "linux_arm64",
		"windows_amd64"}
	if len(built) != 1 || !slices.Equal(built[0].Targets, want) {
		t.Errorf("a release has %v, want %q", built, want)
	}

	job := readYAML[workflow](t, ".github/workflows/test.yml").Jobs["systems"]
	if os := job.Strategy.Matrix.OS; !slices.Equal(os, []string{"windows-latest", "macos-latest"}) {
		t.Errorf("the unit tests run on %q", os)
	}
	for _, command := range []string{"go vet ./...", "go test ./internal/..."} {
		if !slices.ContainsFunc(job.Steps, func(s step) bool {
			return strings.HasPrefix(s.Run, command)
		}) {
			t.Errorf("no step runs %s", command)
		}
	}
}
