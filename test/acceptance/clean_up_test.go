// SPDX-License-Identifier: MPL-2.0

package acceptance

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/google/go-cmp/cmp"
)

// cleaned is an account with AMIs that nothing needs, and others that look like them.
type cleaned struct {
	*lab
	// names are what the AMIs of the story are called here, by id.
	names map[string]string
}

// The names of all AMIs that the page says may go.
var (
	unused      = []string{"base 3", "of pull request 42"}
	unpublished = []string{"never published"}
)

// TestAccCleanUp runs the commands of docs/tasks/clean-up.md in the order of the page. What they
// list is deregistered, and then the chain is as it was: nothing is built, and channels move.
func TestAccCleanUp(t *testing.T) {
	needAWSCommand(t)
	newPacker(t)
	t.Parallel()
	c := newCleaned(t)
	text := string(read(t, root+"/docs/tasks/clean-up.md"))
	blocks := shellBlock.FindAllStringSubmatch(text, -1)
	if len(blocks) != 5 {
		t.Fatalf("the page has %d blocks of commands, and the test knows 5", len(blocks))
	}
	deleteLine, script, run, deregister, find :=
		blocks[0][1], blocks[1][1], blocks[2][1], blocks[3][1], blocks[4][1]
	c.check(os.WriteFile(filepath.Join(c.repo.Dir, "unused.sh"), []byte(script), 0o644))

	if diff := cmp.Diff(unused[:1], c.listed(c.shell(run))); diff != "" {
		t.Errorf("as long as the line exists: %s", diff)
	}
	before := c.keys("")
	c.shell(deleteLine)
	gone := slices.DeleteFunc(before, func(key string) bool {
		return slices.Contains(c.keys(""), key)
	})
	if diff := cmp.Diff([]string{"snowflake/lines/pr-42.json"}, gone); diff != "" {
		t.Errorf("deleted objects: %s", diff)
	}
	list := c.shell(run)
	if diff := cmp.Diff(unused, c.listed(list)); diff != "" {
		t.Errorf("unused AMIs: %s", diff)
	}
	never := c.shell(find)
	if diff := cmp.Diff(unpublished, c.listed(never)); diff != "" {
		t.Errorf("AMIs that were never published: %s", diff)
	}
	for line := range strings.Lines(list + never) {
		id := strings.Fields(line)[0]
		c.shell(changed(t, deregister, "ami-0a1b2c3d4e5f60718", id))
		delete(c.names, id)
	}
	c.wantLeft()
}

// TestAccCleanUp_nothingRead has a mistake in the address of the registry. Nothing may be listed:
// whoever takes the list for what may go would delete everything.
func TestAccCleanUp_nothingRead(t *testing.T) {
	needAWSCommand(t)
	newPacker(t)
	t.Parallel()
	l := newLab(t, template(t, "ami"))
	l.configureAWSCommand()
	l.mustBuild("base")
	script := commandsOf(string(read(t, root+"/docs/tasks/clean-up.md")))
	_, script, _ = strings.Cut(script, "set -euo pipefail\n")
	script, _, _ = strings.Cut(script, "bash unused.sh\n")
	for _, mistake := range []string{"s3://acme-images/chian", "s3://acme-image/chain"} {
		// The filter on the tag alone would hide that the AMIs are listed.
		broken := changed(t, script, "$registry/*", "*", "registry=s3://acme-images/chain",
			"registry="+mistake)
		if out, _, err := l.tryShell(broken); err == nil || out != "" {
			t.Errorf("%s: no error, or a list: %v\n%s", mistake, err, out)
		}
	}
}

// newCleaned builds base 13 times, with production of snowflake left on the first of these.
func newCleaned(t *testing.T) *cleaned {
	t.Helper()
	c := &cleaned{lab: newLabIn(t, filepath.Join(t.TempDir(), "repo")), names: map[string]string{}}
	c.configureAWSCommand()
	c.write(".gitignore", "packer-manifest.json\nunused.sh\n")
	c.write("base/base.pkr.hcl", template(t, "ami"))
	c.write("snowflake/snowflake.pkr.hcl", template(t, "child", `image    = "app"`,
		`image    = "snowflake"`, `source "chain" "app"`, `source "chain" "snowflake"`,
		"source.chain.app", "source.chain.snowflake"))
	c.write("promote/promote.pkr.hcl", template(t, "promote",
		`image    = "base"`, `image    = "snowflake"`))

	c.run("base 1", "refs/heads/main", "base")
	c.run("snowflake 1", "refs/heads/main", "snowflake")
	c.run("", "refs/heads/main", "promote")
	for i := 2; i <= 13; i++ {
		c.run(fmt.Sprint("base ", i), "refs/heads/main", "base")
	}
	c.run("snowflake 2", "refs/heads/main", "snowflake")
	c.run("of pull request 42", "refs/pull/42/merge", "snowflake")
	c.run("never published", "refs/heads/main", "base", "-except=chain")
	// What the last run would have published is not on main: a revert.
	c.write("base/notes.txt", "base 13\n")
	c.write("snowflake/notes.txt", "snowflake 2\n")
	c.commit("revert")

	other := c.packer.With("PKR_VAR_registry=s3://" + bucket + "/chain-of-others")
	result, err := other.Build(t.Context(), filepath.Join(c.repo.Dir, "base"))
	c.check(err)
	wantCode(t, 0, result)
	c.learn("of another registry")
	_, err = c.aws.CreateImage(t.Context(), region, "of somebody else")
	c.check(err)
	c.learn("of somebody else")
	c.launch("base 2")
	return c
}

// run is a run of CI for a new commit, with another file in the folder. The AMI that it
// makes has that name in the story; without a name it makes none.
func (c *cleaned) run(name, ref, folder string, options ...string) {
	c.t.Helper()
	c.write(folder+"/notes.txt", name+"\n")
	event := "push"
	if strings.HasPrefix(ref, "refs/pull/") {
		event = "pull_request"
	}
	packer := c.packer.With("GITHUB_ACTIONS=true", "GITHUB_REF="+ref, "GITHUB_EVENT_NAME="+event,
		"GITHUB_HEAD_REF=fix", "GITHUB_SHA="+c.commit(fmt.Sprintf("%s %s", folder, name)))
	args := append(append([]string{"build", "-color=false"}, options...), ".")
	result, err := packer.Run(c.t.Context(), filepath.Join(c.repo.Dir, folder), args...)
	c.check(err)
	wantCode(c.t, 0, result)
	if name != "" {
		c.learn(name)
	}
}

// learn gives the AMI that is new a name.
func (c *cleaned) learn(name string) {
	c.t.Helper()
	known := len(c.names)
	for _, image := range c.images(region) {
		if _, ok := c.names[image.ID]; !ok {
			c.names[image.ID] = name
		}
	}
	if len(c.names) != known+1 {
		c.t.Fatalf("%s: %d new AMIs, want one", name, len(c.names)-known)
	}
}

// launch starts an instance of an AMI.
func (c *cleaned) launch(name string) {
	c.t.Helper()
	for id, known := range c.names {
		if known == name {
			_, err := c.aws.EC2(region).RunInstances(c.t.Context(), &ec2.RunInstancesInput{
				ImageId: &id, MinCount: aws.Int32(1), MaxCount: aws.Int32(1)})
			c.check(err)
		}
	}
}

// listed are the names of the AMIs of a list, whose lines begin with an id.
func (c *cleaned) listed(list string) []string {
	c.t.Helper()
	var names []string
	for line := range strings.Lines(list) {
		name, ok := c.names[strings.Fields(line)[0]]
		if !ok {
			c.t.Errorf("a line without an AMI of the story: %s", line)
		}
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// wantLeft wants all AMIs that were not deregistered, a chain with nothing to build, and channels
// that move to the ends of what was kept.
func (c *cleaned) wantLeft() {
	c.t.Helper()
	images := c.images(region)
	for _, image := range images {
		if _, ok := c.names[image.ID]; !ok {
			c.t.Errorf("%s was not deregistered", image.ID)
		}
	}
	if len(images) != len(c.names) {
		c.t.Errorf("%d AMIs are left, want %d", len(images), len(c.names))
	}
	for _, folder := range []string{"base", "snowflake"} {
		wantOutput(c.t, c.mustBuild(folder), "unchanged: nothing is built")
	}
	wantOutput(c.t, c.mustBuild("promote"), "channel production -> ")
	c.packer = c.packer.With("PKR_VAR_from=production", "PKR_VAR_previous=1",
		"PKR_VAR_allow_rollback=true")
	wantOutput(c.t, c.mustBuild("promote"), "(rolled back)")
	c.write("promote/promote.pkr.hcl", template(c.t, "promote"))
	c.packer = c.packer.With("PKR_VAR_from=latest", "PKR_VAR_previous=9")
	wantOutput(c.t, c.mustBuild("promote"), "channel production -> ")
}
