// SPDX-License-Identifier: MPL-2.0

package acceptance

import (
	"encoding/json"
	"maps"
	"path"
	"regexp"
	"strings"
	"testing"
)

// The recipes of these systems list their steps in the order in which they run.

func readBitbucket(t *testing.T, text string) []ciJob {
	recipe := readYAML(t, "bitbucket-pipelines.yml", text)
	recipe.only("image", "clone", "definitions", "pipelines")
	recipe.at("clone", "depth").is("full")
	recipe.at("pipelines").only("pull-requests", "branches", "custom")
	recipe.at("pipelines", "branches").only("main")
	var all []ciJob
	for pipeline, on := range map[string][]event{
		"pull-requests.**": {pullRequest}, "branches.main": always, "custom.report": {night},
	} {
		kind, name, _ := strings.Cut(pipeline, ".")
		var jobs []ciJob
		for _, item := range recipe.at("pipelines", kind, name).list() {
			step := item.at("step").only("name", "oidc", "caches", "concurrency-group", "deployment",
				"script", "artifacts")
			job := ciJob{
				name: step.at("name").text(), on: on, commands: step.at("script").texts(),
				env: map[string]string{}, leaves: map[string]string{}, takes: map[string]string{},
			}
			// A second deployment does not wait by itself: somebody has to resume it.
			if step.has("concurrency-group") || step.has("deployment") {
				step.at("concurrency-group").is("images")
				job.oneAtATime = true
			}
			for _, cache := range step.at("caches").texts() {
				definition := recipe.at("definitions", "caches", cache).only("key", "path")
				definition.at("key", "files") // else the cache of a week ago hides a new plugin
				job.caches = append(job.caches, definition.at("path").text())
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
	recipe.only("trigger", "pr", "schedules", "pool", "variables", "stages")
	recipe.at("trigger", "branches", "include").single().is("main")
	recipe.at("pr", "branches", "include").single().is("*")
	schedule := recipe.at("schedules").single().only("cron", "displayName", "branches", "always")
	schedule.at("branches", "include").single().is("main")
	schedule.at("always").is("true")
	recipe.at("variables").only("aws.rolecredential.maxduration").
		at("aws.rolecredential.maxduration").is("3600") // the default is 15 minutes
	conditions := map[string][]event{
		"eq(variables['Build.Reason'], 'PullRequest')": {pullRequest},
		"and(ne(variables['Build.Reason'], 'PullRequest'), " +
			"eq(variables['Build.SourceBranch'], 'refs/heads/main'))": always,
		"eq(variables['Build.Reason'], 'Schedule')": {night},
	}
	var all []ciJob
	last := map[string]ciJob{} // of each stage
	for _, stage := range recipe.at("stages").list() {
		stage.only("stage", "dependsOn", "condition", "lockBehavior", "jobs")
		on, after := []event{}, []string{}
		if stage.has("dependsOn") && len(stage.at("dependsOn").list()) > 0 {
			needed := last[stage.at("dependsOn").text()]
			on, after = needed.on, []string{needed.name} // a stage is skipped with the one before
		}
		if stage.has("condition") {
			on = stage.at("condition").events(conditions)
		}
		jobs := inTurn(readAzureJob(stage.at("jobs").single()))
		jobs[0].after = after
		for i := range jobs {
			jobs[i].on = on
			if stage.has("lockBehavior") { // and Azure asks before it begins, so others wait
				stage.at("lockBehavior").is("sequential")
				jobs[i].oneAtATime, jobs[i].holds = true, true
			}
		}
		last[stage.at("stage").text()] = jobs[len(jobs)-1]
		all = append(all, jobs...)
	}
	return all
}

// readAzureJob reads the steps that run Packer. They share a checkout.
func readAzureJob(at node) []ciJob {
	at.only("job", "timeoutInMinutes", "cancelTimeoutInMinutes", "steps")
	var jobs []ciJob
	var caches []string
	takes := map[string]string{}
	for _, step := range at.at("steps").list() {
		job := ciJob{in: at.at("job").text(), leaves: map[string]string{}, takes: takes}
		switch {
		case step.has("checkout"):
			step.only("checkout", "fetchDepth").at("checkout").is("self")
			if at.has("timeoutInMinutes") { // it builds
				step.at("fetchDepth").is("0")
			}
			continue
		case step.has("publish"):
			step.only("publish", "artifact")
			jobs[len(jobs)-1].leaves[step.at("artifact").text()] = step.at("publish").text()
			continue
		case step.has("download"):
			step.only("download", "artifact").at("download").is("current")
			name := step.at("artifact").text()
			takes[name] = "$(Pipeline.Workspace)/" + name + "/" + name + ".json"
			continue
		case step.has("bash"):
			step.only("bash", "displayName", "env")
			if step.at("displayName").text() == "install Packer" {
				continue
			}
			job.commands = step.at("bash").texts()
		case step.has("inputs", "inlineScript"):
			step.only("task", "displayName", "inputs", "env").at("task").is("AWSShellScript@1")
			job.commands = step.at("inputs", "inlineScript").texts()
			job.role, job.hasKeys = step.at("inputs", "awsCredentials").text(), true
		default:
			step.only("task", "inputs").at("task").is("Cache@2")
			caches = append(caches, step.at("inputs", "path").text())
			continue
		}
		job.name, job.caches = step.at("displayName").text(), caches
		job.env = step.at("env").mapping() // not "variables": Azure writes their names in capitals
		if job.hasKeys {
			job.env["AWS_REGION"] = step.at("inputs", "regionName").text()
		}
		jobs = append(jobs, job)
	}
	return jobs
}

func readCodeBuild(t *testing.T, text string) []ciJob {
	recipe := readYAML(t, "codebuild.yml", text).at("Resources")
	pipeline := recipe.at("Pipeline", "Properties")
	jobs := []ciJob{
		{name: "validate", env: map[string]string{}}, {name: "report", env: map[string]string{}},
	}
	triggers := recipe.at("Validate", "Properties", "Triggers", "FilterGroups").single().single()
	triggers.at("Type").is("EVENT")
	if strings.HasPrefix(triggers.at("Pattern").text(), "PULL_REQUEST_") {
		jobs[0].on = []event{pullRequest}
	}
	onPipeline := []event{push}
	for _, target := range recipe.at("Nightly", "Properties", "Targets").list() {
		switch arn := target.at("Arn").text(); arn[strings.LastIndexByte(arn, ':')+1:] {
		case pipeline.at("Name").text():
			onPipeline = always
		case "project/images-report":
			jobs[1].on = []event{night}
		default:
			t.Fatalf("every night starts %s", arn)
		}
	}
	var inPipeline []ciJob
	stages := pipeline.at("Stages").list()
	source := stages[0].at("Actions").single().at("Configuration")
	source.at("BranchName").is("main")
	source.at("OutputArtifactFormat").is("CODEBUILD_CLONE_REF") // else the folder .git is missing
	for _, stage := range stages[1:] {
		action := stage.at("Actions").single()
		job := ciJob{
			name: stage.at("Name").text(), on: onPipeline, env: map[string]string{},
			oneAtATime: pipeline.at("ExecutionMode").text() == "QUEUED", takes: map[string]string{},
		}
		action.at("Configuration", "ProjectName").is("images-" + job.name)
		var variables []struct{ Name, Value string }
		list := action.at("Configuration").or("EnvironmentVariables", "[]").text()
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
	if job.role = roleIn(project.at("ServiceRole").text()); job.role == "images" {
		project.at("TimeoutInMinutes").is("180") // the default of an hour may be too short to build
	}
	spec := readYAML(recipe.t, project.path+".BuildSpec", project.at("Source", "BuildSpec").text())
	spec.only("version", "env", "phases", "artifacts", "cache")
	maps.Copy(job.env, spec.at("env", "variables").mapping())
	job.commands = spec.at("phases", "build", "commands").texts()
	project.at("Cache", "Modes").list()[0].is("LOCAL_CUSTOM_CACHE")
	// The cached folder is a link to a folder of the host, and Packer finds no plugins in a link.
	plugins, cached := job.env["PACKER_PLUGIN_PATH"], spec.at("cache", "paths").single().text()
	if !strings.HasPrefix(plugins, strings.TrimSuffix(cached, "**/*")) {
		recipe.t.Fatalf("%s: %s is not below %s", spec.path, plugins, cached)
	}
	job.caches = []string{plugins}
	if job.hasKeys = job.role != "images-validate"; !job.hasKeys { // it may only write logs
		job.role = ""
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

// The parts of a Jenkinsfile that count here. There is no schema, and no parser but that of
// Jenkins.
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
	if !strings.Contains(options, "\n    cron(env.BRANCH_NAME == 'main' ? 'H 3 * * *' : '')\n") {
		t.Fatal("Jenkinsfile: not every night, or not only for main")
	}
	var jobs []ciJob
	for _, found := range jenkinsStage.FindAllStringSubmatch(text, -1) {
		job := ciJob{
			name: found[1], in: "agent", env: map[string]string{}, leaves: map[string]string{},
			oneAtATime: strings.Contains(options, "disableConcurrentBuilds()"),
			mayFail:    strings.Contains(found[2], "catchError {"),
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
		when := append(jenkinsWhen.FindStringSubmatch(found[2]), "", "")[1]
		job.on = node{t, "Jenkinsfile." + job.name + ".when", when}.events(conditions)
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
