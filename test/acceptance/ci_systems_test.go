// SPDX-License-Identifier: MPL-2.0

package acceptance

import (
	"regexp"
	"strings"
	"testing"
)

// ciRun is one run of a pipeline: of a commit that a repository has at a URL.
type ciRun struct {
	event    event
	url, sha string
	// dir is the checkout, and home a folder of the same machine.
	dir, home string
}

// isPull and the like are for variables that a system sets for some events only.
func (r ciRun) isPull() bool { return r.event == pullRequest }

func (r ciRun) choose(ofPull, ofPush, ofNight string) string {
	return map[event]string{pullRequest: ofPull, push: ofPush, night: ofNight}[r.event]
}

// ciSystem is a CI system: what it does around the commands of a recipe.
type ciSystem struct {
	file string
	// provider is the name that the registry has for it, and page the URL of the build there.
	provider, page string
	// read finds the jobs of a recipe. What it does not look at is not run here: actions, plugins and
	// tasks of the system, caches, images, and how Packer is installed.
	read func(t *testing.T, text string) []ciJob
	// checkout is what the system's log shows, as commands of git. The depth is 1 even where the
	// recipe asks for the whole history: what works with one commit works with all.
	checkout func(r ciRun) []string
	// variables are those that the system sets in every job.
	variables func(r ciRun) map[string]string
	// expand replaces the system's own expressions, which no shell knows.
	expand func(r ciRun, text string) string
}

func sameText(_ ciRun, text string) string { return text }

// always is for jobs that no pull request starts.
var always = []event{push, night}

var ciSystems = []ciSystem{
	{
		file: "github-actions.yml", provider: "github-actions",
		page: "https://github.com/acme/images/actions/runs/4711",
		read: readGitHub, expand: expandGitHub,
		// It also checks out the branch, for a push.
		checkout: func(r ciRun) []string {
			if r.isPull() {
				return []string{
					"init --quiet .", "remote add origin " + r.url,
					"fetch --no-tags --depth=1 origin +" + r.sha + ":refs/remotes/pull/7/merge",
					"checkout --force refs/remotes/pull/7/merge",
				}
			}
			return []string{
				"init --quiet .", "remote add origin " + r.url,
				"fetch --no-tags --depth=1 origin +" + r.sha + ":refs/remotes/origin/main",
				"checkout --force -B main refs/remotes/origin/main",
			}
		},
		variables: func(r ciRun) map[string]string {
			return map[string]string{
				"CI": "true", "GITHUB_ACTIONS": "true", "GITHUB_SHA": r.sha,
				"GITHUB_EVENT_NAME": r.choose("pull_request", "push", "schedule"),
				"GITHUB_REF":        r.choose("refs/pull/7/merge", "refs/heads/main", "refs/heads/main"),
				"GITHUB_HEAD_REF":   r.choose("fix", "", ""), "GITHUB_RUN_ID": "4711",
				"GITHUB_SERVER_URL": "https://github.com", "GITHUB_REPOSITORY": "acme/images",
			}
		},
	},
	{
		file: "gitlab-ci.yml", provider: "gitlab", page: "https://gitlab.com/acme/images/-/jobs/4711",
		read: readGitLab, expand: func(r ciRun, text string) string {
			return strings.ReplaceAll(text, "$CI_PROJECT_DIR", r.dir)
		},
		checkout: func(r ciRun) []string {
			return []string{
				"init --quiet .", "remote add origin " + r.url,
				"fetch --quiet --depth 1 origin +" + r.sha + ":refs/pipelines/99",
				"checkout --force --quiet " + r.sha,
			}
		},
		variables: func(r ciRun) map[string]string {
			return map[string]string{
				"CI": "true", "GITLAB_CI": "true", "CI_JOB_ID": "4711", "CI_COMMIT_SHA": r.sha,
				"CI_PIPELINE_SOURCE":   r.choose("merge_request_event", "push", "schedule"),
				"CI_COMMIT_BRANCH":     r.choose("", "main", "main"),
				"CI_MERGE_REQUEST_IID": r.choose("7", "", ""), "CI_DEFAULT_BRANCH": "main",
				"CI_JOB_URL":     "https://gitlab.com/acme/images/-/jobs/4711",
				"CI_PROJECT_DIR": r.dir,
			}
		},
	},
	{
		file: "buildkite.yml", provider: "buildkite",
		page: "https://buildkite.com/acme/images/builds/4711",
		// The upload replaces variables by those of the machine that uploads, where no job has run.
		read: readBuildkite, expand: func(_ ciRun, text string) string {
			return uploadedVariable.ReplaceAllString(text, "$1")
		},
		checkout: func(r ciRun) []string {
			return []string{
				"clone --quiet --depth 1 --no-checkout " + r.url + " .",
				"fetch --depth 1 origin " + r.sha, "checkout --force " + r.sha,
			}
		},
		variables: func(r ciRun) map[string]string {
			return map[string]string{
				"CI": "true", "BUILDKITE": "true", "BUILDKITE_COMMIT": r.sha,
				"BUILDKITE_BRANCH":                  r.choose("fix", "main", "main"),
				"BUILDKITE_PULL_REQUEST":            r.choose("7", "false", "false"),
				"BUILDKITE_SOURCE":                  r.choose("webhook", "webhook", "schedule"),
				"BUILDKITE_PIPELINE_DEFAULT_BRANCH": "main",
				"BUILDKITE_BUILD_URL":               "https://buildkite.com/acme/images/builds/4711",
			}
		},
	},
	{
		file: "circleci.yml", provider: "circleci", page: "https://circleci.com/gh/acme/images/4711",
		read: readCircleCI, expand: sameText,
		// It is the only one that also has a branch of the name in a pull request.
		checkout: func(r ciRun) []string {
			branch := r.choose("fix", "main", "main")
			return []string{
				"clone --quiet --depth 1 --no-checkout " + r.url + " .",
				"fetch --force --depth 1 origin +" + r.sha + ":refs/remotes/origin/" + branch,
				"checkout --force -B " + branch + " " + r.sha,
			}
		},
		variables: func(r ciRun) map[string]string {
			return map[string]string{
				"CI": "true", "CIRCLECI": "true", "CIRCLE_SHA1": r.sha,
				"CIRCLE_BRANCH":    r.choose("fix", "main", "main"),
				"CIRCLE_BUILD_NUM": "4711",
				"CIRCLE_BUILD_URL": "https://circleci.com/gh/acme/images/4711",
			}
		},
	},
	{
		file: "azure-pipelines.yml", provider: "azure-pipelines",
		page: "https://dev.azure.com/acme/images/_build/results?buildId=4711",
		read: readAzure, expand: func(r ciRun, text string) string {
			return strings.NewReplacer("$(Pipeline.Workspace)", r.home, "$(GITHUB_API_TOKEN)", "",
				"$(Build.SourcesDirectory)", r.dir).Replace(text)
		},
		// No ref of any kind is left: only the commit.
		checkout: func(r ciRun) []string {
			return []string{
				"init --quiet .", "remote add origin " + r.url,
				"fetch --force --no-tags --prune --depth=1 origin +" + r.sha,
				"checkout --force " + r.sha,
			}
		},
		variables: func(r ciRun) map[string]string {
			return map[string]string{
				"TF_BUILD": "True", "BUILD_SOURCEVERSION": r.sha, "BUILD_BUILDID": "4711",
				"BUILD_REASON": r.choose("PullRequest", "BatchedCI", "Schedule"),
				"BUILD_SOURCEBRANCH": r.choose(
					"refs/pull/7/merge", "refs/heads/main", "refs/heads/main"),
				"SYSTEM_COLLECTIONURI": "https://dev.azure.com/acme/", "SYSTEM_TEAMPROJECT": "images",
				"PIPELINE_WORKSPACE": r.home,
			}
		},
	},
	{
		file: "bitbucket-pipelines.yml", provider: "bitbucket",
		page: "https://bitbucket.org/acme/images/pipelines/results/4711",
		read: readBitbucket, expand: sameText,
		checkout: func(r ciRun) []string {
			return []string{
				"clone --quiet --depth 1 --branch " + r.choose("fix", "main", "main") + " " + r.url + " .",
				"reset --hard " + r.sha,
			}
		},
		variables: func(r ciRun) map[string]string {
			return map[string]string{
				"CI": "true", "BITBUCKET_BUILD_NUMBER": "4711", "BITBUCKET_COMMIT": r.sha,
				"BITBUCKET_BRANCH":         r.choose("fix", "main", "main"),
				"BITBUCKET_PR_ID":          r.choose("7", "", ""),
				"BITBUCKET_REPO_FULL_NAME": "acme/images",
			}
		},
	},
	{
		file: "Jenkinsfile", provider: "jenkins",
		page: "https://jenkins.example.com/job/images/job/main/4711/",
		read: readJenkins, expand: sameText,
		checkout: func(r ciRun) []string {
			return []string{
				"init --quiet .", "config remote.origin.url " + r.url,
				"fetch --no-tags --force --depth=1 origin +" + r.sha + ":refs/remotes/origin/main",
				"checkout --force " + r.sha,
			}
		},
		variables: func(r ciRun) map[string]string {
			return map[string]string{
				"JENKINS_URL": "https://jenkins.example.com/", "BUILD_NUMBER": "4711",
				"BRANCH_NAME": r.choose("PR-7", "main", "main"), "CHANGE_ID": r.choose("7", "", ""),
				"BRANCH_IS_PRIMARY": r.choose("", "true", "true"), "GIT_COMMIT": r.sha,
				"BUILD_TAG": "jenkins-images-main-4711",
				"BUILD_URL": "https://jenkins.example.com/job/images/job/main/4711/",
			}
		},
	},
	{
		file: "codebuild.yml", provider: "codebuild",
		page: codeBuildConsole + "?region=eu-west-1#/builds/images:4711/view/new",
		read: readCodeBuild, expand: func(r ciRun, text string) string {
			return strings.ReplaceAll(text, "$CODEBUILD_SRC_DIR_tested", r.home+"/tested")
		},
		checkout: func(r ciRun) []string {
			return []string{
				"clone --quiet --depth 1 --no-checkout " + r.url + " .",
				"fetch --depth 1 origin " + r.sha, "checkout --force " + r.sha,
			}
		},
		// The branch is missing: CodePipeline does not pass it on.
		variables: func(r ciRun) map[string]string {
			const source = "arn:aws:s3:::acme-pipelines/images/source/abc"
			return map[string]string{
				"CODEBUILD_BUILD_ID":                "images:4711",
				"CODEBUILD_BUILD_ARN":               codeBuildARN,
				"CODEBUILD_BUILD_URL":               codeBuildConsole,
				"CODEBUILD_SOURCE_VERSION":          r.choose("pr/7", source, ""),
				"CODEBUILD_WEBHOOK_TRIGGER":         r.choose("pr/7", "", ""),
				"CODEBUILD_RESOLVED_SOURCE_VERSION": r.sha, "CODEBUILD_SRC_DIR": r.dir,
			}
		},
	},
}

const (
	codeBuildConsole = "https://eu-west-1.console.aws.amazon.com/codebuild/home"
	codeBuildARN     = "arn:aws:codebuild:eu-west-1:123456789012:build/images:4711"
)

// uploadedVariable is a variable of Buildkite, or the sign of one that the upload keeps.
var uploadedVariable = regexp.MustCompile(`\$(\$)|\$\w+`)

// githubExpression is an expression of GitHub Actions.
var githubExpression = regexp.MustCompile(`\$\{\{ *(.*?) *\}\}`)

func expandGitHub(r ciRun, text string) string {
	known := map[string]string{"github.workspace": r.dir, "github.token": ""}
	return githubExpression.ReplaceAllStringFunc(text, func(expression string) string {
		value, ok := known[githubExpression.FindStringSubmatch(expression)[1]]
		if !ok {
			return expression
		}
		return value
	})
}
