// SPDX-License-Identifier: MPL-2.0

package ci

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/packer-chain/packer-plugin-chain/internal/gitrepo"
	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
)

var (
	head  = strings.Repeat("1a2b3c4d", 5) // is checked out
	other = strings.Repeat("9f8e7d6c", 5) // what the CI builds, in the cases where that is another
)

// What git knows of the checkouts that CI systems make, and of those on a laptop.
var (
	detached  = Where{}
	onMain    = at("main", gitrepo.Remote{Exists: true, Ref: "origin/main", Pushed: true})
	unpushed  = at("main", gitrepo.Remote{Exists: true, Ref: "origin/main"})
	onFeature = at("feature/x", gitrepo.Remote{Exists: true, Ref: "origin/feature/x", Pushed: true})
	remotes   = at("main", gitrepo.Remote{Exists: true})
	failing   = Where{Branch: "main", Remote: func() (gitrepo.Remote, error) {
		return gitrepo.Remote{}, errors.New("git remote:\nexit status 128")
	}}
)

func at(branch string, remote gitrepo.Remote) Where {
	return Where{Branch: branch, Remote: func() (gitrepo.Remote, error) { return remote, nil }}
}

// vars are environment variables. In their values, HEAD is the commit that the CI builds.
type vars = map[string]string

// with returns variables with changes.
func with(vars, changes vars) vars {
	all := maps.Clone(vars)
	maps.Copy(all, changes)
	return all
}

var (
	onGitHub = vars{
		"CI": "true", "GITHUB_ACTIONS": "true", "GITHUB_ACTOR": "jane", "GITHUB_BASE_REF": "",
		"GITHUB_EVENT_NAME": "push", "GITHUB_EVENT_PATH": "/github/workflow/event.json", "GITHUB_HEAD_REF": "",
		"GITHUB_REF": "refs/heads/main", "GITHUB_REF_NAME": "main", "GITHUB_REF_TYPE": "branch",
		"GITHUB_REPOSITORY": "acme/images", "GITHUB_RUN_ID": "1658821493", "GITHUB_SHA": "HEAD",
		"GITHUB_SERVER_URL": "https://github.com", "GITHUB_WORKFLOW": "build",
	}
	onGitLab = vars{
		"CI": "true", "GITLAB_CI": "true", "CI_COMMIT_BRANCH": "main", "CI_COMMIT_REF_NAME": "main",
		"CI_COMMIT_REF_SLUG": "main", "CI_COMMIT_SHA": "HEAD", "CI_DEFAULT_BRANCH": "main", "CI_JOB_ID": "50",
		"CI_PIPELINE_SOURCE": "push", "CI_COMMIT_BEFORE_SHA": other, "CI_PROJECT_PATH": "acme/images",
	}
	mergeRequest = vars{
		"CI_COMMIT_BRANCH": "", "CI_COMMIT_REF_NAME": "main", "CI_PIPELINE_SOURCE": "merge_request_event",
		"CI_MERGE_REQUEST_IID": "42", "CI_MERGE_REQUEST_ID": "900", "CI_OPEN_MERGE_REQUESTS": "acme/images!42",
		"CI_MERGE_REQUEST_SOURCE_BRANCH_NAME": "main", "CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "main",
	}
	onCircleCI = vars{
		"CI": "true", "CIRCLECI": "true", "CIRCLE_BRANCH": "main", "CIRCLE_BUILD_NUM": "12", "CIRCLE_SHA1": "HEAD",
		"CIRCLE_PROJECT_REPONAME": "images", "CIRCLE_PROJECT_USERNAME": "acme",
	}
	onBuildkite = vars{
		"CI": "true", "BUILDKITE": "true", "BUILDKITE_BRANCH": "main", "BUILDKITE_COMMIT": "HEAD",
		"BUILDKITE_PIPELINE_DEFAULT_BRANCH": "main", "BUILDKITE_PULL_REQUEST": "false",
		"BUILDKITE_PULL_REQUEST_BASE_BRANCH": "", "BUILDKITE_SOURCE": "webhook", "BUILDKITE_TAG": "",
	}
	onJenkins = vars{
		"CI": "true", "JENKINS_URL": "https://ci.example.com/", "BUILD_TAG": "jenkins-images-main-7",
		"BRANCH_NAME": "main", "BRANCH_IS_PRIMARY": "true", "GIT_BRANCH": "main", "GIT_COMMIT": "HEAD",
		"JOB_NAME": "images/main",
	}
	freestyle = vars{
		"JENKINS_URL": "https://ci.example.com/", "BUILD_TAG": "jenkins-images-7", "GIT_BRANCH": "origin/main",
		"GIT_COMMIT": "HEAD", "JOB_NAME": "images",
	}
	onAzure = vars{
		"TF_BUILD": "True", "BUILD_BUILDID": "1430", "BUILD_REASON": "IndividualCI", "BUILD_SOURCEBRANCH": "refs/heads/main",
		"BUILD_SOURCEBRANCHNAME": "main", "BUILD_SOURCEVERSION": "HEAD",
	}
	onBitbucket = vars{
		"CI": "true", "BITBUCKET_BUILD_NUMBER": "5", "BITBUCKET_BRANCH": "main", "BITBUCKET_COMMIT": "HEAD",
		"BITBUCKET_REPO_FULL_NAME": "acme/images",
	}
	onCodeBuild = vars{
		"CI": "true", "CODEBUILD_BUILD_ID": "images:b1e6661e", "CODEBUILD_INITIATOR": "GitHub-Hookshot/abc",
		"CODEBUILD_RESOLVED_SOURCE_VERSION": "HEAD", "CODEBUILD_SOURCE_VERSION": "HEAD",
		"CODEBUILD_WEBHOOK_EVENT": "PUSH", "CODEBUILD_WEBHOOK_HEAD_REF": "refs/heads/main",
		"CODEBUILD_WEBHOOK_TRIGGER": "branch/main",
	}
	byHand = vars{
		"CI": "true", "CODEBUILD_BUILD_ID": "images:b1e6661e", "CODEBUILD_INITIATOR": "jane",
		"CODEBUILD_RESOLVED_SOURCE_VERSION": "HEAD", "CODEBUILD_SOURCE_VERSION": "main",
	}
	onTravis = vars{
		"CI": "true", "TRAVIS": "true", "TRAVIS_BRANCH": "main", "TRAVIS_BUILD_ID": "9", "TRAVIS_COMMIT": "HEAD",
		"TRAVIS_EVENT_TYPE": "push", "TRAVIS_PULL_REQUEST": "false", "TRAVIS_TAG": "",
	}
	onDrone = vars{
		"CI": "true", "DRONE": "true", "DRONE_BRANCH": "main", "DRONE_BUILD_EVENT": "push", "DRONE_COMMIT": "HEAD",
		"DRONE_COMMIT_BRANCH": "main", "DRONE_COMMIT_REF": "refs/heads/main", "DRONE_REPO_BRANCH": "main",
	}
	onWoodpecker = vars{
		"CI": "woodpecker", "CI_COMMIT_BRANCH": "main", "CI_COMMIT_REF": "refs/heads/main", "CI_COMMIT_SHA": "HEAD",
		"CI_PIPELINE_EVENT": "push", "CI_REPO_DEFAULT_BRANCH": "main",
	}
	onTeamCity = vars{"TEAMCITY_VERSION": "2025.03", "BUILD_NUMBER": "77", "BUILD_VCS_NUMBER": "HEAD"}
)

// The files of events of GitHub, as far as they matter.
const (
	repo      = `"repository":{"id":7,"full_name":"acme/images","default_branch":"main"}`
	pushEvent = `{"ref":"refs/heads/main","pusher":{"name":"jane"},` + repo + `}`
	pullEvent = `{"action":"opened","number":42,"pull_request":{"id":900,"number":42,"head":{"ref":"main",` +
		`"repo":{"full_name":"mallory/images"}}},` + repo + `}`
	pullComment  = `{"action":"created","issue":{"number":42,"pull_request":{"url":"x"}},"comment":{"id":1},` + repo + `}`
	issueComment = `{"action":"created","issue":{"number":41},"comment":{"id":1},` + repo + `}`
	runOfPull    = `{"workflow_run":{"event":"pull_request","head_branch":"feature","head_repository":{"full_name":"acme/images"},` +
		`"pull_requests":[{"number":3,"base":{"repo":{"id":8}}},{"number":42,"base":{"repo":{"id":7}}}]},` + repo + `}`
	runOfFork = `{"workflow_run":{"event":"pull_request","head_branch":"main","head_repository":{"full_name":"mallory/images"},` +
		`"pull_requests":[]},` + repo + `}`
	runOfTarget = `{"workflow_run":{"event":"pull_request_target","pull_requests":[]},` + repo + `}`
	runOfPush   = `{"workflow_run":{"event":"push","head_branch":"main","pull_requests":[]},` + repo + `}`
	runOfQueue  = `{"workflow_run":{"event":"merge_group","head_branch":"gh-readonly-queue/main/pr-12-abc"},` + repo + `}`
)

// lineTest is a build. If the line is the branch main, it is checked again with a commit of the CI
// that is not checked out: then nothing may say main.
type lineTest struct {
	name   string
	vars   vars
	event  string // the file of the event
	git    Where
	option string
	want   string // the document, or why the line is local
}

const (
	ciDetached = `the CI names no branch, and HEAD is detached: set the option "branch"`
	another    = "the CI builds 9f8e7d6 of main, but 1a2b3c4 is checked out"
)

var lineTests = []lineTest{
	{"GitHub push", onGitHub, pushEvent, onMain, "", "main"},
	{"GitHub push, detached", onGitHub, pushEvent, detached, "", "main"},
	{"GitHub push, no event", onGitHub, "", onMain, "", "main"},
	{"GitHub push of a feature", with(onGitHub, vars{"GITHUB_REF": "refs/heads/feature/x"}), pushEvent, onFeature, "", "feature_2fx"},
	{"GitHub pull_request", with(onGitHub, vars{"GITHUB_EVENT_NAME": "pull_request", "GITHUB_REF": "refs/pull/42/merge",
		"GITHUB_HEAD_REF": "feature", "GITHUB_BASE_REF": "main", "GITHUB_REF_NAME": "42/merge"}), pullEvent, detached, "", "pr-42"},
	{"GitHub pull_request, main of a fork", with(onGitHub, vars{"GITHUB_EVENT_NAME": "pull_request", "GITHUB_REF": "refs/pull/42/merge",
		"GITHUB_HEAD_REF": "main", "GITHUB_BASE_REF": "main"}), pullEvent, onMain, "main", "pr-42"},
	{"GitHub pull_request, merged", with(onGitHub, vars{"GITHUB_EVENT_NAME": "pull_request"}), pullEvent, onMain, "", "pr-42"},
	{"GitHub pull_request_review, no event", with(onGitHub, vars{"GITHUB_EVENT_NAME": "pull_request_review"}), "", onMain, "", "pr-unknown"},
	{"GitHub pull_request_target", with(onGitHub, vars{"GITHUB_EVENT_NAME": "pull_request_target", "GITHUB_HEAD_REF": "main",
		"GITHUB_BASE_REF": "main"}), pullEvent, onMain, "", "pr-42"},
	{"GitHub pull_request_target, no event", with(onGitHub, vars{"GITHUB_EVENT_NAME": "pull_request_target"}), "", onMain, "main", "pr-unknown"},
	{"GitHub pull_request_target, damaged event", with(onGitHub, vars{"GITHUB_EVENT_NAME": "pull_request_target"}), `{"number":42`, onMain, "", "pr-unknown"},
	{"GitHub pull_request_target, hostile number", with(onGitHub, vars{"GITHUB_EVENT_NAME": "pull_request_target"}),
		`{"number":"../main"}`, onMain, "", "pr-unknown"},
	{"GitHub pull_request_target, negative number", with(onGitHub, vars{"GITHUB_EVENT_NAME": "pull_request_target"}), `{"number":-1}`, onMain, "", "pr-unknown"},
	{"GitHub workflow_run of a pull request", with(onGitHub, vars{"GITHUB_EVENT_NAME": "workflow_run"}), runOfPull, onMain, "", "pr-42"},
	{"GitHub workflow_run of a fork", with(onGitHub, vars{"GITHUB_EVENT_NAME": "workflow_run"}), runOfFork, onMain, "", "pr-mallory_2fimages_3amain"},
	{"GitHub workflow_run of a target", with(onGitHub, vars{"GITHUB_EVENT_NAME": "workflow_run"}), runOfTarget, onMain, "", "pr-unknown"},
	{"GitHub workflow_run of a push", with(onGitHub, vars{"GITHUB_EVENT_NAME": "workflow_run"}), runOfPush, onMain, "", "main"},
	{"GitHub workflow_run of a queue", with(onGitHub, vars{"GITHUB_EVENT_NAME": "workflow_run"}), runOfQueue, onMain, "", "queue-main"},
	{"GitHub workflow_run, no event", with(onGitHub, vars{"GITHUB_EVENT_NAME": "workflow_run"}), "", onMain, "", "pr-unknown"},
	{"GitHub workflow_run, other event", with(onGitHub, vars{"GITHUB_EVENT_NAME": "workflow_run"}), `{}`, onMain, "", "pr-unknown"},
	{"GitHub issue_comment on a pull request", with(onGitHub, vars{"GITHUB_EVENT_NAME": "issue_comment"}), pullComment, onMain, "", "pr-42"},
	{"GitHub issue_comment on an issue", with(onGitHub, vars{"GITHUB_EVENT_NAME": "issue_comment"}), issueComment, onMain, "", "main"},
	{"GitHub issue_comment, no event", with(onGitHub, vars{"GITHUB_EVENT_NAME": "issue_comment"}), "", onMain, "", "pr-unknown"},
	{"GitHub merge_group", with(onGitHub, vars{"GITHUB_EVENT_NAME": "merge_group",
		"GITHUB_REF": "refs/heads/gh-readonly-queue/release/1/pr-12-" + other}), pushEvent, detached, "", "queue-release_2f1"},
	{"GitHub merge_group, other branch", with(onGitHub, vars{"GITHUB_EVENT_NAME": "merge_group"}), "", onMain, "", "queue-main"},
	{"GitHub workflow_dispatch", with(onGitHub, vars{"GITHUB_EVENT_NAME": "workflow_dispatch"}), pushEvent, onMain, "", "main"},
	{"GitHub schedule", with(onGitHub, vars{"GITHUB_EVENT_NAME": "schedule"}), pushEvent, onMain, "", "main"},
	{"GitHub tag", with(onGitHub, vars{"GITHUB_REF": "refs/tags/v1.2", "GITHUB_REF_TYPE": "tag"}), pushEvent, detached, "main", "tag-v1.2"},
	{"GitHub deployment of a commit", with(onGitHub, vars{"GITHUB_EVENT_NAME": "deployment", "GITHUB_REF": ""}), pushEvent, detached, "", ciDetached},

	{"GitLab branch", onGitLab, "", detached, "", "main"},
	{"GitLab merge request", with(onGitLab, mergeRequest), "", detached, "main", "pr-42"},
	{"GitLab merge request, no number", with(onGitLab, with(mergeRequest, vars{"CI_MERGE_REQUEST_IID": ""})), "", detached, "main", "pr-unknown"},
	{"GitLab pull request on GitHub", with(onGitLab, vars{"CI_PIPELINE_SOURCE": "external_pull_request_event",
		"CI_EXTERNAL_PULL_REQUEST_IID": "42"}), "", detached, "", "pr-42"},
	{"GitLab tag", with(onGitLab, vars{"CI_COMMIT_BRANCH": "", "CI_COMMIT_TAG": "v1", "CI_COMMIT_REF_NAME": "v1"}), "", detached, "", "tag-v1"},

	{"CircleCI branch", onCircleCI, "", onMain, "", "main"},
	{"CircleCI branch with a pull request", with(onCircleCI, vars{"CIRCLE_PULL_REQUEST": "https://github.com/acme/images/pull/42",
		"CIRCLE_BRANCH": "feature"}), "", onMain, "", "feature"},
	{"CircleCI fork", with(onCircleCI, vars{"CIRCLE_BRANCH": "pull/42", "CIRCLE_PR_NUMBER": "42", "CIRCLE_PR_USERNAME": "mallory",
		"CIRCLE_PR_REPONAME": "images"}), "", onMain, "main", "pr-42"},
	{"CircleCI fork by its branch only", with(onCircleCI, vars{"CIRCLE_BRANCH": "pull/42/head"}), "", onMain, "", "pr-42"},
	{"CircleCI fork without a number", with(onCircleCI, vars{"CIRCLE_PR_USERNAME": "mallory"}), "", onMain, "", "pr-unknown"},
	{"CircleCI tag", with(onCircleCI, vars{"CIRCLE_BRANCH": "", "CIRCLE_TAG": "v1"}), "", detached, "", "tag-v1"},

	{"Buildkite branch", onBuildkite, "", detached, "", "main"},
	{"Buildkite pull request", with(onBuildkite, vars{"BUILDKITE_PULL_REQUEST": "42", "BUILDKITE_BRANCH": "main",
		"BUILDKITE_PULL_REQUEST_BASE_BRANCH": "main"}), "", onMain, "main", "pr-42"},
	{"Buildkite fork", with(onBuildkite, vars{"BUILDKITE_PULL_REQUEST": "42", "BUILDKITE_BRANCH": "mallory:main"}), "", detached, "", "pr-42"},
	{"Buildkite fork without a number", with(onBuildkite, vars{"BUILDKITE_BRANCH": "mallory:main"}), "", detached, "", "pr-mallory_3amain"},
	{"Buildkite by hand", with(onBuildkite, vars{"BUILDKITE_COMMIT": "HEAD ", "BUILDKITE_SOURCE": "ui"}), "", detached, "", "main"},
	{"Buildkite by hand, ref of a pull request", with(onBuildkite, vars{"BUILDKITE_BRANCH": "refs/pull/42/head"}), "", detached, "", "pr-42"},
	{"Buildkite tag", with(onBuildkite, vars{"BUILDKITE_BRANCH": "v1", "BUILDKITE_TAG": "v1"}), "", detached, "", "tag-v1"},
	{"Buildkite merge queue", with(onBuildkite, vars{"BUILDKITE_BRANCH": "gh-readonly-queue/main/pr-12-" + other}), "", detached, "", "queue-main"},

	{"Jenkins branch", onJenkins, "", detached, "", "main"},
	{"Jenkins branch, no commit", with(onJenkins, vars{"GIT_COMMIT": ""}), "", detached, "", "main"},
	{"Jenkins branch like a folder", with(onJenkins, vars{"BRANCH_NAME": "origin/main", "GIT_BRANCH": "main"}), "", detached, "", "origin_2fmain"},
	{"Jenkins change", with(onJenkins, vars{"BRANCH_NAME": "PR-42", "CHANGE_ID": "42", "CHANGE_BRANCH": "main", "CHANGE_TARGET": "main",
		"GIT_BRANCH": "PR-42", "BRANCH_IS_PRIMARY": ""}), "", onMain, "main", "pr-42"},
	{"Jenkins tag", with(onJenkins, vars{"BRANCH_NAME": "v1", "TAG_NAME": "v1", "BRANCH_IS_PRIMARY": ""}), "", detached, "", "tag-v1"},
	{"Jenkins freestyle", freestyle, "", detached, "", "main"},
	{"Jenkins freestyle, feature", with(freestyle, vars{"GIT_BRANCH": "origin/x/main"}), "", detached, "", "x_2fmain"},
	{"Jenkins freestyle, local branch", with(freestyle, vars{"GIT_BRANCH": "origin/x", "GIT_LOCAL_BRANCH": "main"}), "", unpushed, "", "x"},
	{"Jenkins freestyle, other remote", with(freestyle, vars{"GIT_BRANCH": "fork/main"}), "", detached, "", "fork_2fmain"},
	{"Jenkins freestyle, commit", with(freestyle, vars{"GIT_BRANCH": "detached"}), "", detached, "", ciDetached},
	{"Jenkins freestyle, ref of a pull request", with(freestyle, vars{"GIT_BRANCH": "origin/pr/42/merge"}), "", detached, "", "pr-42"},
	{"Jenkins freestyle, pull request", with(freestyle, vars{"GIT_BRANCH": "detached", "ghprbPullId": "42"}), "", detached, "", "pr-42"},
	{"Jenkins freestyle, merge request", with(freestyle, vars{"gitlabMergeRequestIid": "42", "gitlabSourceBranch": "main"}), "", detached, "", "pr-42"},
	{"Jenkins freestyle, Gerrit", with(freestyle, vars{"GERRIT_CHANGE_NUMBER": "42", "GERRIT_EVENT_TYPE": "patchset-created"}), "", detached, "", "pr-42"},
	{"Jenkins freestyle, Gerrit, merged", with(freestyle, vars{"GERRIT_CHANGE_NUMBER": "42", "GERRIT_EVENT_TYPE": "change-merged"}), "", detached, "", "main"},
	{"Jenkins freestyle, tag", with(freestyle, vars{"GIT_BRANCH": "refs/tags/v1"}), "", detached, "", "tag-v1"},

	{"Azure main", onAzure, "", detached, "", "main"},
	{"Azure x/main", with(onAzure, vars{"BUILD_SOURCEBRANCH": "refs/heads/x/main"}), "", detached, "", "x_2fmain"},
	{"Azure pull request", with(onAzure, vars{"BUILD_REASON": "PullRequest", "BUILD_SOURCEBRANCH": "refs/pull/42/merge",
		"BUILD_SOURCEBRANCHNAME": "merge", "SYSTEM_PULLREQUEST_PULLREQUESTID": "42", "SYSTEM_PULLREQUEST_SOURCEBRANCH": "refs/heads/main",
		"SYSTEM_PULLREQUEST_TARGETBRANCH": "refs/heads/main"}), "", onMain, "main", "pr-42"},
	{"Azure pull request on GitHub", with(onAzure, vars{"BUILD_REASON": "PullRequest", "BUILD_SOURCEBRANCH": "refs/pull/42/merge",
		"SYSTEM_PULLREQUEST_PULLREQUESTID": "900123", "SYSTEM_PULLREQUEST_PULLREQUESTNUMBER": "42"}), "", detached, "", "pr-42"},
	{"Azure pull request, no number", with(onAzure, vars{"BUILD_REASON": "PullRequest"}), "", onMain, "", "pr-unknown"},
	{"Azure tag", with(onAzure, vars{"BUILD_SOURCEBRANCH": "refs/tags/v1"}), "", detached, "", "tag-v1"},
	{"Azure TFVC", with(onAzure, vars{"BUILD_SOURCEBRANCH": "$/acme/main"}), "", detached, "", ciDetached},

	{"Bitbucket branch", onBitbucket, "", onMain, "", "main"},
	{"Bitbucket pull request", with(onBitbucket, vars{"BITBUCKET_PR_ID": "42", "BITBUCKET_PR_DESTINATION_BRANCH": "main"}), "", onMain, "main", "pr-42"},
	{"Bitbucket tag", with(onBitbucket, vars{"BITBUCKET_BRANCH": "", "BITBUCKET_TAG": "v1"}), "", detached, "", "tag-v1"},

	{"CodeBuild webhook", onCodeBuild, "", detached, "", "main"},
	{"CodeBuild pull request", with(onCodeBuild, vars{"CODEBUILD_SOURCE_VERSION": "pr/42", "CODEBUILD_WEBHOOK_EVENT": "PULL_REQUEST_UPDATED",
		"CODEBUILD_WEBHOOK_BASE_REF": "refs/heads/main", "CODEBUILD_WEBHOOK_TRIGGER": "pr/42"}), "", detached, "main", "pr-42"},
	{"CodeBuild pull request by its event only", with(onCodeBuild, vars{"CODEBUILD_WEBHOOK_EVENT": "PULL_REQUEST_CREATED",
		"CODEBUILD_WEBHOOK_TRIGGER": ""}), "", detached, "", "pr-unknown"},
	{"CodeBuild tag", with(onCodeBuild, vars{"CODEBUILD_WEBHOOK_HEAD_REF": "refs/tags/v1", "CODEBUILD_WEBHOOK_TRIGGER": "tag/v1"}), "", detached, "", "tag-v1"},
	{"CodeBuild by hand", byHand, "", detached, "", ciDetached},
	{"CodeBuild by hand, branch option", byHand, "", detached, "main", "main"},
	{"CodeBuild by hand, ref", with(byHand, vars{"CODEBUILD_SOURCE_VERSION": "refs/heads/main"}), "", detached, "", "main"},
	{"CodeBuild by hand, ref and commit", with(byHand, vars{"CODEBUILD_SOURCE_VERSION": "refs/heads/x^{" + other + "}"}), "", detached, "", "x"},
	{"CodeBuild by hand, pull request", with(byHand, vars{"CODEBUILD_SOURCE_VERSION": "pr/42"}), "", detached, "main", "pr-42"},
	{"CodeBuild by hand, ref of a pull request", with(byHand, vars{"CODEBUILD_SOURCE_VERSION": "refs/pull/42/head^{" + other + "}"}), "", detached, "main", "pr-42"},
	{"CodePipeline", with(byHand, vars{"CODEBUILD_INITIATOR": "codepipeline/images", "CODEBUILD_SOURCE_VERSION": "arn:aws:s3:::bucket/images/Source/x"}),
		"", detached, "", ciDetached},
	{"CodePipeline, branch option", with(byHand, vars{"CODEBUILD_INITIATOR": "codepipeline/images", "CODEBUILD_SOURCE_VERSION": "arn:aws:s3:::b/k"}),
		"", detached, "main", "main"},

	{"Travis branch", onTravis, "", detached, "", "main"},
	{"Travis pull request", with(onTravis, vars{"TRAVIS_PULL_REQUEST": "42", "TRAVIS_EVENT_TYPE": "pull_request",
		"TRAVIS_PULL_REQUEST_BRANCH": "feature"}), "", detached, "main", "pr-42"},
	{"Travis tag", with(onTravis, vars{"TRAVIS_BRANCH": "v1", "TRAVIS_TAG": "v1"}), "", detached, "", "tag-v1"},
	{"Drone branch", onDrone, "", onMain, "", "main"},
	{"Drone pull request", with(onDrone, vars{"DRONE_BUILD_EVENT": "pull_request", "DRONE_PULL_REQUEST": "42",
		"DRONE_COMMIT_REF": "refs/pull/42/head", "DRONE_SOURCE_BRANCH": "feature"}), "", onMain, "", "pr-42"},
	{"Drone promotion of a pull request", with(onDrone, vars{"DRONE_BUILD_EVENT": "promote", "DRONE_COMMIT_REF": "refs/pull/42/head"}), "", onMain, "", "pr-42"},
	{"Drone tag", with(onDrone, vars{"DRONE_BUILD_EVENT": "tag", "DRONE_TAG": "v1", "DRONE_COMMIT_REF": "refs/tags/v1"}), "", detached, "", "tag-v1"},
	{"Woodpecker branch", onWoodpecker, "", onMain, "", "main"},
	{"Woodpecker pull request", with(onWoodpecker, vars{"CI_PIPELINE_EVENT": "pull_request_closed", "CI_COMMIT_PULL_REQUEST": "42",
		"CI_COMMIT_REF": "refs/pull/42/head", "CI_COMMIT_SOURCE_BRANCH": "feature"}), "", onMain, "", "pr-42"},
	{"Woodpecker tag", with(onWoodpecker, vars{"CI_PIPELINE_EVENT": "tag", "CI_COMMIT_TAG": "v1", "CI_COMMIT_REF": "refs/tags/v1"}), "", detached, "", "tag-v1"},
	{"TeamCity", onTeamCity, "", detached, "", ciDetached},
	{"TeamCity, branch checked out", onTeamCity, "", onFeature, "", "feature_2fx"},
	{"unknown CI", vars{"CI": "true"}, "", detached, "", ciDetached},
	{"unknown CI, branch checked out", vars{"CI": "true"}, "", onFeature, "", "feature_2fx"},
	{"unknown CI, not on the remote", vars{"CI": "true"}, "", unpushed, "", "HEAD is not on origin/main yet: push it"},

	{"laptop, pushed", nil, "", onMain, "", "main"},
	{"laptop, not pushed", nil, "", unpushed, "", "HEAD is not on origin/main yet: push it"},
	{"laptop, not pushed, branch option", nil, "", unpushed, "main", "main"},
	{"laptop without a remote", nil, "", at("main", gitrepo.Remote{}), "", "main"},
	{"laptop with many remotes", nil, "", remotes, "", "there are many remotes: name one of them origin, or set the upstream of main"},
	{"laptop, git fails", nil, "", failing, "", "git cannot tell whether HEAD is on the remote: git remote: exit status 128"},
	{"laptop, detached", nil, "", detached, "", "HEAD is detached: check out a branch"},
	{"laptop, queue", nil, "", at("gh-readonly-queue/main/pr-1-a", gitrepo.Remote{}), "", "queue-main"},

	{"branch with a name that hides characters", with(onGitLab, vars{"CI_COMMIT_BRANCH": "main\u200b"}), "", detached, "",
		"sha256-dd8639b8e44a436c2c48fcf1073ca9164de66c71d620022af2dec1518db4c2cb"},
	{"branch named like a pull request", with(onGitLab, vars{"CI_COMMIT_BRANCH": "pr-42"}), "", detached, "", "_70r-42"},
	{"branch named like a queue of another", with(onGitLab, vars{"CI_COMMIT_BRANCH": "x/gh-readonly-queue/main/pr-1"}), "", detached, "",
		"x_2fgh-readonly-queue_2fmain_2fpr-1"},
}

// line returns the document of the line that a test has if the CI builds a commit, or why it is
// local.
func (tt lineTest) line(commit string) string {
	read := func(name string) ([]byte, error) {
		if tt.event == "" || name != onGitHub["GITHUB_EVENT_PATH"] {
			return nil, os.ErrNotExist
		}
		return []byte(tt.event), nil
	}
	b := detect(func(name string) string {
		if value := tt.vars[name]; value != "HEAD" {
			return value
		}
		return commit
	}, read)
	where := tt.git
	where.Head = head
	line, why := b.Line(where, tt.option)
	if (why != "") != (line == local) {
		return "bad reason for " + line.String() + ": " + why
	}
	if why != "" {
		return why
	}
	return line.Document()
}

func TestLine(t *testing.T) {
	for _, tt := range lineTests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.line(head); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// If the CI builds another commit than the one that is checked out, its branch does not count.
func TestLine_otherCommit(t *testing.T) {
	for _, tt := range lineTests {
		t.Run(tt.name, func(t *testing.T) {
			want, names := tt.want, false
			for _, value := range tt.vars {
				names = names || value == "HEAD"
			}
			b := detect(func(name string) string { return tt.vars[name] }, func(string) ([]byte, error) {
				return []byte(tt.event), nil
			})
			if names && b.Branch != "" && tt.option == "" {
				want = strings.Replace(another, "main", b.Branch, 1)
			}
			if got := tt.line(other); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

// Without git, the commit of the base or of the default branch is not taken for that of the files,
// and neither is its branch.
func TestCommitWithoutGit(t *testing.T) {
	const unsure = `the CI does not tell whether the files are those of main: set the option "branch"`
	for _, tt := range []struct{ event, body, commit, line, why string }{
		{"push", pushEvent, head, "main", ""},
		{"workflow_dispatch", pushEvent, head, "main", ""},
		{"pull_request", pullEvent, head, "pr-42", ""},
		{"pull_request_target", pullEvent, "", "pr-42", ""},
		{"issue_comment", pullComment, "", "pr-42", ""},
		{"issue_comment", issueComment, "", "local", unsure},
		{"workflow_run", runOfPull, "", "pr-42", ""},
		{"workflow_run", runOfPush, "", "local", unsure},
	} {
		set := with(onGitHub, vars{"GITHUB_EVENT_NAME": tt.event, "GITHUB_SHA": head})
		b := detect(func(name string) string { return set[name] },
			func(string) ([]byte, error) { return []byte(tt.body), nil })
		line, why := b.Line(Where{NoGit: true}, "")
		if commit := b.CommitWithoutGit(); commit != tt.commit || line.Document() != tt.line || why != tt.why {
			t.Errorf("%s %s: commit %q, line %s: %s", tt.event, tt.body, commit, line.Document(), why)
		}
		if withOption, _ := b.Line(Where{NoGit: true}, "main"); tt.why != "" && withOption.Document() != "main" {
			t.Errorf("%s with an option: %s", tt.event, withOption.Document())
		}
	}
}

// git is asked about the remote only if its branch counts.
func TestLine_asksGitOnlyIfItCounts(t *testing.T) {
	where := Where{Head: head, Branch: "main"} // to call Remote would panic
	for _, b := range []Build{{PullRequest: "1"}, {Queue: "main"}, {Tag: "v1"}, {Branch: "main"}} {
		if line, why := b.Line(where, ""); why != "" || line.Kind == manifest.LineLocal {
			t.Errorf("%+v is %v: %s", b, line, why)
		}
	}
	if line, _ := (Build{}).Line(where, "main"); line != (manifest.Line{Kind: manifest.LineBranch, Name: "main"}) {
		t.Errorf("got %v", line)
	}
}

func TestDetect_whatIsBuilt(t *testing.T) {
	tests := []struct {
		name  string
		vars  vars
		event string
		want  Build
	}{
		{"GitHub push", onGitHub, pushEvent, Build{Branch: "main", Commit: head, DefaultBranch: "main"}},
		{"GitHub pull request", with(onGitHub, vars{"GITHUB_EVENT_NAME": "pull_request", "GITHUB_REF": "refs/pull/42/merge",
			"GITHUB_HEAD_REF": "main"}), pullEvent, Build{PullRequest: "42", Head: "main", Commit: head, DefaultBranch: "main"}},
		{"GitLab merge request", with(onGitLab, mergeRequest), "", Build{PullRequest: "42", Head: "main", Commit: head, DefaultBranch: "main"}},
		{"Buildkite by hand", with(onBuildkite, vars{"BUILDKITE_COMMIT": "HEAD "}), "", Build{Branch: "main", DefaultBranch: "main"}},
		{"Jenkins primary branch", onJenkins, "", Build{Branch: "main", Commit: head, DefaultBranch: "main"}},
		{"Jenkins other branch", with(onJenkins, vars{"BRANCH_NAME": "x", "BRANCH_IS_PRIMARY": ""}), "", Build{Branch: "x", Commit: head}},
		{"Azure pull request", with(onAzure, vars{"BUILD_SOURCEBRANCH": "refs/pull/42/merge", "SYSTEM_PULLREQUEST_SOURCEBRANCH": "refs/heads/x"}),
			"", Build{PullRequest: "42", Head: "x", Commit: head}},
		{"Drone", onDrone, "", Build{Branch: "main", Commit: head, DefaultBranch: "main"}},
		{"Woodpecker", onWoodpecker, "", Build{Branch: "main", Commit: head, DefaultBranch: "main"}},
		{"TeamCity", onTeamCity, "", Build{Commit: head}},
		{"commit in upper case", with(onGitLab, vars{"CI_COMMIT_SHA": strings.ToUpper(head)}), "",
			Build{Branch: "main", Commit: head, DefaultBranch: "main"}},
		{"short commit", with(onBitbucket, vars{"BITBUCKET_COMMIT": head[:7]}), "", Build{Branch: "main"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := detect(func(name string) string {
				if value := tt.vars[name]; value != "HEAD" {
					return value
				}
				return head
			}, func(string) ([]byte, error) { return []byte(tt.event), nil })
			got.Provider, got.BuildID, got.BuildURL, got.By = "", "", "", ""
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestReadEvent(t *testing.T) {
	name := filepath.Join(t.TempDir(), "event.json")
	if _, err := readEvent(name); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	for size, want := range map[int]error{maxEvent: nil, maxEvent + 1: errEventTooLong} {
		if err := os.WriteFile(name, make([]byte, size), 0o600); err != nil {
			t.Fatal(err)
		}
		if body, err := readEvent(name); !errors.Is(err, want) || err == nil && len(body) != size {
			t.Errorf("%d bytes: %d, %v", size, len(body), err)
		}
	}
}

// FuzzEvent reads the file of an event, in which others name their branches: a pull request stays
// one.
func FuzzEvent(f *testing.F) {
	for _, event := range []string{pushEvent, pullEvent, pullComment, runOfPull, runOfFork, runOfTarget, `[]`, `{"number":1e3}`} {
		f.Add(event)
	}
	f.Fuzz(func(t *testing.T, event string) {
		tt := lineTest{event: event, git: onMain, vars: with(onGitHub, vars{"GITHUB_EVENT_NAME": "pull_request_target"})}
		if got := tt.line(head); !strings.HasPrefix(got, "pr-") {
			t.Errorf("got %s", got)
		}
	})
}
