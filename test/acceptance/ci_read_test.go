// SPDX-License-Identifier: MPL-2.0

package acceptance

import (
	"encoding/json"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// token is what a system issues. The emulator believes it.
const token = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJpbWFnZXMifQ."

func readGitHub(t *testing.T, text string) []ciJob {
	recipe := readYAML(t, "github-actions.yml", text)
	recipe.at("on", "push", "branches").list()[0].is("main")
	recipe.at("on", "schedule").list()[0].at("cron")
	recipe.at("on", "pull_request")
	recipe.at("concurrency", "cancel-in-progress").is("false")
	conditions := map[string][]event{
		"github.event_name == 'pull_request'": {pullRequest},
		"github.event_name != 'pull_request'": always,
		"github.event_name == 'schedule'":     {night},
	}
	var jobs []ciJob
	for _, name := range recipe.at("jobs").keys() {
		at := recipe.at("jobs", name)
		job := ciJob{
			name: name, on: []event{pullRequest, push, night}, env: recipe.at("env").mapping(), leaves: map[string]string{},
			takes: map[string]string{}, oneAtATime: recipe.at("concurrency").has("group"),
		}
		if at.has("needs") {
			job.after = at.at("needs").texts()
		}
		if at.has("if") {
			job.on = at.at("if").events(conditions)
		}
		mayHaveToken := at.or("permissions", recipe.at("permissions").value).has("id-token")
		for _, step := range at.at("steps").list() {
			if step.has("run") {
				job.commands = append(job.commands, step.at("run").text())
				continue
			}
			action, _, _ := strings.Cut(step.at("uses").text(), "@")
			switch with := step.or("with", nil); action {
			case "actions/cache":
				job.caches = append(job.caches, "${{ github.workspace }}/"+with.at("path").text())
			case "aws-actions/configure-aws-credentials":
				job.role, job.hasKeys = roleIn(with.at("role-to-assume").text()), mayHaveToken
				job.env["AWS_REGION"] = with.at("aws-region").text()
			case "actions/upload-artifact":
				job.leaves[with.at("name").text()] = with.at("path").text()
			case "actions/download-artifact":
				name := with.at("name").text()
				job.takes[name] = path.Join(with.at("path").text(), name+".json")
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
	var jobs []ciJob
	for _, name := range stages {
		at := extended(recipe, recipe.at(name))
		before := stages[:slices.Index(stages, at.at("stage").text())]
		job := ciJob{
			name: name, after: before, env: recipe.at("variables").mapping(),
			on: at.at("rules").list()[0].at("if").events(conditions), oneAtATime: at.has("resource_group"),
			leaves: map[string]string{}, takes: map[string]string{},
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
	for _, step := range recipe.at("steps").list() {
		job := ciJob{
			name: step.at("label").text(), on: step.at("if").events(conditions),
			env: recipe.at("env").mapping(), commands: step.at("commands").texts(),
			oneAtATime: step.has("concurrency_group") && step.at("concurrency").text() == "1",
			leaves:     map[string]string{}, takes: map[string]string{},
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
	recipe := readYAML(t, "circleci.yml", text)
	recipe.at("workflows", "nightly", "when", "equal").list()[0].is("scheduled_pipeline")
	var jobs []ciJob
	for workflow, on := range map[string][]event{
		"pull-request": {pullRequest}, "main": always, "nightly": {night},
	} {
		for _, item := range recipe.at("workflows", workflow, "jobs").list() {
			name := item.keys()[0]
			options, at := item.at(name), recipe.at("jobs", name)
			job := ciJob{
				name: name, on: on, env: at.at("environment").mapping(),
				oneAtATime: options.has("serial-group"),
				leaves:     map[string]string{}, takes: map[string]string{},
			}
			job.role = roleIn(job.env["AWS_ROLE_ARN"])
			if options.has("requires") {
				job.after = options.at("requires").texts()
			}
			if options.has("context") {
				job.env["CIRCLE_OIDC_TOKEN_V2"] = token
			}
			switch workflow {
			case "main":
				options.at("filters", "branches", "only").is("main")
			case "pull-request":
				options.at("filters", "branches", "ignore").is("main")
			}
			job.readCircleCI(at.at("steps"), recipe)
			jobs = append(jobs, job)
		}
	}
	return jobs
}

// readCircleCI adds the steps of a job.
func (job *ciJob) readCircleCI(steps, recipe node) {
	for _, step := range steps.list() {
		switch {
		case step.has("run", "command"):
			job.commands = append(job.commands, step.at("run", "command").text())
		case step.has("run"):
			job.commands = append(job.commands, step.at("run").text())
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
		}
	}
}

func readBitbucket(t *testing.T, text string) []ciJob {
	recipe := readYAML(t, "bitbucket-pipelines.yml", text)
	var all []ciJob
	for pipeline, on := range map[string][]event{
		"pull-requests.**": {pullRequest}, "branches.main": always, "custom.report": {night},
	} {
		kind, name, _ := strings.Cut(pipeline, ".")
		var jobs []ciJob
		for _, item := range recipe.at("pipelines", kind, name).list() {
			step := item.at("step")
			job := ciJob{
				name: step.at("name").text(), on: on, commands: step.at("script").texts(),
				env: map[string]string{}, leaves: map[string]string{}, takes: map[string]string{},
				// Two deployments to one environment never run at once.
				oneAtATime: step.has("concurrency-group") || step.has("deployment"),
			}
			for _, cache := range step.at("caches").texts() {
				job.caches = append(job.caches, recipe.at("definitions", "caches", cache).text())
			}
			if step.has("oidc") {
				step.at("oidc").is("true")
				job.env["BITBUCKET_STEP_OIDC_TOKEN"] = token
			}
			if found := exportedRole.FindStringSubmatch(strings.Join(job.commands, "\n")); found != nil {
				job.role = roleIn(found[1])
			}
			if step.has("artifacts") {
				file := strings.TrimSuffix(step.at("artifacts").texts()[0], "/**")
				job.leaves[file] = file
			}
			if job.name == "promote" {
				job.takes["test/tested.json"] = "test/tested.json" // later steps get all artifacts
			}
			jobs = append(jobs, job)
		}
		all = append(all, inTurn(jobs)...)
	}
	return all
}

var exportedRole = regexp.MustCompile(`(?m)^export AWS_ROLE_ARN=(\S+)$`)

func readAzure(t *testing.T, text string) []ciJob {
	recipe := readYAML(t, "azure-pipelines.yml", text)
	recipe.at("trigger", "branches", "include").list()[0].is("main")
	recipe.at("schedules").list()[0].at("always").is("true")
	recipe.at("lockBehavior").is("sequential")
	conditions := map[string][]event{
		"eq(variables['Build.Reason'], 'PullRequest')": {pullRequest},
		"and(ne(variables['Build.Reason'], 'PullRequest'), " +
			"eq(variables['Build.SourceBranch'], 'refs/heads/main'))": always,
		"eq(variables['Build.Reason'], 'Schedule')": {night},
	}
	var all []ciJob
	for _, at := range recipe.at("jobs").list() {
		var jobs []ciJob
		caches, artifact := []string{}, map[string]string{}
		for _, step := range at.at("steps").list() {
			job := ciJob{
				on: at.at("condition").events(conditions), in: at.at("job").text(), leaves: artifact,
				oneAtATime: recipe.at("trigger", "batch").text() == "true",
			}
			switch {
			case step.has("publish"):
				artifact[step.at("artifact").text()] = step.at("publish").text()
				continue
			case step.has("inputs", "path"):
				caches = append(caches, step.at("inputs", "path").text())
				continue
			case step.has("bash") && step.at("displayName").text() != "install Packer":
				job.commands = step.at("bash").texts()
			case step.has("inputs", "inlineScript"):
				step.at("task").is("AWSShellScript@1")
				job.commands = step.at("inputs", "inlineScript").texts()
				job.role, job.hasKeys = step.at("inputs", "awsCredentials").text(), true
			default:
				continue
			}
			job.name, job.caches = step.at("displayName").text(), caches
			job.env = step.at("env").mapping() // not "variables": Azure writes their names in capitals
			if job.hasKeys {
				job.env["AWS_REGION"] = step.at("inputs", "regionName").text()
			}
			jobs = append(jobs, job)
		}
		all = append(all, inTurn(jobs)...)
	}
	return all
}

func readCodeBuild(t *testing.T, text string) []ciJob {
	recipe := readYAML(t, "codebuild.yml", text).at("Resources")
	pipeline := recipe.at("Pipeline", "Properties")
	jobs := []ciJob{
		{name: "validate", on: []event{pullRequest}, env: map[string]string{}},
		{name: "report", on: []event{night}, env: map[string]string{}},
	}
	var inPipeline []ciJob
	for _, stage := range pipeline.at("Stages").list()[1:] {
		action := stage.at("Actions").list()[0]
		job := ciJob{
			name: stage.at("Name").text(), on: always, env: map[string]string{},
			oneAtATime: pipeline.at("ExecutionMode").text() == "QUEUED", takes: map[string]string{},
		}
		action.at("Configuration", "ProjectName").is("images-" + job.name)
		var variables []struct{ Name, Value string }
		list := action.at("Configuration", "EnvironmentVariables").text()
		if err := json.Unmarshal([]byte(list), &variables); err != nil {
			t.Fatal(err)
		}
		for _, v := range variables {
			job.env[v.Name] = strings.ReplaceAll(v.Value, "#{SourceVariables.BranchName}", "main")
		}
		for _, input := range action.at("InputArtifacts").list()[1:] {
			action.at("Configuration", "PrimarySource").is("source")
			name := input.at("Name").text()
			job.takes[name] = "$CODEBUILD_SRC_DIR_" + name + "/tested.json"
		}
		if action.has("OutputArtifacts") {
			job.leaves = map[string]string{action.at("OutputArtifacts").list()[0].at("Name").text(): ""}
		}
		inPipeline = append(inPipeline, job)
	}
	jobs = append(jobs, inTurn(inPipeline)...)
	for i := range jobs {
		jobs[i].readProject(recipe)
	}
	return jobs
}

// readProject adds the project of CodeBuild that a job is.
func (job *ciJob) readProject(recipe node) {
	project := recipe.at(strings.ToUpper(job.name[:1])+job.name[1:], "Properties")
	project.at("Name").is("images-" + job.name)
	spec := readYAML(recipe.t, project.path+".BuildSpec", project.at("Source", "BuildSpec").text())
	maps.Copy(job.env, spec.at("env", "variables").mapping())
	job.commands = spec.at("phases", "build", "commands").texts()
	project.at("Cache", "Modes").list()[0].is("LOCAL_CUSTOM_CACHE")
	for _, folder := range spec.at("cache", "paths").texts() {
		job.caches = append(job.caches, strings.TrimSuffix(folder, "/**/*"))
	}
	// The role to validate may only write logs.
	if role := roleIn(project.at("ServiceRole").text()); job.name != "validate" {
		job.role, job.hasKeys = role, true
	}
	if !spec.has("artifacts") {
		return
	}
	folder := spec.at("artifacts", "base-directory").text()
	file := path.Join(folder, strings.TrimPrefix(spec.at("artifacts", "files").texts()[0], "**/*"))
	if project.has("Artifacts", "Name") {
		job.leaves = map[string]string{project.at("Artifacts", "Name").text(): ""}
	}
	for name := range job.leaves {
		job.leaves[name] = file
	}
}

// The parts of a Jenkinsfile that count here. There is no schema, and no parser but that of Jenkins.
var (
	jenkinsStage = regexp.MustCompile(`(?ms)^    stage\('(\w+)'\) \{\n(.*?)^    \}`)
	jenkinsEnv   = regexp.MustCompile(`(?m)^ +(\w+) = '([^']*)'`)
	jenkinsToken = regexp.MustCompile(`(?m)^ +(\w+) = credentials\('aws-id-token'\)`)
	jenkinsWhen  = regexp.MustCompile(`(?m)^ +when \{ (.*) \}$`)
	jenkinsShell = regexp.MustCompile(`(?m)^ +sh '(.*)'$`)
	jenkinsKeeps = regexp.MustCompile(`(?m)^ +archiveArtifacts '(.*)/\*\*'$`)
)

func readJenkins(t *testing.T, text string) []ciJob {
	conditions := map[string][]event{
		"changeRequest()": {pullRequest}, "branch 'main'": always, "triggeredBy 'TimerTrigger'": {night},
	}
	if strings.Count(text, "{") != strings.Count(text, "}") {
		t.Fatal("Jenkinsfile: a brace is missing")
	}
	options, _, _ := strings.Cut(text, "  stages {")
	var jobs []ciJob
	for _, found := range jenkinsStage.FindAllStringSubmatch(text, -1) {
		job := ciJob{
			name: found[1], in: "agent", env: map[string]string{}, leaves: map[string]string{},
			oneAtATime: strings.Contains(options, "disableConcurrentBuilds()"),
		}
		for _, block := range []string{options, found[2]} {
			for _, variable := range jenkinsEnv.FindAllStringSubmatch(block, -1) {
				job.env[variable[1]] = variable[2]
			}
		}
		job.caches = []string{job.env["PACKER_PLUGIN_PATH"]} // the agents keep it
		job.role = roleIn(job.env["AWS_ROLE_ARN"])
		for _, variable := range jenkinsToken.FindAllStringSubmatch(found[2], -1) {
			job.env[variable[1]] = "/tmp/jenkins-id-token"
			job.commands = []string{"printf %s " + token + " > $" + variable[1]}
		}
		when := node{t, "Jenkinsfile." + job.name, jenkinsWhen.FindStringSubmatch(found[2])[1]}
		job.on = when.events(conditions)
		for _, command := range jenkinsShell.FindAllStringSubmatch(found[2], -1) {
			job.commands = append(job.commands, command[1])
		}
		for _, folder := range jenkinsKeeps.FindAllStringSubmatch(found[2], -1) {
			job.leaves[folder[1]] = folder[1]
		}
		jobs = append(jobs, job)
	}
	return inTurn(jobs)
}
