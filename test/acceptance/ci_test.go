// SPDX-License-Identifier: MPL-2.0

package acceptance

import (
	"context"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/packer-chain/packer-plugin-chain/test/lab/workspace"
)

// changedBucket is the bucket of a recipe that was copied and changed, as its first lines say.
const changedBucket = "acme-changed"

// assumeRole stands in the place of packer, and assumes the role of a job that has a token. The
// SDKs do that, but that of the Amazon plugin asks AWS, whatever the address of the emulator is.
const assumeRole = `#!/bin/bash
if [[ -n $AWS_WEB_IDENTITY_TOKEN_FILE ]]; then
	[[ $AWS_ROLE_ARN = arn:aws:iam::123456789012:role/* ]] || { echo "role: $AWS_ROLE_ARN"; exit 1; }
	[[ $(< "$AWS_WEB_IDENTITY_TOKEN_FILE") = ` + token + ` ]] || { echo "not the token"; exit 1; }
	unset AWS_WEB_IDENTITY_TOKEN_FILE AWS_ROLE_ARN
	export AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test
fi
PATH=${PATH#*:} exec packer "$@"
`

// roles are those of the jobs of every recipe.
var roles = map[string]string{
	"validate": "", "base": "images", "snowflake": "images",
	"canary": "images-canary", "promote": "images-promote", "report": "images-report",
}

// TestAccCI runs the commands of each recipe under example/ci, as they stand in the file, in the
// order that the file asks for: first those of a pull request, then those of main, then those of a
// night. Each job has a fresh checkout and the variables of its system, a role only if the recipe
// gives it one, and the plugins only where the recipe keeps them from run to run.
func TestAccCI(t *testing.T) {
	newPacker(t)
	t.Parallel()
	for _, system := range ciSystems {
		t.Run(system.file, func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(filepath.Join(root, "example", "ci", system.file))
			if err != nil {
				t.Fatal(err)
			}
			changed := strings.ReplaceAll(string(text), "s3://"+bucket+"/", "s3://"+changedBucket+"/")
			jobs := system.read(t, changed)
			checkRecipe(t, jobs)
			newCILab(t, system, jobs).runAll()
		})
	}
}

// TestCIRecipes wants a system for each recipe, and a row on the page of the documentation.
func TestCIRecipes(t *testing.T) {
	page, err := os.ReadFile(filepath.Join(root, "docs", "ci.md"))
	if err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(filepath.Join(root, "example", "ci"))
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		name := entry.Name()
		tested := slices.ContainsFunc(ciSystems, func(s ciSystem) bool { return s.file == name })
		if !tested && !strings.HasSuffix(name, "-plan.yml") {
			t.Errorf("no system runs %s", name)
		}
		if !strings.Contains(string(page), "(../example/ci/"+name+")") {
			t.Errorf("docs/ci.md does not mention %s", name)
		}
	}
}

// checkRecipe checks what every recipe promises, whatever the system.
func checkRecipe(t *testing.T, jobs []ciJob) {
	t.Helper()
	for e, want := range map[event][]string{
		pullRequest: {"validate"},
		push:        {"base", "snowflake", "canary", "promote"},
		night:       {"base", "snowflake", "canary", "promote", "report"},
	} {
		got := names(inOrder(t, jobs, e))
		slices.SortFunc(got, func(x, y string) int {
			return slices.Index(steps, x) - slices.Index(steps, y)
		})
		if !slices.Equal(got, want) {
			t.Errorf("%s starts %v, want %v", e, got, want)
		}
	}
	for _, job := range jobs {
		if job.role != roles[job.name] {
			t.Errorf("%s has the role %q, want %q", job.name, job.role, roles[job.name])
		}
		for _, value := range job.env {
			if job.role == "" && value == token {
				t.Errorf("%s has a token, and may assume a role with it", job.name)
			}
		}
		builds := slices.Contains([]string{"base", "snowflake", "canary"}, job.name)
		if builds && !job.oneAtATime {
			t.Errorf("%s may run twice at the same time", job.name)
		}
		if job.name == "promote" && job.holds {
			t.Error("promote keeps the next run from building while it waits for an approval")
		}
		for _, other := range jobs {
			waits := slices.Contains(job.after, other.name) && !other.mayFail
			if waits && other.name == "report" {
				t.Errorf("%s does not run if the report fails", job.name)
			}
			if waits && job.name == "report" && other.name != "validate" {
				t.Errorf("the report does not run if %s fails", other.name)
			}
		}
	}
}

// ciLab is a lab whose repository is the one that CI clones.
type ciLab struct {
	*lab
	system ciSystem
	jobs   []ciJob
	// artifacts is where the system keeps what a job leaves, by name, and bin has its packer.
	artifacts, bin string
}

func newCILab(t *testing.T, system ciSystem, jobs []ciJob) *ciLab {
	t.Helper()
	l := newLabIn(t, filepath.Join(t.TempDir(), "repo"))
	c := &ciLab{l, system, jobs, t.TempDir(), t.TempDir()}
	c.check(os.WriteFile(filepath.Join(c.bin, "packer"), []byte(assumeRole), 0o755))
	c.check(c.aws.CreateBucket(t.Context(), changedBucket))
	c.check(c.repo.CopyFrom(filepath.Join(root, "example")))
	c.git("config uploadpack.allowAnySHA1InWant true")
	return c
}

func (c *ciLab) git(command string) string {
	c.t.Helper()
	out, err := c.repo.Git(c.t.Context(), strings.Fields(command)...)
	c.check(err)
	return out
}

// runAll tells the story of a repository.
func (c *ciLab) runAll() {
	main := c.commit("begin")
	c.git("checkout --quiet -b fix")
	c.write("base/notes.txt", "a fix")
	fix := c.commit("fix")
	c.git("checkout --quiet main")

	c.start(pullRequest, fix, steps)
	c.wantNothing()

	c.start(push, main, steps)
	c.wantPromoted(main)
	c.wantLaunched(3) // base, snowflake and the canary

	if c.system.provider == "github-actions" { // one night of them all is enough
		c.start(night, main, steps)
		c.wantLaunched(4) // only the canary: nothing is built
		c.wantPromoted(main)
	} else {
		c.start(night, main, []string{"report"})
	}
	c.wantReport()
}

// start runs the jobs that an event starts, as far as they are among some.
func (c *ciLab) start(e event, sha string, some []string) {
	c.t.Helper()
	machines := map[string]ciRun{}
	for _, job := range inOrder(c.t.(*testing.T), c.jobs, e) {
		if !slices.Contains(some, job.name) {
			continue
		}
		run, exists := machines[job.in]
		if !exists || job.in == "" {
			home := c.t.TempDir()
			run = ciRun{e, "file://" + c.repo.Dir, sha, filepath.Join(home, "checkout"), home}
			c.checkOut(run)
			machines[job.in] = run
		}
		c.runJob(run, job)
	}
}

// checkOut makes a checkout as the system makes it.
func (c *ciLab) checkOut(run ciRun) {
	c.t.Helper()
	checkout := workspace.Repo{Dir: run.dir}
	c.check(os.Mkdir(run.dir, 0o755))
	for _, command := range c.system.checkout(run) {
		_, err := checkout.Git(c.t.Context(), strings.Fields(command)...)
		c.check(err)
	}
	if head, err := checkout.Git(c.t.Context(), "rev-list", "HEAD"); err != nil || head != run.sha {
		c.t.Fatalf("the checkout has %q, want only %s: %v", head, run.sha, err)
	}
}

// runJob runs the commands of a job, and fails unless they succeed and leave what they should.
func (c *ciLab) runJob(run ciRun, job ciJob) {
	c.t.Helper()
	place := func(text string) string { return c.place(run, text) }
	for _, folder := range job.caches {
		c.fillCache(place(folder))
	}
	for name, to := range job.takes {
		c.copyArtifact(filepath.Join(c.artifacts, flat(name)), inDir(run.dir, place(to)))
	}
	c.check(os.MkdirAll(filepath.Join(run.home, "tmp"), 0o755))
	script := place(strings.Join(job.commands, "\n"))
	ctx, cancel := context.WithTimeout(c.t.Context(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-e", "-o", "pipefail", "-c", script)
	cmd.Dir, cmd.Env = run.dir, c.environ(run, job)
	cmd.WaitDelay = 20 * time.Second
	out, err := cmd.CombinedOutput()
	if err != nil {
		c.t.Fatalf("%s, job %s: %v\n$ %s\n%s", run.event, job.name, err, script, out)
	}
	for name, from := range job.leaves {
		c.copyArtifact(inDir(run.dir, place(from)), filepath.Join(c.artifacts, flat(name)))
	}
}

// place replaces the expressions of the system, and puts folders of its machines elsewhere.
func (c *ciLab) place(run ciRun, text string) string {
	text = strings.NewReplacer("/root/", run.home+"/root/", "/var/lib/", run.home+"/var/lib/",
		"/tmp/aws-id-token", run.home+"/tmp/aws-id-token",
		"/tmp/jenkins-id-token", run.home+"/tmp/jenkins-id-token").Replace(text)
	return c.system.expand(run, text)
}

// environ is the environment of a job: only a job that has a role reaches AWS.
func (c *ciLab) environ(run ciRun, job ciJob) []string {
	env := map[string]string{}
	for _, variable := range append(c.packer.Environ(), (&workspace.Repo{}).Environ()...) {
		name, value, _ := strings.Cut(variable, "=")
		env[name] = value
	}
	for _, name := range []string{
		"AWS_REGION", "PACKER_PLUGIN_PATH", "PKR_VAR_registry", "PKR_VAR_source_ami",
	} {
		delete(env, name) // is up to the recipe
	}
	env["HOME"], env["PACKER_CONFIG_DIR"] = run.home, run.home
	env["PATH"] = c.bin + string(filepath.ListSeparator) + env["PATH"]
	if !job.hasKeys {
		delete(env, "AWS_ACCESS_KEY_ID")
		delete(env, "AWS_SECRET_ACCESS_KEY")
	}
	if job.role == "" {
		env["AWS_ENDPOINT_URL"] = deadEndpoint
	}
	maps.Copy(env, c.system.variables(run))
	for name, value := range job.env {
		env[name] = c.place(run, value)
	}
	var list []string
	for name, value := range env {
		list = append(list, name+"="+value)
	}
	return list
}

// fillCache fills a cache of plugins with what packer init has left there before.
func (c *ciLab) fillCache(folder string) {
	c.t.Helper()
	if !strings.HasSuffix(folder, "packer-plugins") {
		return
	}
	if _, err := os.Stat(folder); err == nil {
		return
	}
	installed := filepath.Join(binaries, "home", "plugins")
	c.check(filepath.WalkDir(installed, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		to := filepath.Join(folder, strings.TrimPrefix(path, installed))
		if entry.IsDir() {
			return os.MkdirAll(to, 0o755)
		}
		return os.Link(path, to)
	}))
}

func flat(name string) string { return strings.ReplaceAll(name, "/", "-") }

func inDir(dir, path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(dir, path)
}

// copyArtifact copies a file or a folder.
func (c *ciLab) copyArtifact(from, to string) {
	c.t.Helper()
	info, err := os.Stat(from)
	c.check(err)
	c.check(os.RemoveAll(to))
	c.check(os.MkdirAll(filepath.Dir(to), 0o755))
	if info.IsDir() {
		c.check(os.CopyFS(to, os.DirFS(from)))
		return
	}
	body, err := os.ReadFile(from)
	c.check(err)
	c.check(os.WriteFile(to, body, 0o644))
}
