// SPDX-License-Identifier: MPL-2.0

package ci

import (
	"net/url"
	"os"
	"strings"
)

// vars are the names of environment variables, of which the first that is set counts.
type vars []string

// provider is one CI system and the variables that it sets.
type provider struct {
	name string
	here func(environment) bool
	id   vars
	url  func(environment) string // returns a URL that is safe to publish
	// branch holds the plain name, after prefix if there is one. A head comes before a target.
	branch vars
	prefix string
	// ref holds a full ref, such as refs/heads/main. Anything but a branch is ignored.
	ref vars
	// tag is set only in the build of a tag.
	tag string
}

// providers are tried in order. Runners of the first ones may run inside CodeBuild or on a Jenkins
// agent, and almost all set CI=true.
var providers = []provider{
	{ // https://docs.github.com/en/actions/reference/workflows-and-actions/variables
		name: "github-actions", here: isTrue("GITHUB_ACTIONS"), id: vars{"GITHUB_RUN_ID"},
		url:    urlOf("$GITHUB_SERVER_URL/$GITHUB_REPOSITORY/actions/runs/$GITHUB_RUN_ID"),
		branch: vars{"GITHUB_HEAD_REF"}, ref: vars{"GITHUB_REF"},
	},
	{ // https://docs.gitlab.com/ci/variables/predefined_variables/
		name: "gitlab", here: isTrue("GITLAB_CI"), id: vars{"CI_JOB_ID"}, url: urlOf("$CI_JOB_URL"),
		branch: vars{"CI_MERGE_REQUEST_SOURCE_BRANCH_NAME",
			"CI_EXTERNAL_PULL_REQUEST_SOURCE_BRANCH_NAME", "CI_COMMIT_BRANCH"},
	},
	{ // https://buildkite.com/docs/pipelines/configure/environment-variables
		name: "buildkite", here: isTrue("BUILDKITE"), id: vars{"BUILDKITE_BUILD_ID"},
		url: urlOf("$BUILDKITE_BUILD_URL"), branch: vars{"BUILDKITE_BRANCH"}, tag: "BUILDKITE_TAG",
	},
	{ // https://circleci.com/docs/reference/variables/
		name: "circleci", here: isTrue("CIRCLECI"), id: vars{"CIRCLE_BUILD_NUM"},
		url: urlOf("$CIRCLE_BUILD_URL"), branch: vars{"CIRCLE_BRANCH"}, tag: "CIRCLE_TAG",
	},
	{ // https://learn.microsoft.com/en-us/azure/devops/pipelines/build/variables
		// The source branch of a pull request comes without refs/heads/ if it is on GitHub.
		name: "azure-pipelines", here: isTrue("TF_BUILD"), id: vars{"BUILD_BUILDID"}, url: azureURL,
		branch: vars{"SYSTEM_PULLREQUEST_SOURCEBRANCH"}, prefix: "refs/heads/",
		ref: vars{"BUILD_SOURCEBRANCH"},
	},
	{ // https://support.atlassian.com/bitbucket-cloud/docs/variables-and-secrets/
		name: "bitbucket", here: isSet("BITBUCKET_BUILD_NUMBER"), id: vars{"BITBUCKET_BUILD_NUMBER"},
		url: urlOf("https://bitbucket.org/$BITBUCKET_REPO_FULL_NAME" +
			"/pipelines/results/$BITBUCKET_BUILD_NUMBER"),
		branch: vars{"BITBUCKET_BRANCH"}, tag: "BITBUCKET_TAG",
	},
	{ // https://www.jetbrains.com/help/teamcity/predefined-build-parameters.html
		name: "teamcity", here: isSet("TEAMCITY_VERSION"), id: vars{"BUILD_NUMBER"},
		url: urlOf("$BUILD_URL"),
	},
	{ // https://woodpecker-ci.org/docs/usage/environment
		name: "woodpecker", here: func(env environment) bool { return env("CI") == "woodpecker" },
		id: vars{"CI_PIPELINE_NUMBER"}, url: urlOf("$CI_PIPELINE_URL"),
		branch: vars{"CI_COMMIT_SOURCE_BRANCH", "CI_COMMIT_BRANCH"}, tag: "CI_COMMIT_TAG",
	},
	{ // https://docs.drone.io/pipeline/environment/reference/
		name: "drone", here: isTrue("DRONE"), id: vars{"DRONE_BUILD_NUMBER"},
		url: urlOf("$DRONE_BUILD_LINK"), branch: vars{"DRONE_SOURCE_BRANCH", "DRONE_BRANCH"},
		tag: "DRONE_TAG",
	},
	{ // https://docs.travis-ci.com/user/environment-variables/
		name: "travis", here: isTrue("TRAVIS"), id: vars{"TRAVIS_BUILD_ID"},
		url:    urlOf("$TRAVIS_BUILD_WEB_URL"),
		branch: vars{"TRAVIS_PULL_REQUEST_BRANCH", "TRAVIS_BRANCH"}, tag: "TRAVIS_TAG",
	},
	{ // https://docs.aws.amazon.com/codebuild/latest/userguide/build-env-ref-env-vars.html
		name: "codebuild", here: isSet("CODEBUILD_BUILD_ID"), id: vars{"CODEBUILD_BUILD_ID"},
		url: codeBuildURL, ref: vars{"CODEBUILD_WEBHOOK_HEAD_REF", "CODEBUILD_SOURCE_VERSION"},
	},
	{ // https://www.jenkins.io/doc/book/pipeline/jenkinsfile/#using-environment-variables
		// https://plugins.jenkins.io/git/#plugin-content-environment-variables
		// GIT_BRANCH is that of the remote, as in "origin/main".
		name: "jenkins", here: isJenkins, id: vars{"BUILD_TAG", "BUILD_NUMBER"},
		url:    urlOf("$BUILD_URL"),
		branch: vars{"CHANGE_BRANCH", "BRANCH_NAME", "GIT_LOCAL_BRANCH", "GIT_BRANCH"},
		prefix: "origin/", tag: "TAG_NAME",
	},
	{name: "ci", here: isTrue("CI")},
}

func isTrue(name string) func(environment) bool {
	return func(env environment) bool {
		return env(name) == "1" || strings.EqualFold(env(name), "true")
	}
}

func isSet(name string) func(environment) bool {
	return func(env environment) bool { return env(name) != "" }
}

// isJenkins does not rely on JENKINS_URL, which exists only if an administrator has set it.
func isJenkins(env environment) bool {
	return env("JENKINS_URL") != "" || strings.HasPrefix(env("BUILD_TAG"), "jenkins-")
}

// urlOf fills in the variables of a URL, and scrubs it. The URL is empty if one of them is not set.
func urlOf(template string) func(environment) string {
	return func(env environment) string {
		complete := true
		filled := os.Expand(template, func(name string) string {
			complete = complete && env(name) != ""
			return env(name)
		})
		if !complete {
			return ""
		}
		return scrub(filled)
	}
}

// azureURL returns the page of a build on Azure, which needs a query.
func azureURL(env environment) string {
	collection := scrub(env.first(vars{"SYSTEM_COLLECTIONURI", "SYSTEM_TEAMFOUNDATIONCOLLECTIONURI"}))
	project := url.PathEscape(env("SYSTEM_TEAMPROJECT"))
	if collection == "" || project == "" {
		return ""
	}
	return strings.TrimRight(collection, "/") + "/" + project +
		"/_build/results?buildId=" + url.QueryEscape(env("BUILD_BUILDID"))
}

// codeBuildURL adds the query and the fragment by which the console of CodeBuild finds a build.
// They are not taken from the environment: the region comes from the ARN,
// arn:aws:codebuild:REGION:ACCOUNT:build/ID.
func codeBuildURL(env environment) string {
	console := scrub(env("CODEBUILD_BUILD_URL"))
	arn := strings.SplitN(env("CODEBUILD_BUILD_ARN"), ":", 6)
	if console == "" || len(arn) < 6 {
		return ""
	}
	return console + "?region=" + url.QueryEscape(arn[3]) +
		"#/builds/" + url.PathEscape(env("CODEBUILD_BUILD_ID")) + "/view/new"
}
