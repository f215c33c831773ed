// SPDX-License-Identifier: MPL-2.0

package acceptance

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

// consumers is an account in which images of a chain run: what CI did with the examples of the
// repository, in the order of story.
type consumers struct {
	*lab
	// base is the AMI that all others are built on. old was in production; current is; branch was
	// built by a branch.
	base, old, current, branch string
	// oldInstance runs old, and another instance current.
	oldInstance string
	// commits are those of old, branch and current.
	commits []string
}

// TestAccConsumers builds the account once, and then does what its parts say, each of which leaves
// it as the next one needs it.
func TestAccConsumers(t *testing.T) {
	newPacker(t)
	t.Parallel()
	c := newConsumers(t)
	for _, part := range []struct {
		name string
		run  func(*testing.T, *consumers)
	}{{"commands", testCommands}, {"terraform", testTerraform}} {
		t.Run(part.name, func(t *testing.T) {
			whole := c.t
			c.t = t
			defer func() { c.t = whole }()
			part.run(t, c)
		})
	}
}

// testCommands runs the commands of docs/consumers.md in the order of the page, as a reader does,
// and compares what each prints.
func testCommands(t *testing.T, c *consumers) {
	needAWSCommand(t)
	c.must("revoke", "PKR_VAR_reason=CVE-2026-0001", "PKR_VAR_fingerprint="+
		lookUp(c.pointer("snowflake/lines/feature-x"), "moves.0.fingerprint"))
	c.must("report", "PKR_VAR_page=s3://"+bucket+"/report")
	printed := c.answers()
	want := c.wantAnswers()
	asked := slices.Sorted(maps.Keys(printed))
	if known := slices.Sorted(maps.Keys(want)); !slices.Equal(asked, known) {
		t.Fatalf("the page asks\n%q\nand the test knows\n%q", asked, known)
	}
	for question, pattern := range want {
		if !regexp.MustCompile(`^(?:` + pattern + `)\n$`).MatchString(printed[question]) {
			t.Errorf("%s\nprints\n%s\nwant\n%s", question, printed[question], pattern)
		}
	}
}

// wantAnswers are patterns of what the commands below each heading print.
func (c *consumers) wantAnswers() map[string]string {
	const at, id = `20\d\d-\S+`, `[0-9a-f]{12}`
	url := regexp.QuoteMeta("https://github.com/acme/images/actions/runs/1234567890")
	move := func(reason string, commit int) string {
		return at + `\tforward\t` + id + `\t` + c.commits[commit][:12] + `\toctocat\t` + reason
	}
	revoked := `CVE-2026-0001.*`
	lines := func(lines ...string) string { return strings.Join(lines, `\n`) }
	return map[string]string{
		"Which AMI is in production?": lines(c.current, region+` `+c.current),
		"What is it built from?": lines(`chain:ci-build\t`+url, `chain:commit\t`+c.commits[2],
			`chain:fingerprint\t\w+`, `chain:git-sha\t\w+`, `chain:image\tsnowflake`,
			`chain:manifest\ts3://acme-images/chain/snowflake/builds/\w+\.json`,
			`chain:parent\t`+c.base),
		"Who promoted it, when and why?":          at + `\tforward\toctocat\ttested by hand\t` + url,
		"What is the history of the channel?":     lines(move("tested by hand", 2), move("-", 0)),
		"Is it revoked?":                          c.branch + `\tsnowflake-\d+\t` + revoked,
		"Which AMIs of the image exist here?":     c.wantAMIs(at),
		"Which images are built on this base?":    c.wantChildren(),
		"What has the last run of a branch left?": at + `\t` + c.commits[1] + `\t` + c.branch,
		"Which instances run an old image?":       c.oldInstance + `\t` + c.old + `\t` + at,
		"What is out of date, and why?": lines(`baseline-ubuntu\tcurrent\t[^\n]*`,
			`snowflake\tcurrent\t[^\n]*`, `http\S+/report/chain.html\?\S+`),
	}
}

// wantAMIs are those of snowflake, in the order in which they were built. EC2 tells seconds.
func (c *consumers) wantAMIs(at string) string {
	var rows []string
	for i, id := range []string{c.old, c.branch, c.current} {
		rows = append(rows, at+`\t`+id+`\tavailable\t`+c.commits[i])
	}
	return strings.Join(rows, `\n`)
}

func (c *consumers) wantChildren() string {
	direct := `(?:(?:` + strings.Join([]string{c.old, c.branch, c.current}, "|") + `)\tsnowflake\n){3}`
	return direct + `snowflake\tlatest\t` + c.base + `\nsnowflake\tproduction\t` + c.base
}

// heading begins a question on the page.
var heading = regexp.MustCompile(`(?m)^### (.*)$`)

// answers runs the commands below "Questions and commands" as one script, because later ones use
// variables of earlier ones, and returns what was printed for each question.
func (c *consumers) answers() map[string]string {
	c.t.Helper()
	page, err := os.ReadFile(filepath.Join(root, "docs/consumers.md"))
	c.check(err)
	_, page2, _ := strings.Cut(string(page), "\n## Questions and commands\n")
	parts := heading.Split(page2, -1)
	script := commandsOf(parts[0])
	for i, match := range heading.FindAllStringSubmatch(page2, -1) {
		commands := commandsOf(parts[i+1])
		if commands == "" {
			c.t.Errorf("%q has no commands", match[1])
		}
		script += "echo '### " + match[1] + "'\n" + commands
	}
	out := c.shell(script)
	questions, printed := heading.FindAllStringSubmatch(out, -1), heading.Split(out, -1)
	answers := map[string]string{}
	for i, match := range questions {
		answers[match[1]] = strings.TrimPrefix(printed[i+1], "\n")
	}
	return answers
}

// newConsumers builds the examples twice on main and once on a branch, and promotes twice.
func newConsumers(t *testing.T) *consumers {
	t.Helper()
	c := &consumers{lab: newLabIn(t, filepath.Join(t.TempDir(), "repo"))}
	c.check(c.repo.CopyFrom(filepath.Join(root, "example")))
	c.write(".gitignore", "chain-report/\npacker-manifest.json\n")
	c.packer = c.packer.With("GITHUB_ACTIONS=true", "GITHUB_EVENT_NAME=push",
		"GITHUB_SERVER_URL=https://github.com", "GITHUB_REPOSITORY=acme/images",
		"GITHUB_RUN_ID=1234567890", "GITHUB_ACTOR=octocat")
	c.configureAWSCommand()
	c.old = c.run("main", "base", "snowflake", "promote")
	c.base = lookUp(c.pointer("baseline-ubuntu/channels/latest"), "amis."+region)
	c.oldInstance = c.launch(c.old)

	c.git("checkout", "-q", "-b", "feature-x")
	c.write("snowflake/tasks/docker.sh", "true # feature\n")
	c.branch = c.run("feature-x", "base", "snowflake")

	c.git("checkout", "-q", "main")
	c.write("snowflake/tasks/docker.sh", "true # main\n")
	c.packer = c.packer.With("PKR_VAR_reason=tested by hand")
	c.current = c.run("main", "base", "snowflake", "promote")
	c.launch(c.current)
	return c
}

// run is a run of CI for what is in the work tree, which it commits. It returns the AMI that the
// line of the branch points at then.
func (c *consumers) run(branch string, folders ...string) string {
	c.t.Helper()
	commit := c.commit("change for " + branch)
	c.commits = append(c.commits, commit)
	for _, folder := range folders {
		c.must(folder, "GITHUB_REF=refs/heads/"+branch, "GITHUB_SHA="+commit)
	}
	return lookUp(c.pointer("snowflake/lines/"+branch), "amis."+region)
}

// must runs packer build in a folder, with further variables.
func (c *consumers) must(folder string, env ...string) {
	c.t.Helper()
	if len(c.commits) > 0 {
		env = append([]string{"GITHUB_REF=refs/heads/main",
			"GITHUB_SHA=" + c.commits[len(c.commits)-1]}, env...)
	}
	result, err := c.packer.With(env...).Build(c.t.Context(), filepath.Join(c.repo.Dir, folder))
	c.check(err)
	wantCode(c.t, 0, result)
}

func (c *consumers) git(args ...string) {
	c.t.Helper()
	_, err := c.repo.Git(c.t.Context(), args...)
	c.check(err)
}

// launch starts an instance of an AMI, and returns its id.
func (c *consumers) launch(ami string) string {
	c.t.Helper()
	out, err := c.aws.EC2(region).RunInstances(c.t.Context(), &ec2.RunInstancesInput{
		ImageId: &ami, InstanceType: types.InstanceTypeT3Micro,
		MinCount: aws.Int32(1), MaxCount: aws.Int32(1)})
	c.check(err)
	return *out.Instances[0].InstanceId
}
