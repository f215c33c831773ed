// SPDX-License-Identifier: MPL-2.0

package acceptance

import (
	"maps"
	"path"
	"slices"
	"strings"
	"testing"
)

// The recipes of these systems say which job waits for which.

// token is what a system issues. The emulator believes it.
const token = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJpbWFnZXMifQ."

func readGitHub(t *testing.T, text string) []ciJob {
	recipe := readYAML(t, "github-actions.yml", text)
	recipe.only("name", "on", "permissions", "env", "jobs")
	recipe.at("on").only("pull_request", "push", "schedule")
	recipe.at("on", "push").only("branches").at("branches").single().is("main")
	recipe.at("on", "schedule").single().only("cron")
	recipe.at("on", "pull_request")
	conditions := map[string][]event{
		"github.event_name == 'pull_request'": {pullRequest},
		"github.event_name != 'pull_request'": always,
		"github.event_name == 'schedule'":     {night},
	}
	var jobs []ciJob
	for _, name := range recipe.at("jobs").keys() {
		at := recipe.at("jobs", name)
		at.only("if", "needs", "runs-on", "permissions", "concurrency", "environment", "steps")
		job := ciJob{
			name: name, on: []event{pullRequest, push, night}, env: recipe.at("env").mapping(),
			leaves: map[string]string{}, takes: map[string]string{},
		}
		if at.has("concurrency") {
			// A run that waits cancels one that has waited for longer, so no two jobs have one group.
			at.at("concurrency").is("images-" + name + "-${{ github.ref }}")
			job.oneAtATime, job.holds = true, true
		}
		if at.has("needs") {
			job.after = at.at("needs").texts()
		}
		if at.has("if") {
			job.on = at.at("if").events(conditions)
		}
		mayHaveToken := at.or("permissions", recipe.at("permissions").value).has("id-token")
		if mayHaveToken {
			job.env["ACTIONS_ID_TOKEN_REQUEST_TOKEN"] = token
		}
		for _, step := range at.at("steps").list() {
			if step.has("run") {
				job.commands = append(job.commands, step.only("run").at("run").text())
				continue
			}
			action, _, _ := strings.Cut(step.at("uses").text(), "@")
			if step.only("uses", "with", "if").has("if") && action != "actions/cache/save" {
				t.Fatalf("%s has a condition", step.path)
			}
			switch with := step.or("with", nil); action {
			case "actions/cache":
				job.caches = append(job.caches, "${{ github.workspace }}/"+with.at("path").text())
			case "aws-actions/configure-aws-credentials":
				job.role, job.hasKeys = roleIn(with.at("role-to-assume").text()), mayHaveToken
				job.env["AWS_REGION"] = with.at("aws-region").text()
			case "actions/upload-artifact":
				with.at("overwrite").is("true") // else a repeated job may not replace it
				job.leaves[with.at("name").text()] = with.at("path").text()
			case "actions/download-artifact":
				name := with.at("name").text()
				job.takes[name] = path.Join(with.at("path").text(), name+".json")
			case "actions/checkout":
				with.at("fetch-depth").is("0")
			case "hashicorp/setup-packer", "actions/cache/restore", "actions/cache/save":
			default:
				t.Fatalf("the test does not know the action %s", action)
			}
		}
		jobs = append(jobs, job)
	}
	skipWithNeeds(jobs)
	return jobs
}

// skipWithNeeds leaves out what GitHub skips because a job that it needs was skipped.
func skipWithNeeds(jobs []ciJob) {
	for range jobs {
		for i := range jobs {
			for _, needed := range jobs {
				if slices.Contains(jobs[i].after, needed.name) {
					jobs[i].on = slices.DeleteFunc(jobs[i].on, func(e event) bool {
						return !slices.Contains(needed.on, e)
					})
				}
			}
		}
	}
}

func readGitLab(t *testing.T, text string) []ciJob {
	recipe := readYAML(t, "gitlab-ci.yml", text)
	conditions := map[string][]event{
		`$CI_PIPELINE_SOURCE == "merge_request_event"`: {pullRequest},
		`$CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH`:      always,
		`$CI_PIPELINE_SOURCE == "schedule"`:            {night},
	}
	stages := recipe.at("stages").texts()
	recipe.only(append(stages, "default", "variables", "stages", ".aws", ".main")...)
	recipe.at("variables", "GIT_DEPTH").is("0")
	var jobs []ciJob
	for _, name := range stages {
		at := extended(recipe, recipe.at(name)).only("extends", "stage", "rules", "variables", "needs",
			"script", "before_script", "id_tokens", "resource_group", "timeout", "environment", "artifacts")
		before := stages[:slices.Index(stages, at.at("stage").text())]
		job := ciJob{
			name: name, after: before, env: recipe.at("variables").mapping(),
			on:     at.at("rules").single().only("if").at("if").events(conditions),
			leaves: map[string]string{}, takes: map[string]string{},
		}
		if at.has("resource_group") { // is free while a job waits for an approval
			at.at("resource_group").is("images")
			at.at("timeout").is("3h")
			job.oneAtATime = true
		}
		maps.Copy(job.env, at.or("variables", map[string]any{}).mapping())
		job.role = roleIn(job.env["AWS_ROLE_ARN"])
		if at.has("needs") {
			job.after = at.at("needs").texts()
		}
		for name, to := range at.or("id_tokens", map[string]any{}).value.(map[string]any) {
			node{t, name, to}.at("aud").is("sts.amazonaws.com")
			job.env[name] = token
		}
		for _, cache := range recipe.at("default", "cache").list() {
			job.caches = append(job.caches, "$CI_PROJECT_DIR/"+cache.at("paths").texts()[0])
		}
		if at.has("before_script") {
			job.commands = at.at("before_script").texts()
		}
		job.commands = append(job.commands, at.at("script").texts()...)
		if at.has("artifacts") {
			file := at.at("artifacts", "paths").texts()[0]
			job.leaves[file] = file
		}
		if slices.Contains(job.after, "canary") {
			job.takes["test/tested.json"] = "test/tested.json" // later stages get all artifacts
		}
		jobs = append(jobs, job)
	}
	return jobs
}

// extended adds what a job of GitLab extends: mappings are merged, other values replaced.
func extended(recipe, job node) node {
	if !job.has("extends") {
		return job
	}
	base := extended(recipe, recipe.at(job.at("extends").text()))
	merged := maps.Clone(base.value.(map[string]any))
	for key, value := range job.value.(map[string]any) {
		below, isMapping := value.(map[string]any)
		if inherited, both := merged[key].(map[string]any); both && isMapping {
			inherited = maps.Clone(inherited)
			maps.Copy(inherited, below)
			value = inherited
		}
		merged[key] = value
	}
	return node{job.t, job.path, merged}
}

func readBuildkite(t *testing.T, text string) []ciJob {
	recipe := readYAML(t, "buildkite.yml", text)
	conditions := map[string][]event{
		"build.pull_request.id != null":                                            {pullRequest},
		"build.pull_request.id == null && build.branch == pipeline.default_branch": always,
		`build.source == "schedule"`:                                               {night},
	}
	var jobs []ciJob
	for _, step := range recipe.only("env", "steps").at("steps").list() {
		step.only("label", "key", "if", "depends_on", "concurrency", "concurrency_group", "plugins",
			"commands", "artifact_paths")
		job := ciJob{
			name: step.at("label").text(), on: step.at("if").events(conditions),
			env: recipe.at("env").mapping(), commands: step.at("commands").texts(),
			leaves: map[string]string{}, takes: map[string]string{},
		}
		if step.has("concurrency_group") {
			step.at("concurrency").is("1")
			step.at("concurrency_group").is("$BUILDKITE_PIPELINE_SLUG/images")
			job.oneAtATime, job.holds = true, true // jobs run in the order in which they were made
		}
		job.caches = []string{job.env["PACKER_PLUGIN_PATH"]} // the agents keep it
		if step.has("depends_on") {
			job.after = step.at("depends_on").texts()
		}
		if step.has("artifact_paths") {
			file := strings.TrimSuffix(step.at("artifact_paths").text(), "/**/*")
			job.leaves[file] = file
		}
		for _, plugin := range step.or("plugins", []any{}).list() {
			for _, name := range plugin.keys() {
				switch short, _, _ := strings.Cut(name, "#"); short {
				case "aws-assume-role-with-web-identity":
					job.role, job.hasKeys = roleIn(plugin.at(name, "role-arn").text()), true
				case "artifacts":
					file := plugin.at(name, "download").text()
					job.takes[file] = file
				}
			}
		}
		jobs = append(jobs, job)
	}
	return jobs
}

func readCircleCI(t *testing.T, text string) []ciJob {
	recipe := readYAML(t, "circleci.yml", text).only("version", "jobs", "job-groups", "workflows")
	workflows := recipe.at("workflows").only("pull-request", "main", "nightly")
	scheduled := workflows.at("nightly", "when").only("equal").at("equal").texts()
	if !slices.Equal(scheduled, []string{"schedule", "<< pipeline.trigger.type >>"}) {
		t.Fatalf("nightly runs when %v are equal", scheduled)
	}
	var jobs []ciJob
	for workflow, on := range map[string][]event{
		"pull-request": {pullRequest}, "main": always, "nightly": {night},
	} {
		for _, item := range workflows.at(workflow, "jobs").list() {
			name := item.keys()[0]
			options := item.at(name)
			switch workflow {
			case "main":
				options.at("filters", "branches").only("only").at("only").is("main")
			case "pull-request":
				options.at("filters", "branches").only("ignore").at("ignore").is("main")
			}
			if !recipe.has("job-groups", name) {
				options.only("context", "filters", "requires")
				jobs = append(jobs, newCircleCIJob(recipe, name, options, on))
				continue
			}
			// A job must not have the serial-group of another one in the workflow, but a group may.
			options.only("serial-group", "filters")
			options.at("serial-group").is("<< pipeline.project.slug >>/images")
			for _, inner := range recipe.at("job-groups", name).only("jobs").at("jobs").list() {
				name := inner.keys()[0]
				job := newCircleCIJob(recipe, name, inner.at(name).only("context", "requires"), on)
				job.oneAtATime, job.holds = true, true
				jobs = append(jobs, job)
			}
		}
	}
	return jobs
}

// newCircleCIJob is a job as a workflow or a group of jobs starts it.
func newCircleCIJob(recipe node, name string, options node, on []event) ciJob {
	at := recipe.at("jobs", name).only("docker", "environment", "steps")
	job := ciJob{
		name: name, on: on, env: at.at("environment").mapping(),
		leaves: map[string]string{}, takes: map[string]string{},
	}
	job.role = roleIn(job.env["AWS_ROLE_ARN"])
	if options.has("requires") {
		for _, required := range options.at("requires").texts() {
			job.after = append(job.after, required)
			if recipe.has("job-groups", required) {
				for _, inner := range recipe.at("job-groups", required, "jobs").list() {
					job.after = append(job.after, inner.keys()...)
				}
			}
		}
	}
	if options.has("context") {
		job.env["CIRCLE_OIDC_TOKEN_V2"] = token
	}
	job.readCircleCI(at.at("steps"), recipe)
	return job
}

// readCircleCI adds the steps of a job.
func (job *ciJob) readCircleCI(steps, recipe node) {
	for _, step := range steps.list() {
		switch {
		case step.has("run"):
			run := step.at("run")
			waits := run.has("no_output_timeout")
			if run.has("command") {
				run = run.only("name", "command", "no_output_timeout").at("command")
			}
			job.commands = append(job.commands, run.text())
			// Packer is silent while AWS makes the AMI, for longer than the 10 minutes of CircleCI.
			if !waits && (run.text() == "packer build base" || run.text() == "packer build snowflake") {
				recipe.t.Fatalf("%s: has no no_output_timeout", step.path)
			}
		case step.has("restore_cache"):
			// The job "base" saves what the others restore.
			prefix := step.at("restore_cache", "keys").texts()[0]
			for _, saving := range recipe.at("jobs", "base", "steps").list() {
				if saving.has("save_cache") &&
					strings.HasPrefix(saving.at("save_cache", "key").text(), prefix) {
					job.caches = saving.at("save_cache", "paths").texts()
				}
			}
		case step.has("persist_to_workspace"):
			file := step.at("persist_to_workspace", "paths").texts()[0]
			job.leaves[file] = path.Join(step.at("persist_to_workspace", "root").text(), file)
		case step.has("attach_workspace"):
			at := step.at("attach_workspace", "at").text()
			job.takes["test/tested.json"] = path.Join(at, "test/tested.json")
		case step.has("store_artifacts"):
			folder := step.at("store_artifacts", "path").text()
			job.leaves[folder] = folder
		case !step.has("save_cache"):
			step.is("checkout")
		}
	}
}
