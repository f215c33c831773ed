// SPDX-License-Identifier: MPL-2.0

package ci

import (
	"net/url"
	"os"
	"strings"
)

// provider is one CI system and the variables that it sets.
type provider struct {
	name string
	here func(environment) bool
	id   []string                 // variables, of which the first that is set counts
	by   []string                 // likewise
	url  func(environment) string // returns a URL that is safe to publish
	// what returns what is built. Whatever the system says of a pull request goes into PullRequest,
	// even if it says of a branch or a tag too.
	what func(environment) Build
}

// providers are tried in order. Runners of the first ones may run inside CodeBuild or on a Jenkins
// agent, and almost all set CI=true.
var providers = []provider{
	{ // https://docs.github.com/en/actions/reference/workflows-and-actions/variables
		name: "github-actions", here: isTrue("GITHUB_ACTIONS"), id: []string{"GITHUB_RUN_ID"},
		by:   []string{"GITHUB_TRIGGERING_ACTOR", "GITHUB_ACTOR"},
		url:  urlOf("$GITHUB_SERVER_URL/$GITHUB_REPOSITORY/actions/runs/$GITHUB_RUN_ID"),
		what: github,
	},
	{ // https://docs.gitlab.com/ci/variables/predefined_variables/
		name: "gitlab", here: isTrue("GITLAB_CI"), id: []string{"CI_JOB_ID"},
		by:  []string{"GITLAB_USER_LOGIN"},
		url: urlOf("$CI_JOB_URL"), what: gitlab,
	},
	{ // https://buildkite.com/docs/pipelines/configure/environment-variables
		name: "buildkite", here: isTrue("BUILDKITE"), id: []string{"BUILDKITE_BUILD_ID"},
		by:  []string{"BUILDKITE_BUILD_CREATOR"},
		url: urlOf("$BUILDKITE_BUILD_URL"), what: buildkite,
	},
	{ // https://circleci.com/docs/reference/variables/
		name: "circleci", here: isTrue("CIRCLECI"), id: []string{"CIRCLE_BUILD_NUM"},
		by:  []string{"CIRCLE_USERNAME"},
		url: urlOf("$CIRCLE_BUILD_URL"), what: circleci,
	},
	{ // https://learn.microsoft.com/en-us/azure/devops/pipelines/build/variables
		name: "azure-pipelines", here: isTrue("TF_BUILD"), id: []string{"BUILD_BUILDID"},
		by:  []string{"BUILD_REQUESTEDFOR"},
		url: azureURL, what: azure,
	},
	{ // https://support.atlassian.com/bitbucket-cloud/docs/variables-and-secrets/
		name: "bitbucket", here: isSet("BITBUCKET_BUILD_NUMBER"), id: []string{"BITBUCKET_BUILD_NUMBER"},
		url: urlOf("https://bitbucket.org/$BITBUCKET_REPO_FULL_NAME" +
			"/pipelines/results/$BITBUCKET_BUILD_NUMBER"),
		what: bitbucket,
	},
	{ // https://www.jetbrains.com/help/teamcity/predefined-build-parameters.html
		name: "teamcity", here: isSet("TEAMCITY_VERSION"), id: []string{"BUILD_NUMBER"},
		url: urlOf("$BUILD_URL"), what: teamcity,
	},
	{ // https://woodpecker-ci.org/docs/usage/environment
		name: "woodpecker", here: func(env environment) bool { return env.get("CI") == "woodpecker" },
		id: []string{"CI_PIPELINE_NUMBER"}, url: urlOf("$CI_PIPELINE_URL"), what: woodpecker,
	},
	{ // https://docs.drone.io/pipeline/environment/reference/
		name: "drone", here: isTrue("DRONE"), id: []string{"DRONE_BUILD_NUMBER"},
		by:  []string{"DRONE_BUILD_TRIGGER"},
		url: urlOf("$DRONE_BUILD_LINK"), what: drone,
	},
	{ // https://docs.travis-ci.com/user/environment-variables/
		name: "travis", here: isTrue("TRAVIS"), id: []string{"TRAVIS_BUILD_ID"},
		url: urlOf("$TRAVIS_BUILD_WEB_URL"), what: travis,
	},
	{ // https://docs.aws.amazon.com/codebuild/latest/userguide/build-env-ref-env-vars.html
		name: "codebuild", here: isSet("CODEBUILD_BUILD_ID"), id: []string{"CODEBUILD_BUILD_ID"},
		by:  []string{"CODEBUILD_INITIATOR"},
		url: codeBuildURL, what: codeBuild,
	},
	{ // https://www.jenkins.io/doc/book/pipeline/jenkinsfile/#using-environment-variables
		name: "jenkins", here: isJenkins, id: []string{"BUILD_TAG", "BUILD_NUMBER"},
		by:  []string{"BUILD_USER_ID"}, // of the plugin build-user-vars
		url: urlOf("$BUILD_URL"), what: jenkins,
	},
	{name: "ci", here: isTrue("CI")},
}

func isTrue(name string) func(environment) bool {
	return func(env environment) bool {
		return env.get(name) == "1" || strings.EqualFold(env.get(name), "true")
	}
}

func isSet(name string) func(environment) bool {
	return func(env environment) bool { return env.get(name) != "" }
}

// isJenkins does not rely on JENKINS_URL, which exists only if an administrator has set it.
func isJenkins(env environment) bool {
	return env.get("JENKINS_URL") != "" || strings.HasPrefix(env.get("BUILD_TAG"), "jenkins-")
}

// urlOf fills in the variables of a URL, and scrubs it. The URL is empty if one of them is not set.
func urlOf(template string) func(environment) string {
	return func(env environment) string {
		complete := true
		filled := os.Expand(template, func(name string) string {
			value := env.get(name)
			complete = complete && value != ""
			return value
		})
		if !complete {
			return ""
		}
		return scrub(filled)
	}
}

// azureURL returns the page of a build on Azure, which needs a query.
func azureURL(env environment) string {
	collection := scrub(env.first("SYSTEM_COLLECTIONURI", "SYSTEM_TEAMFOUNDATIONCOLLECTIONURI"))
	project := url.PathEscape(env.get("SYSTEM_TEAMPROJECT"))
	if collection == "" || project == "" {
		return ""
	}
	return strings.TrimRight(collection, "/") + "/" + project +
		"/_build/results?buildId=" + url.QueryEscape(env.get("BUILD_BUILDID"))
}

// codeBuildURL adds the query and the fragment by which the console of CodeBuild finds a build.
// They are not taken from the environment: the region comes from the ARN,
// arn:aws:codebuild:REGION:ACCOUNT:build/ID.
func codeBuildURL(env environment) string {
	console := scrub(env.get("CODEBUILD_BUILD_URL"))
	arn := strings.SplitN(env.get("CODEBUILD_BUILD_ARN"), ":", 6)
	if console == "" || len(arn) < 6 {
		return ""
	}
	return console + "?region=" + url.QueryEscape(arn[3]) +
		"#/builds/" + url.PathEscape(env.get("CODEBUILD_BUILD_ID")) + "/view/new"
}
