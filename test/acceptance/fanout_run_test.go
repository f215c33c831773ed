// SPDX-License-Identifier: MPL-2.0

package acceptance

import (
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/packer-chain/packer-plugin-chain/test/lab/program"
)

// checkout is a clone of acme/images, and the machine of a CI service that runs commands in it.
type checkout struct {
	*lab
	env []string
}

// onGitHub and onGitLab are the variables of a push to main, beside the commit.
var (
	onGitHub = []string{"GITHUB_ACTIONS=true", "GITHUB_EVENT_NAME=push", "GITHUB_REF=refs/heads/main",
		"GITHUB_SERVER_URL=https://github.com", "GITHUB_REPOSITORY=acme/images"}
	onGitLab = []string{"GITLAB_CI=true", "CI_COMMIT_BRANCH=main", "CI_DEFAULT_BRANCH=main",
		"CI_SERVER_HOST=gitlab.com", "CI_PROJECT_PATH=acme/images"}
)

// newCheckout has a jq on PATH, the one that make installs, and a registry that is a folder.
func newCheckout(t *testing.T, service []string) checkout {
	t.Helper()
	l := offlineLab(t)
	gojq, err := program.Path("gojq")
	l.check(err)
	bin := t.TempDir()
	l.check(os.Symlink(gojq, filepath.Join(bin, "jq")))
	env := append(l.packer.Environ(), l.repo.Environ()...)
	env = append(env, service...)
	return checkout{l, append(env, withoutAmazon(), "PKR_VAR_builder=file", "PKR_VAR_source_ami=none",
		"PATH="+bin+string(os.PathListSeparator)+os.Getenv("PATH"),
		"PKR_VAR_registry="+filepath.Join(t.TempDir(), "registry"))}
}

// run runs commands as the CI service does, with "bash -e" or "sh -e", and returns what they print.
func (c checkout) run(shell, commands string, env ...string) string {
	c.t.Helper()
	commit, err := c.repo.Git(c.t.Context(), "rev-parse", "HEAD")
	c.check(err)
	cmd := exec.CommandContext(c.t.Context(), shell, "-e", "-c", commands)
	cmd.Dir = c.repo.Dir
	cmd.Env = slices.Concat(c.env, env, []string{"GITHUB_SHA=" + commit, "CI_COMMIT_SHA=" + commit})
	out, err := cmd.CombinedOutput()
	if err != nil {
		c.t.Fatalf("%s\n%v\n%s", commands, err, out)
	}
	return string(out)
}

// example reads a file of example/report.
func example(t *testing.T, name string, into any) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "example/report", name))
	if err == nil {
		err = yaml.Unmarshal(text, into)
	}
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}

// nameList is a list in YAML. A single name needs no brackets.
type nameList []string

func (n *nameList) UnmarshalYAML(value *yaml.Node) error {
	if value.Kind == yaml.ScalarNode {
		*n = nameList{value.Value}
		return nil
	}
	return value.Decode((*[]string)(n))
}

// workflow is a file of GitHub Actions.
type workflow struct {
	Jobs map[string]workflowJob
}

type workflowJob struct {
	Needs    nameList
	If       string
	Env      map[string]string
	Outputs  map[string]string
	Steps    []workflowStep
	Strategy struct {
		Matrix struct{ Include string }
	}
}

type workflowStep struct {
	ID, Run, Uses string
	With          map[string]string
}

// expressions of GitHub, as far as the example has them.
var (
	value    = regexp.MustCompile(`\$\{\{ ([\w.]+) \}\}`)
	fromJSON = regexp.MustCompile(`^\$\{\{ fromJSON\(([\w.]+)\) \}\}$`)
	unequal  = regexp.MustCompile(`([\w.]+) != '([^']*)'`)
)

// values are what expressions stand for, such as "matrix.folder".
type values map[string]string

func (v values) of(t *testing.T, name string) string {
	t.Helper()
	text, known := v[name]
	if !known {
		t.Fatalf("%s has no value in %v", name, v)
	}
	return text
}

func (v values) expand(t *testing.T, text string) string {
	t.Helper()
	return value.ReplaceAllStringFunc(text, func(s string) string {
		return v.of(t, value.FindStringSubmatch(s)[1])
	})
}

// lastFirst are the jobs of the example. Where the file does not say which of two comes first, the one
// that would better wait does: so a file that lacks an order fails.
var lastFirst = []string{"page", "deeper", "level2", "level1", "level0", "plan"}

// run runs a workflow, and returns what the jobs printed that build: by "job image", and by job if it
// has no matrix. Of the steps it runs those with commands.
func (w workflow) run(t *testing.T, c checkout) map[string]string {
	t.Helper()
	known, printed := values{}, map[string]string{}
	for range w.Jobs {
		next := slices.IndexFunc(lastFirst, func(name string) bool {
			return known["done "+name] == "" && known.haveDone(w.Jobs[name].Needs)
		})
		if next < 0 || len(w.Jobs) != len(lastFirst) {
			t.Fatalf("jobs that need each other, or that nobody knows: %v", known)
		}
		name := lastFirst[next]
		w.checkLeftOut(t, name)
		maps.Copy(printed, w.Jobs[name].run(t, c, name, known))
		known["done "+name] = "yes"
	}
	return printed
}

func (v values) haveDone(jobs []string) bool {
	return !slices.ContainsFunc(jobs, func(job string) bool { return v["done "+job] == "" })
}

// checkLeftOut wants a job to run if one that it needs is left out. GitHub leaves it out too, unless
// its condition asks how that went.
func (w workflow) checkLeftOut(t *testing.T, name string) {
	t.Helper()
	for _, need := range w.Jobs[name].Needs {
		if w.Jobs[need].If != "" && !strings.Contains(w.Jobs[name].If, "!cancelled()") {
			t.Errorf("%s is left out if %s is", name, need)
		}
	}
}

// run runs a job: once, or for each entry of its matrix.
func (j workflowJob) run(t *testing.T, c checkout, name string, known values) map[string]string {
	t.Helper()
	printed := map[string]string{}
	if not := unequal.FindStringSubmatch(j.If); not != nil && known.of(t, not[1]) == not[2] {
		return printed
	}
	list := fromJSON.FindStringSubmatch(j.Strategy.Matrix.Include)
	if list == nil {
		printed[name] = j.steps(t, c, name, known)
		return printed
	}
	var entries []map[string]string
	text := known.of(t, list[1])
	if err := json.Unmarshal([]byte(text), &entries); err != nil || len(entries) == 0 {
		t.Fatalf("the matrix of %s is %q: %v", name, text, err)
	}
	for _, entry := range entries {
		here := maps.Clone(known)
		for key, text := range entry {
			here["matrix."+key] = text
		}
		printed[name+" "+entry["image"]] = j.steps(t, c, name, here)
	}
	return printed
}

// steps runs the commands of a job, and adds its outputs to what is known.
func (j workflowJob) steps(t *testing.T, c checkout, name string, known values) string {
	t.Helper()
	output, summary := filepath.Join(t.TempDir(), "output"), filepath.Join(t.TempDir(), "summary")
	env := []string{"GITHUB_OUTPUT=" + output, "GITHUB_STEP_SUMMARY=" + summary}
	for key, text := range j.Env {
		env = append(env, key+"="+known.expand(t, text))
	}
	var printed strings.Builder
	for _, step := range j.Steps {
		if strings.Contains(step.Run, "${{") {
			t.Errorf("a text of the registry could become a command: %s", step.Run)
		}
		printed.WriteString(c.run("bash", step.Run, env...))
	}
	text, _ := os.ReadFile(output)
	for line := range strings.Lines(string(text)) {
		key, text, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		known["steps.plan.outputs."+key] = text
	}
	for key, text := range j.Outputs {
		known["needs."+name+".outputs."+key] = known.expand(t, text)
	}
	text, _ = os.ReadFile(summary)
	known["summary"] += string(text)
	return printed.String() + string(text)
}

// pipeline is a file of GitLab.
type pipeline struct {
	Include struct{ Local string }
	Stages  []string
	Jobs    map[string]pipelineJob `yaml:",inline"`
}

type pipelineJob struct {
	Stage, Extends string
	Script         nameList
	Variables      map[string]variable
}

// variable is one of GitLab's. It is a text, or has options.
type variable struct {
	Value string
	// Expand is true if what looks like a variable in Value is replaced.
	Expand bool
}

func (v *variable) UnmarshalYAML(value *yaml.Node) error {
	v.Expand = true
	if value.Kind == yaml.ScalarNode {
		return value.Decode(&v.Value)
	}
	type options variable
	return value.Decode((*options)(v))
}

// readPipeline reads a file of GitLab, in which not every value is a job.
func readPipeline(t testing.TB, text []byte) pipeline {
	t.Helper()
	var all map[string]yaml.Node
	err := yaml.Unmarshal(text, &all)
	p := pipeline{Jobs: map[string]pipelineJob{}}
	for name, node := range all {
		if err != nil {
			break
		}
		var job pipelineJob
		switch name {
		case "include":
			err = node.Decode(&p.Include)
		case "stages":
			err = node.Decode(&p.Stages)
		case "default", "variables":
		default:
			err = node.Decode(&job)
			p.Jobs[name] = job
		}
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return p
}
