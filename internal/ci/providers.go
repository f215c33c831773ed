// SPDX-License-Identifier: MPL-2.0

package ci

import (
	"net/url"
	"strings"
)

// provider is one CI system.
type provider struct {
	name string
	// here reports whether the process runs in it.
	here func(environment) bool
	// read answers all but Provider. URLs must be scrubbed.
	read func(environment) Build
}

// providers are asked in order. Runners of the first ones may run inside of CodeBuild or on a
// Jenkins agent, and almost all set CI=true.
var providers = []provider{
	{"github-actions", func(env environment) bool { return env.isTrue("GITHUB_ACTIONS") }, githubActions},
	{"gitlab", func(env environment) bool { return env.isTrue("GITLAB_CI") }, gitlab},
	{"buildkite", func(env environment) bool { return env.isTrue("BUILDKITE") }, buildkite},
	{"circleci", func(env environment) bool { return env.isTrue("CIRCLECI") }, circleCI},
	{"azure-pipelines", func(env environment) bool { return env.isTrue("TF_BUILD") }, azurePipelines},
	{"bitbucket", func(env environment) bool { return env.has("BITBUCKET_BUILD_NUMBER") }, bitbucket},
	{"teamcity", func(env environment) bool { return env.has("TEAMCITY_VERSION") }, teamCity},
	{"woodpecker", func(env environment) bool { return env("CI") == "woodpecker" }, woodpecker},
	{"drone", func(env environment) bool { return env.isTrue("DRONE") }, drone},
	{"travis", func(env environment) bool { return env.isTrue("TRAVIS") }, travis},
	{"codebuild", func(env environment) bool { return env.has("CODEBUILD_BUILD_ID") }, codeBuild},
	{"jenkins", isJenkins, jenkins},
	{"ci", func(env environment) bool { return env.isTrue("CI") }, func(environment) Build { return Build{} }},
}

// https://docs.github.com/en/actions/reference/workflows-and-actions/variables
func githubActions(env environment) Build {
	b := Build{BuildID: env("GITHUB_RUN_ID"), Branch: env("GITHUB_HEAD_REF"), Commit: env("GITHUB_SHA")}
	if b.Branch == "" {
		b.Branch = head(env("GITHUB_REF"))
	}
	b.BuildURL = page(env("GITHUB_SERVER_URL"), env("GITHUB_REPOSITORY"), "actions/runs", b.BuildID)
	return b
}

// https://docs.gitlab.com/ci/variables/predefined_variables/
func gitlab(env environment) Build {
	return Build{
		BuildID:  env("CI_JOB_ID"),
		BuildURL: scrub(env("CI_JOB_URL")),
		Branch: env.first("CI_MERGE_REQUEST_SOURCE_BRANCH_NAME",
			"CI_EXTERNAL_PULL_REQUEST_SOURCE_BRANCH_NAME", "CI_COMMIT_BRANCH"),
		Commit: env("CI_COMMIT_SHA"),
	}
}

// https://buildkite.com/docs/pipelines/configure/environment-variables
func buildkite(env environment) Build {
	return Build{
		BuildID:  env("BUILDKITE_BUILD_ID"),
		BuildURL: scrub(env("BUILDKITE_BUILD_URL")),
		Branch:   env.branch("BUILDKITE_TAG", "BUILDKITE_BRANCH"),
		Commit:   env("BUILDKITE_COMMIT"),
	}
}

// https://circleci.com/docs/reference/variables/
func circleCI(env environment) Build {
	return Build{
		BuildID:  env("CIRCLE_BUILD_NUM"),
		BuildURL: scrub(env("CIRCLE_BUILD_URL")),
		Branch:   env.branch("CIRCLE_TAG", "CIRCLE_BRANCH"),
		Commit:   env("CIRCLE_SHA1"),
	}
}

// https://learn.microsoft.com/en-us/azure/devops/pipelines/build/variables
func azurePipelines(env environment) Build {
	b := Build{BuildID: env("BUILD_BUILDID"), Commit: env("BUILD_SOURCEVERSION")}
	// On GitHub the source branch of a pull request comes without "refs/heads/".
	b.Branch = strings.TrimPrefix(env("SYSTEM_PULLREQUEST_SOURCEBRANCH"), "refs/heads/")
	if b.Branch == "" {
		b.Branch = head(env("BUILD_SOURCEBRANCH"))
	}
	collection := env.first("SYSTEM_COLLECTIONURI", "SYSTEM_TEAMFOUNDATIONCOLLECTIONURI")
	// There is no variable with the URL, and none without a query.
	b.BuildURL = page(collection, url.PathEscape(env("SYSTEM_TEAMPROJECT")), "_build/results")
	if b.BuildURL != "" {
		b.BuildURL += "?buildId=" + url.QueryEscape(b.BuildID)
	}
	return b
}

// https://support.atlassian.com/bitbucket-cloud/docs/variables-and-secrets/
func bitbucket(env environment) Build {
	id := env("BITBUCKET_BUILD_NUMBER")
	return Build{
		BuildID:  id,
		BuildURL: page("https://bitbucket.org", env("BITBUCKET_REPO_FULL_NAME"), "pipelines/results", id),
		Branch:   env.branch("BITBUCKET_TAG", "BITBUCKET_BRANCH"),
		Commit:   env("BITBUCKET_COMMIT"),
	}
}

// https://www.jetbrains.com/help/teamcity/predefined-build-parameters.html
func teamCity(env environment) Build {
	return Build{BuildID: env("BUILD_NUMBER"), BuildURL: scrub(env("BUILD_URL")), Commit: env("BUILD_VCS_NUMBER")}
}

// https://woodpecker-ci.org/docs/usage/environment
func woodpecker(env environment) Build {
	return Build{
		BuildID:  env("CI_PIPELINE_NUMBER"),
		BuildURL: scrub(env("CI_PIPELINE_URL")),
		Branch:   env.branch("CI_COMMIT_TAG", "CI_COMMIT_SOURCE_BRANCH", "CI_COMMIT_BRANCH"),
		Commit:   env("CI_COMMIT_SHA"),
	}
}

// https://docs.drone.io/pipeline/environment/reference/
func drone(env environment) Build {
	return Build{
		BuildID:  env("DRONE_BUILD_NUMBER"),
		BuildURL: scrub(env("DRONE_BUILD_LINK")),
		Branch:   env.branch("DRONE_TAG", "DRONE_SOURCE_BRANCH", "DRONE_BRANCH"),
		Commit:   env("DRONE_COMMIT_SHA"),
	}
}

// https://docs.travis-ci.com/user/environment-variables/
func travis(env environment) Build {
	return Build{
		BuildID:  env("TRAVIS_BUILD_ID"),
		BuildURL: scrub(env("TRAVIS_BUILD_WEB_URL")),
		Branch:   env.branch("TRAVIS_TAG", "TRAVIS_PULL_REQUEST_BRANCH", "TRAVIS_BRANCH"),
		Commit:   env("TRAVIS_COMMIT"),
	}
}

// https://docs.aws.amazon.com/codebuild/latest/userguide/build-env-ref-env-vars.html
func codeBuild(env environment) Build {
	b := Build{
		BuildID:  env("CODEBUILD_BUILD_ID"),
		BuildURL: scrub(env("CODEBUILD_BUILD_URL")),
		Branch:   head(env("CODEBUILD_WEBHOOK_HEAD_REF")),
		Commit:   env("CODEBUILD_RESOLVED_SOURCE_VERSION"),
	}
	if b.Branch == "" {
		b.Branch = head(env("CODEBUILD_SOURCE_VERSION"))
	}
	// The console finds a build by query and fragment: without them the URL leads nowhere. They are
	// put together again from an ARN, arn:aws:codebuild:REGION:ACCOUNT:build/ID.
	arn := strings.SplitN(env("CODEBUILD_BUILD_ARN"), ":", 6)
	if b.BuildURL != "" && len(arn) == 6 {
		b.BuildURL += "?region=" + url.QueryEscape(arn[3]) + "#/builds/" + url.PathEscape(b.BuildID) + "/view/new"
	}
	return b
}

// JENKINS_URL is there only when an administrator has set it.
func isJenkins(env environment) bool {
	return env.has("JENKINS_URL") || strings.HasPrefix(env("BUILD_TAG"), "jenkins-")
}

// https://www.jenkins.io/doc/book/pipeline/jenkinsfile/#using-environment-variables
// https://plugins.jenkins.io/git/#plugin-content-environment-variables
func jenkins(env environment) Build {
	// GIT_BRANCH is that of the remote, as in "origin/main".
	branch := env.branch("TAG_NAME", "CHANGE_BRANCH", "BRANCH_NAME", "GIT_LOCAL_BRANCH", "GIT_BRANCH")
	return Build{
		BuildID:  env.first("BUILD_TAG", "BUILD_NUMBER"),
		BuildURL: scrub(env("BUILD_URL")),
		Branch:   strings.TrimPrefix(branch, "origin/"),
		Commit:   env("GIT_COMMIT"),
	}
}
