// SPDX-License-Identifier: MPL-2.0

package ci

import (
	"cmp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
	"github.com/packer-chain/packer-plugin-chain/internal/text"
)

// unknown is the name of a pull request of which nothing else is known.
const unknown = "unknown"

// only keeps of what a provider says that which counts: a pull request before a merge queue, a tag
// and a branch.
func (b Build) only() Build {
	b.Queue = cmp.Or(b.Queue, queueOf(b.Branch))
	switch {
	case b.PullRequest != "":
		b.Head = cmp.Or(b.Head, b.Branch)
		b.Queue, b.Tag, b.Branch = "", "", ""
	case b.Queue != "":
		b.Tag, b.Branch = "", ""
	case b.Tag != "":
		b.Branch = ""
	}
	if b.PullRequest == "" {
		b.Head = ""
	}
	for _, name := range []*string{
		&b.PullRequest, &b.Queue, &b.Tag, &b.Branch, &b.Head, &b.DefaultBranch,
	} {
		*name = fit(*name)
	}
	if b.Commit = strings.ToLower(b.Commit); !manifest.IsGitSHA(b.Commit) {
		b.Commit = ""
	}
	return b
}

// fit returns a name as it is, or a hash if it is not fit to be published. To drop characters that
// do not show would turn it into the name of another branch.
func fit(name string) string {
	hidden := func(r rune) bool { return !unicode.IsPrint(r) }
	if !utf8.ValidString(name) || utf8.RuneCountInString(name) > maxLength ||
		strings.ContainsFunc(name, hidden) {
		return "sha256-" + text.SHA256(name)
	}
	return name
}

// queueOf returns the branch that a merge queue of GitHub merges into, by the temporary branch that
// it has built, such as "gh-readonly-queue/main/pr-12-<commit>", or "" for any other branch.
func queueOf(branch string) string {
	target, isQueue := strings.CutPrefix(branch, "gh-readonly-queue/")
	if !isQueue {
		return ""
	}
	if i := strings.LastIndex(target, "/pr-"); i > 0 {
		target = target[:i]
	}
	return target
}

// setRef adds what a whole ref names, such as refs/heads/main or refs/pull/12/merge.
func (b *Build) setRef(ref string) {
	kind, name, _ := strings.Cut(strings.TrimPrefix(ref, "refs/"), "/")
	if name == "" || !strings.HasPrefix(ref, "refs/") {
		return
	}
	switch kind {
	case "heads":
		b.Branch = name
	case "tags":
		b.Tag = name
	case "pull", "pull-requests", "merge-requests": // of GitHub, Bitbucket and GitLab
		number, _, _ := strings.Cut(name, "/")
		b.PullRequest = cmp.Or(b.PullRequest, number, unknown)
	}
}

// numberIf returns the number of a pull request, which may be missing although the build is one of
// a pull request.
func numberIf(isPullRequest bool, number string) string {
	if number == "" && isPullRequest {
		return unknown
	}
	return number
}

func gitlab(env environment) Build {
	return Build{
		PullRequest: numberIf(
			strings.HasSuffix(env.get("CI_PIPELINE_SOURCE"), "_request_event"),
			env.first("CI_MERGE_REQUEST_IID", "CI_EXTERNAL_PULL_REQUEST_IID")),
		Head: env.first("CI_MERGE_REQUEST_SOURCE_BRANCH_NAME",
			"CI_EXTERNAL_PULL_REQUEST_SOURCE_BRANCH_NAME"),
		Tag: env.get("CI_COMMIT_TAG"), Branch: env.get("CI_COMMIT_BRANCH"),
		Commit: env.get("CI_COMMIT_SHA"), DefaultBranch: env.get("CI_DEFAULT_BRANCH"),
	}
}

// buildkite knows that no branch has a colon in its name: that is the branch of a fork.
func buildkite(env environment) Build {
	branch := env.get("BUILDKITE_BRANCH")
	b := Build{
		Tag: env.get("BUILDKITE_TAG"), Branch: branch, Commit: env.get("BUILDKITE_COMMIT"),
		DefaultBranch: env.get("BUILDKITE_PIPELINE_DEFAULT_BRANCH"),
	}
	if number := env.get("BUILDKITE_PULL_REQUEST"); number != "false" {
		b.PullRequest = number
	}
	if strings.Contains(branch, ":") {
		b.PullRequest = cmp.Or(b.PullRequest, branch)
	}
	if strings.HasPrefix(branch, "refs/") { // as someone may write it who starts a build
		b.Branch = ""
		b.setRef(branch)
	}
	return b
}

// circleci does not look at CIRCLE_PULL_REQUEST, which a branch has as soon as there is a pull
// request of it in the same repository.
func circleci(env environment) Build {
	b := Build{
		PullRequest: numberIf(env.first("CIRCLE_PR_USERNAME", "CIRCLE_PR_REPONAME") != "",
			env.get("CIRCLE_PR_NUMBER")),
		Tag: env.get("CIRCLE_TAG"), Branch: env.get("CIRCLE_BRANCH"), Commit: env.get("CIRCLE_SHA1"),
	}
	if strings.HasPrefix(b.Branch, "pull/") { // pull/12, or pull/12/head
		b.setRef("refs/" + b.Branch)
		b.Branch = ""
	}
	return b
}

// azure does not look at BUILD_SOURCEBRANCHNAME, which is main for the branch x/main.
func azure(env environment) Build {
	b := Build{
		PullRequest: env.get("SYSTEM_PULLREQUEST_PULLREQUESTNUMBER"),
		Head: strings.TrimPrefix(
			env.get("SYSTEM_PULLREQUEST_SOURCEBRANCH"), "refs/heads/"),
		Commit: env.get("BUILD_SOURCEVERSION"),
	}
	b.setRef(env.get("BUILD_SOURCEBRANCH"))
	b.PullRequest = numberIf(env.get("BUILD_REASON") == "PullRequest",
		cmp.Or(b.PullRequest, env.get("SYSTEM_PULLREQUEST_PULLREQUESTID")))
	return b
}

func bitbucket(env environment) Build {
	return Build{
		PullRequest: env.get("BITBUCKET_PR_ID"), Tag: env.get("BITBUCKET_TAG"),
		Branch: env.get("BITBUCKET_BRANCH"), Commit: env.get("BITBUCKET_COMMIT"),
	}
}

// teamcity names no branch in the environment.
func teamcity(env environment) Build { return Build{Commit: env.get("BUILD_VCS_NUMBER")} }

// woodpecker calls the target of a pull request CI_COMMIT_BRANCH. A deployment may be one of a pull
// request: then only the ref tells.
func woodpecker(env environment) Build {
	b := Build{
		PullRequest: numberIf(strings.HasPrefix(env.get("CI_PIPELINE_EVENT"), "pull_request"),
			env.get("CI_COMMIT_PULL_REQUEST")),
		Head: env.get("CI_COMMIT_SOURCE_BRANCH"), Commit: env.get("CI_COMMIT_SHA"),
		DefaultBranch: env.get("CI_REPO_DEFAULT_BRANCH"),
	}
	b.setRef(env.get("CI_COMMIT_REF"))
	b.Tag = cmp.Or(env.get("CI_COMMIT_TAG"), b.Tag)
	b.Branch = cmp.Or(env.get("CI_COMMIT_BRANCH"), b.Branch)
	return b
}

// drone calls the target of a pull request DRONE_BRANCH. A promotion may be one of a pull request:
// then only the ref tells.
func drone(env environment) Build {
	b := Build{
		PullRequest: numberIf(env.get("DRONE_BUILD_EVENT") == "pull_request",
			env.get("DRONE_PULL_REQUEST")),
		Head: env.get("DRONE_SOURCE_BRANCH"), Commit: env.first("DRONE_COMMIT_SHA", "DRONE_COMMIT"),
		DefaultBranch: env.get("DRONE_REPO_BRANCH"),
	}
	b.setRef(env.get("DRONE_COMMIT_REF"))
	b.Tag = cmp.Or(env.get("DRONE_TAG"), b.Tag)
	b.Branch = cmp.Or(env.get("DRONE_BRANCH"), b.Branch)
	return b
}

// travis calls the target of a pull request TRAVIS_BRANCH.
func travis(env environment) Build {
	b := Build{
		Head: env.get("TRAVIS_PULL_REQUEST_BRANCH"), Tag: env.get("TRAVIS_TAG"),
		Branch: env.get("TRAVIS_BRANCH"), Commit: env.get("TRAVIS_COMMIT"),
	}
	if number := env.get("TRAVIS_PULL_REQUEST"); number != "false" {
		b.PullRequest = numberIf(env.get("TRAVIS_EVENT_TYPE") == "pull_request", number)
	}
	return b
}

// codeBuild knows a branch only from a webhook, or if someone wrote refs/heads/ before it: a bare
// CODEBUILD_SOURCE_VERSION may be a branch or a tag. For CodePipeline it is an ARN. It may end with
// a commit, as in "refs/heads/main^{<commit>}".
func codeBuild(env environment) Build {
	b := Build{Commit: env.get("CODEBUILD_RESOLVED_SOURCE_VERSION")}
	version, _, _ := strings.Cut(env.get("CODEBUILD_SOURCE_VERSION"), "^{")
	b.setRef(version)
	if number, isPull := strings.CutPrefix(version, "pr/"); isPull {
		b.setRef("refs/pull/" + number)
	}
	b.setRef(env.get("CODEBUILD_WEBHOOK_HEAD_REF"))
	switch kind, name, _ := strings.Cut(env.get("CODEBUILD_WEBHOOK_TRIGGER"), "/"); kind {
	case "branch":
		b.setRef("refs/heads/" + name)
	case "tag":
		b.setRef("refs/tags/" + name)
	case "pr", "mr":
		b.setRef("refs/pull/" + name)
	}
	b.PullRequest = numberIf(
		strings.HasPrefix(env.get("CODEBUILD_WEBHOOK_EVENT"), "PULL_REQUEST"), b.PullRequest)
	return b
}

// jenkins takes the branch from the git plugin only if the project is not a multibranch one, which
// knows it better. The variables ghprb*, gitlab* and GERRIT_* are those of plugins that have other
// projects build pull requests.
//
// See also https://plugins.jenkins.io/git/#plugin-content-environment-variables
func jenkins(env environment) Build {
	b := Build{
		PullRequest: env.first("CHANGE_ID", "ghprbPullId", "gitlabMergeRequestIid"),
		Head:        env.first("CHANGE_BRANCH", "ghprbSourceBranch", "gitlabSourceBranch"),
		Tag:         env.get("TAG_NAME"), Branch: env.get("BRANCH_NAME"),
		Commit: env.get("GIT_COMMIT"),
	}
	if env.get("GERRIT_EVENT_TYPE") != "change-merged" {
		b.PullRequest = cmp.Or(b.PullRequest, env.get("GERRIT_CHANGE_NUMBER"))
	}
	if b.Branch != "" {
		if b.PullRequest == "" && env.get("BRANCH_IS_PRIMARY") == "true" {
			b.DefaultBranch = b.Branch
		}
		return b
	}
	// A job may give the local branch any name.
	b.setGitBranch(env.first("GIT_BRANCH", "GIT_LOCAL_BRANCH"))
	return b
}

// setGitBranch adds what GIT_BRANCH names, such as "origin/main" or "origin/pr/12/merge".
func (b *Build) setGitBranch(name string) {
	if strings.HasPrefix(name, "refs/") {
		b.setRef(name)
		return
	}
	if tag, isTag := strings.CutPrefix(name, "tags/"); isTag {
		b.Tag = cmp.Or(b.Tag, tag)
		return
	}
	name = strings.TrimPrefix(name, "origin/")
	for _, prefix := range []string{"pr/", "pull/", "pull-requests/", "merge-requests/"} {
		if rest, isPull := strings.CutPrefix(name, prefix); isPull {
			b.setRef("refs/pull/" + rest)
			return
		}
	}
	if name != "detached" && name != "HEAD" && !manifest.IsGitSHA(name) {
		b.Branch = name
	}
}
