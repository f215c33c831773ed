// SPDX-License-Identifier: MPL-2.0

package acceptance

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// event is what starts a pipeline.
type event string

const (
	pullRequest event = "a pull request"
	push        event = "a push to main"
	night       event = "a night"
)

// steps are the names that every recipe gives its jobs, in the order in which they have to run.
var steps = []string{"validate", "base", "snowflake", "canary", "promote", "report"}

// ciJob is a job of a recipe, or the step of one.
type ciJob struct {
	name string
	on   []event
	// after are the jobs that have ended before, as far as they run at all.
	after []string
	// in is the job whose checkout it uses. Empty: its own.
	in string
	// role is the role of the job, or "". hasKeys means that the system assumes it before the job
	// begins. Otherwise the commands do that, with a token.
	role    string
	hasKeys bool
	env     map[string]string
	// caches are the folders that the job finds as an earlier run has left them.
	caches   []string
	commands []string
	// leaves and takes are files that outlive the checkout, by name of the artifact: where the job
	// leaves a file or a folder, and where it finds it.
	leaves, takes map[string]string
	// oneAtATime means that no two runs have this job at the same time. holds means that the job keeps
	// others from building for as long as it waits for an approval.
	oneAtATime, holds bool
	// mayFail means that the jobs after it run all the same if it fails.
	mayFail bool
}

// inOrder are the jobs that run for an event. Where a recipe does not say which of two comes first,
// the one that would better wait does: so a recipe that lacks an order fails.
func inOrder(t *testing.T, jobs []ciJob, e event) []ciJob {
	t.Helper()
	var waiting, ordered []ciJob
	for _, job := range jobs {
		if slices.Contains(job.on, e) {
			waiting = append(waiting, job)
		}
	}
	slices.SortFunc(waiting, func(x, y ciJob) int {
		return slices.Index(steps, y.name) - slices.Index(steps, x.name)
	})
	for len(waiting) > 0 {
		next := slices.IndexFunc(waiting, func(job ciJob) bool {
			return !slices.ContainsFunc(waiting, func(other ciJob) bool {
				return slices.Contains(job.after, other.name)
			})
		})
		if next < 0 {
			t.Fatalf("each of these jobs waits for another one: %v", names(waiting))
		}
		ordered = append(ordered, waiting[next])
		waiting = slices.Delete(waiting, next, next+1)
	}
	return ordered
}

func names(jobs []ciJob) []string {
	var all []string
	for _, job := range jobs {
		all = append(all, job.name)
	}
	return all
}

// inTurn makes each job wait for the one before.
func inTurn(jobs []ciJob) []ciJob {
	for i := 1; i < len(jobs); i++ {
		jobs[i].after = []string{jobs[i-1].name}
	}
	return jobs
}

// node is a place in a YAML document. Its methods end the test if the recipe is not as they need
// it.
type node struct {
	t     *testing.T
	path  string
	value any
}

func readYAML(t *testing.T, path, text string) node {
	t.Helper()
	n := node{t: t, path: path}
	if err := yaml.Unmarshal([]byte(text), &n.value); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return n
}

// has reports whether there is a value under the keys.
func (n node) has(keys ...string) bool {
	for _, key := range keys {
		mapping, _ := n.value.(map[string]any)
		if n.value = mapping[key]; n.value == nil {
			return false
		}
	}
	return true
}

// at is the value under the keys.
func (n node) at(keys ...string) node {
	n.t.Helper()
	for _, key := range keys {
		mapping, _ := n.value.(map[string]any)
		value, ok := mapping[key]
		if !ok {
			n.t.Fatalf("%s has no %q", n.path, key)
		}
		n = node{n.t, n.path + "." + key, value}
	}
	return n
}

// or is the value under a key, or another one.
func (n node) or(key string, value any) node {
	if n.has(key) {
		return n.at(key)
	}
	return node{n.t, n.path + "." + key, value}
}

func (n node) text() string {
	n.t.Helper()
	switch value := n.value.(type) {
	case string:
		return value
	case int, bool:
		return fmt.Sprint(value)
	}
	n.t.Fatalf("%s is no text: %v", n.path, n.value)
	return ""
}

// list is a list, or the only value of one.
func (n node) list() []node {
	values, isList := n.value.([]any)
	if !isList {
		return []node{n}
	}
	var nodes []node
	for i, value := range values {
		nodes = append(nodes, node{n.t, fmt.Sprintf("%s[%d]", n.path, i), value})
	}
	return nodes
}

// single is the only value of a list.
func (n node) single() node {
	n.t.Helper()
	nodes := n.list()
	if len(nodes) != 1 {
		n.t.Fatalf("%s has %d values, want one", n.path, len(nodes))
	}
	return nodes[0]
}

func (n node) texts() []string {
	n.t.Helper()
	var all []string
	for _, item := range n.list() {
		all = append(all, item.text())
	}
	return all
}

// mapping is a mapping to texts.
func (n node) mapping() map[string]string {
	n.t.Helper()
	all := map[string]string{}
	for _, key := range n.keys() {
		all[key] = n.at(key).text()
	}
	return all
}

func (n node) keys() []string {
	n.t.Helper()
	mapping, ok := n.value.(map[string]any)
	if !ok {
		n.t.Fatalf("%s is no mapping: %v", n.path, n.value)
	}
	var keys []string
	for key := range mapping {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

// only wants no other keys than these, which the recipes use as the system's documentation says.
// Most systems publish a JSON schema, but not where a test could get a fixed version of it. GitHub's
// file is also checked by actionlint, in "make lint", and that of CodeBuild by cfn-lint.
func (n node) only(known ...string) node {
	n.t.Helper()
	for _, key := range n.keys() {
		if !slices.Contains(known, key) {
			n.t.Fatalf("%s has the key %q, and only these are known here: %v", n.path, key, known)
		}
	}
	return n
}

// is wants a text.
func (n node) is(want string) {
	n.t.Helper()
	if got := n.text(); got != want {
		n.t.Fatalf("%s is %q, want %q", n.path, got, want)
	}
}

// events are those of a condition. A test knows each condition of a recipe, because it cannot
// evaluate those of eight systems: whoever changes one also says here when it is true.
func (n node) events(known map[string][]event) []event {
	n.t.Helper()
	events, ok := known[n.text()]
	if !ok {
		n.t.Fatalf("%s is a condition that the test does not know: %s", n.path, n.text())
	}
	return events
}

// roleIn is the name of the role in an ARN.
func roleIn(arn string) string { return arn[strings.LastIndexByte(arn, '/')+1:] }
