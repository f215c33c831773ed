// SPDX-License-Identifier: MPL-2.0

package acceptance

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// fanOut is a chain of seven images, by what each is built on. They are in folders of other names.
var fanOut = map[string]string{
	"base": "", "web": "base", "db": "base", "shop": "web", "blog": "shop", "mirror": "blog", "tools": "",
}

func folderOf(image string) string { return "images/" + image + "-image" }

// writeFanOut writes the templates and builds all images, parents first.
func (c checkout) writeFanOut(t *testing.T, origin string) {
	t.Helper()
	_, err := c.repo.Git(t.Context(), "remote", "add", "origin", origin)
	c.check(err)
	var paths strings.Builder
	for image, parent := range fanOut {
		text := template(t, "ami", `"base"`, `"`+image+`"`, "source.chain.base", "source.chain."+image,
			"../out/image", "../../out/"+image)
		if parent != "" {
			text = template(t, "child", `"base"`, `"`+parent+`"`, `"app"`, `"`+image+`"`,
				"source.chain.app", "source.chain."+image, "../out/app", "../../out/"+image,
				"/../base", "/../"+filepath.Base(folderOf(parent)))
		}
		// Packer is faster if it needs no plugin of Amazon's.
		text = regexp.MustCompile(`(?s)\nsource "amazon-ebs".*?\n}\n`).ReplaceAllLiteralString(text, "")
		c.write(folderOf(image)+"/"+image+".pkr.hcl", text)
		paths.WriteString(image + ` = "${path.root}/../` + folderOf(image) + "\"\n")
	}
	report, err := os.ReadFile(root + "/example/report/report.pkr.hcl")
	c.check(err)
	block := regexp.MustCompile(`(?s)(paths = \{).*?(\n *\})`)
	if !block.Match(report) {
		t.Fatal("the example of the report has no paths")
	}
	c.write("report/report.pkr.hcl",
		block.ReplaceAllLiteralString(string(report), "paths = {\n"+paths.String()+"}"))
	c.write(".gitignore", "out/\nchain-report/\npacker-manifest.json\nimages.yml\n")
	c.commit("begin")
	for _, image := range []string{"base", "tools", "web", "db", "shop", "blog", "mirror"} {
		c.run("bash", "packer build "+folderOf(image))
	}
}

// change changes the files of an image.
func (c checkout) change(image string) {
	c.t.Helper()
	c.write(folderOf(image)+"/task.sh", "echo "+image)
	c.commit("change " + image)
}

// chain reads chain.json: which images are planned, and what "latest" of each image is.
func (c checkout) chain() (plan []string, latest map[string]string) {
	c.t.Helper()
	text, err := os.ReadFile(filepath.Join(c.repo.Dir, "report/chain-report/chain.json"))
	c.check(err)
	var chain struct {
		Plan   []struct{ Image string }
		Images []struct {
			Name     string
			Channels []struct{ Fingerprint string }
		}
	}
	c.check(json.Unmarshal(text, &chain))
	latest = map[string]string{}
	for _, image := range chain.Images {
		latest[image.Name] = image.Channels[0].Fingerprint
	}
	for _, step := range chain.Plan {
		plan = append(plan, step.Image)
	}
	return plan, latest
}

// moved are the images whose "latest" is another one now.
func moved(before, after map[string]string) []string {
	var names []string
	for name, fingerprint := range after {
		if before[name] != fingerprint {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// TestAccFanOut_github runs the commands of the example for GitHub after one image of a chain has
// changed. Exactly that image and what is built on it get jobs, and are built.
func TestAccFanOut_github(t *testing.T) {
	c := newCheckout(t, onGitHub)
	t.Parallel()
	c.writeFanOut(t, "https://github.com/acme/images.git")
	var w workflow
	example(t, "github-actions.yml", &w)

	first := w.run(t, c)
	wantKeys(t, first, "page", "plan")
	plan, before := c.chain()
	if len(plan) > 0 || len(before) != len(fanOut) {
		t.Fatalf("plan %v for %v", plan, before)
	}
	c.change("base")
	second := w.run(t, c)
	wantKeys(t, second, "deeper", "level0 base", "level1 db", "level1 web", "level2 shop", "page", "plan")
	plan, after := c.chain()
	want := []string{"base", "blog", "db", "mirror", "shop", "web"}
	if diff := cmp.Diff(want, moved(before, after)); diff != "" || len(plan) > 0 {
		t.Errorf("built (-want +got):\n%s\nand then the plan is %v", diff, plan)
	}
	for _, text := range []string{"```mermaid\nflowchart LR", "```text\n0 base: ", "4 mirror: built on blog"} {
		if !strings.Contains(second["plan"], text) {
			t.Errorf("the summary lacks %q:\n%s", text, second["plan"])
		}
	}
	index, err := os.ReadFile(filepath.Join(c.repo.Dir, w.pages(t), "index.html"))
	if err != nil || !strings.Contains(string(index), "mirror") {
		t.Errorf("the page on GitHub Pages: %v", err)
	}
}

// pages is the folder that goes to GitHub Pages.
func (w workflow) pages(t *testing.T) string {
	t.Helper()
	for _, step := range w.Jobs["page"].Steps {
		if strings.HasPrefix(step.Uses, "actions/upload-pages-artifact@") {
			return step.With["path"]
		}
	}
	t.Fatal("nothing is uploaded to GitHub Pages")
	return ""
}

func wantKeys(t *testing.T, got map[string]string, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, slices.Sorted(maps.Keys(got))); diff != "" {
		t.Fatalf("jobs (-want +got):\n%s", diff)
	}
}

// TestAccFanOut_gitlab runs the commands of the example for GitLab, which generate a child pipeline,
// and then the jobs of that, stage by stage.
func TestAccFanOut_gitlab(t *testing.T) {
	c := newCheckout(t, onGitLab)
	t.Parallel()
	c.writeFanOut(t, "https://gitlab.com/acme/images.git")
	parent := readExample(t)
	all := len(parent.Jobs["plan"].Script)
	nothing := pipelineJob{Stage: "build", Script: nameList{"true"}}
	if diff := cmp.Diff(map[string]pipelineJob{"nothing to build": nothing}, c.generate(parent, all).Jobs); diff != "" {
		t.Fatalf("without a change (-want +got):\n%s", diff)
	}
	_, before := c.chain()
	c.change("shop")
	child := c.generate(parent, all)
	stages := []string{"plan", "build", "level 0", "level 1", "level 2"}
	if diff := cmp.Diff(stages, child.Stages); diff != "" {
		t.Errorf("stages (-want +got):\n%s", diff)
	}
	got := map[string]string{}
	for _, stage := range child.Stages {
		for name, job := range child.Jobs {
			if job.Stage == stage {
				got[name] = stage + ": " + job.Variables["FOLDER"].Value
				c.run("sh", strings.Join(parent.Jobs[job.Extends].Script, "\n"),
					"FOLDER="+job.Variables["FOLDER"].Value)
			}
		}
	}
	want := map[string]string{
		"build shop": "level 0: images/shop-image", "build blog": "level 1: images/blog-image",
		"build mirror": "level 2: images/mirror-image",
	}
	if diff := cmp.Diff(want, got); diff != "" || len(child.Jobs) != len(want) {
		t.Errorf("%d jobs (-want +got):\n%s", len(child.Jobs), diff)
	}
	if diff := cmp.Diff(map[string]pipelineJob{"nothing to build": nothing}, c.generate(parent, all).Jobs); diff != "" {
		t.Errorf("after the builds (-want +got):\n%s", diff)
	}
	_, after := c.chain()
	if diff := cmp.Diff([]string{"blog", "mirror", "shop"}, moved(before, after)); diff != "" {
		t.Errorf("built (-want +got):\n%s", diff)
	}
}

// TestAccFanOut_plan gives the examples plans that a small chain does not lead to. Images of another
// repository are built there.
func TestAccFanOut_plan(t *testing.T) {
	const chain = `{"plan": [
		{"level": 0, "image": "base", "origin": "HOST/acme/images//os/base"},
		{"level": 0, "image": "theirs", "origin": "HOST/acme/images-2//theirs"},
		{"level": 1, "image": "laptop", "origin": "//built/without/remote"},
		{"level": 1, "image": "root", "origin": "HOST/acme/images//"},
		{"level": 2, "image": "odd", "origin": "HOST/acme/images//-x $(touch x)\"'"},
		{"level": 10, "image": "new"}
	], "not_compared": []}`
	type entry struct{ image, folder string }
	levels := map[string][]entry{
		"0": {{"base", "os/base"}}, "1": {{"laptop", "built/without/remote"}, {"root", ""}},
		"2": {{"odd", `-x $(touch x)"'`}}, "10": {{"new", "new"}},
	}
	t.Run("github", func(t *testing.T) {
		c := newCheckout(t, onGitHub)
		c.commitChain(chain, "github.com")
		var w workflow
		example(t, "github-actions.yml", &w)
		plan, known := w.Jobs["plan"], values{}
		plan.Steps = slices.DeleteFunc(plan.Steps, func(s workflowStep) bool { return s.ID != "plan" })
		plan.steps(t, c, "plan", known)
		for output, level := range map[string]string{"level0": "0", "level1": "1", "level2": "2", "deeper": "10"} {
			want := []map[string]string{}
			for _, e := range levels[level] {
				want = append(want, map[string]string{"image": e.image, "folder": e.folder})
			}
			var got []map[string]string
			c.check(json.Unmarshal([]byte(known.of(t, "needs.plan.outputs."+output)), &got))
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", output, diff)
			}
		}
	})
	t.Run("gitlab", func(t *testing.T) {
		c := newCheckout(t, onGitLab)
		c.commitChain(chain, "gitlab.com")
		child := c.generate(readExample(t), 1)
		want := map[string]pipelineJob{}
		for level, entries := range levels {
			for _, e := range entries {
				want["build "+e.image] = pipelineJob{Extends: ".image", Stage: "level " + level,
					Variables: map[string]variable{"FOLDER": {Value: e.folder}}}
			}
		}
		if diff := cmp.Diff(want, child.Jobs); diff != "" {
			t.Errorf("jobs (-want +got):\n%s", diff)
		}
		stages := []string{"plan", "build", "level 0", "level 1", "level 2", "level 10"}
		if diff := cmp.Diff(stages, child.Stages); diff != "" {
			t.Errorf("stages (-want +got):\n%s", diff)
		}
	})
}

// readExample reads the example for GitLab.
func readExample(t *testing.T) pipeline {
	t.Helper()
	text, err := os.ReadFile(root + "/example/report/gitlab-ci.yml")
	if err != nil {
		t.Fatal(err)
	}
	return readPipeline(t, text)
}

// generate runs the last commands of the job that plans, and returns the child pipeline.
func (c checkout) generate(parent pipeline, last int) pipeline {
	c.t.Helper()
	script := parent.Jobs["plan"].Script
	for _, commands := range script[len(script)-last:] {
		c.run("sh", commands)
	}
	text, err := os.ReadFile(filepath.Join(c.repo.Dir, "images.yml"))
	c.check(err)
	child := readPipeline(c.t, text)
	if child.Include.Local != ".gitlab-ci.yml" {
		c.t.Errorf("the child pipeline has no jobs to extend: %s", text)
	}
	return child
}

// commitChain makes a chain.json the one that a report has left.
func (c checkout) commitChain(chain, host string) {
	c.t.Helper()
	c.write("report/chain-report/chain.json", strings.ReplaceAll(chain, "HOST", host))
	c.commit("begin")
}
