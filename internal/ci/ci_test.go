// SPDX-License-Identifier: MPL-2.0

package ci

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Each provider has one build of a branch. The cases change its variables.
func TestDetect(t *testing.T) {
	github := map[string]string{
		"CI": "true", "GITHUB_ACTIONS": "true", "GITHUB_RUN_ID": "1658821493",
		"GITHUB_SERVER_URL": "https://github.com", "GITHUB_REPOSITORY": "acme/images",
		"GITHUB_REF": "refs/heads/feature/x", "GITHUB_HEAD_REF": "",
	}
	azure := map[string]string{
		"TF_BUILD": "True", "BUILD_BUILDID": "1430", "SYSTEM_TEAMPROJECT": "my images",
		"SYSTEM_COLLECTIONURI": "https://dev.azure.com/acme/",
		"BUILD_SOURCEBRANCH":   "refs/heads/feature/x", "BUILD_SOURCEBRANCHNAME": "x",
	}
	const codeID = "images:b1e6661e-e4f2-4156-9ab9-82a19c5d1f00"
	codebuild := map[string]string{
		"CI": "true", "CODEBUILD_BUILD_ID": codeID,
		"CODEBUILD_BUILD_ARN": "arn:aws:codebuild:eu-west-1:123456789012:build/" + codeID,
		"CODEBUILD_BUILD_URL": "https://eu-west-1.console.aws.amazon.com/codebuild/home" +
			"?region=x&token=hunter2#/builds/y",
		"CODEBUILD_WEBHOOK_HEAD_REF": "refs/heads/feature/x",
	}
	jenkins := map[string]string{
		"JENKINS_URL": "https://ci.example.com/", "BUILD_TAG": "jenkins-images-7", "BUILD_NUMBER": "7",
		"BUILD_URL": "https://ci.example.com/job/images/7/", "GIT_BRANCH": "origin/main",
	}
	gitlab := map[string]string{
		"CI": "true", "GITLAB_CI": "true", "CI_JOB_ID": "50",
		"CI_JOB_URL":       "https://gitlab.example.com/acme/images/-/jobs/50",
		"CI_COMMIT_BRANCH": "main", "CI_COMMIT_REF_NAME": "main",
	}
	drone := map[string]string{
		"CI": "true", "DRONE": "true", "DRONE_BUILD_NUMBER": "42",
		"DRONE_BUILD_LINK": "https://drone.example.com/acme/images/42",
		"DRONE_BRANCH":     "main", "DRONE_SOURCE_BRANCH": "feature/x",
	}
	travis := map[string]string{
		"CI": "true", "TRAVIS": "true", "TRAVIS_BUILD_ID": "9", "TRAVIS_BRANCH": "main",
		"TRAVIS_BUILD_WEB_URL": "https://app.travis-ci.com/acme/images/builds/9",
	}
	const (
		githubURL = "https://github.com/acme/images/actions/runs/1658821493"
		azureURL  = "https://dev.azure.com/acme/my%20images/_build/results?buildId=1430"
		codeURL   = "https://eu-west-1.console.aws.amazon.com/codebuild/home?region=eu-west-1" +
			"#/builds/" + codeID + "/view/new"
		jenkinsURL = "https://ci.example.com/job/images/7/"
		gitlabURL  = "https://gitlab.example.com/acme/images/-/jobs/50"
		droneURL   = "https://drone.example.com/acme/images/42"
		travisURL  = "https://app.travis-ci.com/acme/images/builds/9"
	)
	tests := []struct {
		name string
		in   map[string]string
		with map[string]string // changes in
		want Build
	}{
		{"none", map[string]string{"HOME": "/home/build"}, nil, Build{}},
		{"CI is false", map[string]string{"CI": "false"}, nil, Build{}},
		{"generic", map[string]string{"CI": "true", "BUILD_URL": "https://example.com"}, nil,
			Build{Provider: "ci"}},
		{"generic, 1", map[string]string{"CI": "1"}, nil, Build{Provider: "ci"}},
		{"GitHub", github, nil, Build{"github-actions", "1658821493", githubURL, "feature/x"}},
		{"GitHub, pull request", github,
			map[string]string{"GITHUB_REF": "refs/pull/3/merge", "GITHUB_HEAD_REF": "fix"},
			Build{"github-actions", "1658821493", githubURL, "fix"}},
		{"GitHub, tag", github, map[string]string{"GITHUB_REF": "refs/tags/v1"},
			Build{"github-actions", "1658821493", githubURL, ""}},
		{"GitHub, no repository", github, map[string]string{"GITHUB_REPOSITORY": ""},
			Build{"github-actions", "1658821493", "", "feature/x"}},
		{"GitHub runner in CodeBuild", github, codebuild,
			Build{"github-actions", "1658821493", githubURL, "feature/x"}},
		{"GitLab", gitlab, nil, Build{"gitlab", "50", gitlabURL, "main"}},
		{"GitLab, merge request", gitlab, map[string]string{
			"CI_COMMIT_BRANCH": "", "CI_MERGE_REQUEST_SOURCE_BRANCH_NAME": "fix",
		}, Build{"gitlab", "50", gitlabURL, "fix"}},
		{"GitLab, tag", gitlab, map[string]string{"CI_COMMIT_BRANCH": "", "CI_COMMIT_REF_NAME": "v1"},
			Build{"gitlab", "50", gitlabURL, ""}},
		{"Jenkins", jenkins, nil, Build{"jenkins", "jenkins-images-7", jenkinsURL, "main"}},
		{"Jenkins without its URL", jenkins, map[string]string{"JENKINS_URL": ""},
			Build{"jenkins", "jenkins-images-7", jenkinsURL, "main"}},
		{"Jenkins, multibranch", jenkins, map[string]string{"BRANCH_NAME": "release/1"},
			Build{"jenkins", "jenkins-images-7", jenkinsURL, "release/1"}},
		{"Jenkins, pull request", jenkins,
			map[string]string{"BRANCH_NAME": "PR-3", "CHANGE_BRANCH": "fix"},
			Build{"jenkins", "jenkins-images-7", jenkinsURL, "fix"}},
		{"Jenkins, tag", jenkins, map[string]string{"BRANCH_NAME": "v1", "TAG_NAME": "v1"},
			Build{"jenkins", "jenkins-images-7", jenkinsURL, ""}},
		{"Buildkite", map[string]string{
			"BUILDKITE": "true", "BUILDKITE_BUILD_ID": "4735ba57", "BUILDKITE_BRANCH": "main",
			"BUILDKITE_BUILD_URL": "https://buildkite.com/acme/images/builds/1514",
		}, nil, Build{"buildkite", "4735ba57", "https://buildkite.com/acme/images/builds/1514", "main"}},
		{"Buildkite, tag", map[string]string{
			"BUILDKITE": "true", "BUILDKITE_BRANCH": "v1", "BUILDKITE_TAG": "v1",
		}, nil, Build{Provider: "buildkite"}},
		{"CircleCI", map[string]string{
			"CI": "true", "CIRCLECI": "true", "CIRCLE_BUILD_NUM": "12", "CIRCLE_BRANCH": "main",
			"CIRCLE_BUILD_URL": "https://circleci.com/gh/acme/images/12",
		}, nil, Build{"circleci", "12", "https://circleci.com/gh/acme/images/12", "main"}},
		{"CodeBuild", codebuild, nil, Build{"codebuild", codeID, codeURL, "feature/x"}},
		{"CodeBuild, region not known", codebuild, map[string]string{"CODEBUILD_BUILD_ARN": ""},
			Build{"codebuild", codeID, "", "feature/x"}},
		{"CodeBuild by CodePipeline", codebuild, map[string]string{
			"CODEBUILD_WEBHOOK_HEAD_REF": "", "CODEBUILD_BUILD_URL": "",
			"CODEBUILD_SOURCE_VERSION": "arn:aws:s3:::bucket/key",
		}, Build{Provider: "codebuild", BuildID: codeID}},
		{"Azure", azure, nil, Build{"azure-pipelines", "1430", azureURL, "feature/x"}},
		{"Azure, pull request", azure, map[string]string{
			"SYSTEM_PULLREQUEST_SOURCEBRANCH": "refs/heads/fix", "BUILD_SOURCEBRANCH": "refs/pull/3/merge",
		}, Build{"azure-pipelines", "1430", azureURL, "fix"}},
		{"Azure, tag", azure, map[string]string{"BUILD_SOURCEBRANCH": "refs/tags/v1"},
			Build{"azure-pipelines", "1430", azureURL, ""}},
		{"Azure, hostile names", azure,
			map[string]string{"SYSTEM_TEAMPROJECT": "a?b#c", "BUILD_BUILDID": "1&x=y"},
			Build{"azure-pipelines", "1&x=y",
				"https://dev.azure.com/acme/a%3Fb%23c/_build/results?buildId=1%26x%3Dy", "feature/x"}},
		{"Bitbucket", map[string]string{
			"CI": "true", "BITBUCKET_BUILD_NUMBER": "5", "BITBUCKET_REPO_FULL_NAME": "acme/images",
			"BITBUCKET_BRANCH": "main",
		}, nil,
			Build{"bitbucket", "5", "https://bitbucket.org/acme/images/pipelines/results/5", "main"}},
		{"TeamCity", map[string]string{
			"TEAMCITY_VERSION": "2025.03", "BUILD_NUMBER": "77",
			"BUILD_URL": "https://teamcity.example.com/build/77",
		}, nil, Build{"teamcity", "77", "https://teamcity.example.com/build/77", ""}},
		{"Drone", drone, nil, Build{"drone", "42", droneURL, "feature/x"}},
		{"Drone, tag", drone, map[string]string{"DRONE_TAG": "v1"}, Build{"drone", "42", droneURL, ""}},
		{"Woodpecker, pull request", map[string]string{
			"CI": "woodpecker", "CI_PIPELINE_NUMBER": "8",
			"CI_PIPELINE_URL":  "https://ci.example.com/repos/7/pipeline/8",
			"CI_COMMIT_BRANCH": "main", "CI_COMMIT_SOURCE_BRANCH": "fix",
		}, nil, Build{"woodpecker", "8", "https://ci.example.com/repos/7/pipeline/8", "fix"}},
		{"Travis", travis, nil, Build{"travis", "9", travisURL, "main"}},
		{"Travis, pull request", travis, map[string]string{"TRAVIS_PULL_REQUEST_BRANCH": "fix"},
			Build{"travis", "9", travisURL, "fix"}},
		{"Travis, tag", travis, map[string]string{"TRAVIS_BRANCH": "v1", "TRAVIS_TAG": "v1"},
			Build{"travis", "9", travisURL, ""}},
		{"hostile values", gitlab, map[string]string{
			"CI_JOB_ID": "5\x1b[31m\n0\u202e", "CI_COMMIT_BRANCH": strings.Repeat("ä", 300),
			"CI_JOB_URL": "https://gitlab.example.com/" + strings.Repeat("a", 255),
		}, Build{"gitlab", "5[31m0", "", strings.Repeat("ä", 255)}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := Detect(func(name string) string {
				if v, changed := tt.with[name]; changed {
					return v
				}
				return tt.in[name]
			})
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestScrub(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"plain", "https://ci.example.com/job/a%2Fb/7/", "https://ci.example.com/job/a%2Fb/7/"},
		{"http and port", "http://ci.example.com:8080/", "http://ci.example.com:8080/"},
		{"user and password", "https://me:hunter2@ci.example.com/7", "https://ci.example.com/7"},
		{"query", "https://ci.example.com/7?token=hunter2", "https://ci.example.com/7"},
		{"bare query", "https://ci.example.com/7?", "https://ci.example.com/7"},
		{"fragment", "https://ci.example.com/7#access_token=hunter2", "https://ci.example.com/7"},
		{"space around", " https://ci.example.com/7\n", "https://ci.example.com/7"},
		{"scheme in upper case", "HTTPS://ci.example.com/7", "https://ci.example.com/7"},
		{"not printable", "https://ci.example.com/\u202e7", "https://ci.example.com/%E2%80%AE7"},
		{"control character", "https://ci.example.com/\x1b7", ""},
		{"newline inside", "https://ci.example.com/7\nx", ""},
		{"file", "file:///etc/passwd", ""},
		{"script", "javascript:alert(1)", ""},
		{"git over ssh", "ssh://git@example.com/x", ""},
		{"no scheme", "ci.example.com/7", ""},
		{"no host", "https:///7", ""},
		{"port only", "https://:8080/7", ""},
		{"opaque", "https:ci.example.com", ""},
		{"empty", "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := scrub(tt.in); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func FuzzScrub(f *testing.F) {
	f.Add("https://me:hunter2@ci.example.com/7?a=b#c")
	f.Add("http://[::1]:80/\\@x")
	f.Fuzz(func(t *testing.T, raw string) {
		got := scrub(raw)
		if got != "" && !strings.HasPrefix(got, "http://") && !strings.HasPrefix(got, "https://") {
			t.Errorf("got %q", got)
		}
		if strings.ContainsAny(got, "?#\x00\x1b\n\r ") || got != scrub(got) {
			t.Errorf("got %q, then %q", got, scrub(got))
		}
		_, rest, _ := strings.Cut(got, "://")
		if host, _, _ := strings.Cut(rest, "/"); strings.Contains(host, "@") {
			t.Errorf("user in %q", got)
		}
	})
}
