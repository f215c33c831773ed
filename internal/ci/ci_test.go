// SPDX-License-Identifier: MPL-2.0

package ci

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
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
	type build struct{ provider, id, url string }
	tests := []struct {
		name string
		in   map[string]string
		with map[string]string // changes in
		want build
	}{
		{"none", map[string]string{"HOME": "/home/build"}, nil, build{}},
		{"CI is false", map[string]string{"CI": "false"}, nil, build{}},
		{"generic", map[string]string{"CI": "true", "BUILD_URL": "https://example.com"}, nil, build{provider: "ci"}},
		{"generic, 1", map[string]string{"CI": "1"}, nil, build{provider: "ci"}},
		{"GitHub", github, nil, build{"github-actions", "1658821493", githubURL}},
		{"GitHub, no repository", github, map[string]string{"GITHUB_REPOSITORY": ""},
			build{"github-actions", "1658821493", ""}},
		{"GitHub runner in CodeBuild", github, codebuild, build{"github-actions", "1658821493", githubURL}},
		{"GitLab", gitlab, nil, build{"gitlab", "50", gitlabURL}},
		{"Jenkins", jenkins, nil, build{"jenkins", "jenkins-images-7", jenkinsURL}},
		{"Jenkins without its URL", jenkins, map[string]string{"JENKINS_URL": ""},
			build{"jenkins", "jenkins-images-7", jenkinsURL}},
		{"Buildkite", map[string]string{
			"BUILDKITE": "true", "BUILDKITE_BUILD_ID": "4735ba57", "BUILDKITE_BRANCH": "main",
			"BUILDKITE_BUILD_URL": "https://buildkite.com/acme/images/builds/1514",
		}, nil, build{"buildkite", "4735ba57", "https://buildkite.com/acme/images/builds/1514"}},
		{"CircleCI", map[string]string{
			"CI": "true", "CIRCLECI": "true", "CIRCLE_BUILD_NUM": "12", "CIRCLE_BRANCH": "main",
			"CIRCLE_BUILD_URL": "https://circleci.com/gh/acme/images/12",
		}, nil, build{"circleci", "12", "https://circleci.com/gh/acme/images/12"}},
		{"CodeBuild", codebuild, nil, build{"codebuild", codeID, codeURL}},
		{"CodeBuild, region not known", codebuild, map[string]string{"CODEBUILD_BUILD_ARN": ""},
			build{"codebuild", codeID, ""}},
		{"CodeBuild by CodePipeline", codebuild, map[string]string{
			"CODEBUILD_WEBHOOK_HEAD_REF": "", "CODEBUILD_BUILD_URL": "",
			"CODEBUILD_SOURCE_VERSION": "arn:aws:s3:::bucket/key",
		}, build{"codebuild", codeID, ""}},
		{"Azure", azure, nil, build{"azure-pipelines", "1430", azureURL}},
		{"Azure, hostile names", azure,
			map[string]string{"SYSTEM_TEAMPROJECT": "a?b#c", "BUILD_BUILDID": "1&x=y"},
			build{"azure-pipelines", "1&x=y",
				"https://dev.azure.com/acme/a%3Fb%23c/_build/results?buildId=1%26x%3Dy"}},
		{"Bitbucket", map[string]string{
			"CI": "true", "BITBUCKET_BUILD_NUMBER": "5", "BITBUCKET_REPO_FULL_NAME": "acme/images",
			"BITBUCKET_BRANCH": "main",
		}, nil, build{"bitbucket", "5", "https://bitbucket.org/acme/images/pipelines/results/5"}},
		{"TeamCity", map[string]string{
			"TEAMCITY_VERSION": "2025.03", "BUILD_NUMBER": "77",
			"BUILD_URL": "https://teamcity.example.com/build/77",
		}, nil, build{"teamcity", "77", "https://teamcity.example.com/build/77"}},
		{"Drone", drone, nil, build{"drone", "42", droneURL}},
		{"Woodpecker", map[string]string{
			"CI": "woodpecker", "CI_PIPELINE_NUMBER": "8",
			"CI_PIPELINE_URL": "https://ci.example.com/repos/7/pipeline/8",
		}, nil, build{"woodpecker", "8", "https://ci.example.com/repos/7/pipeline/8"}},
		{"Travis", travis, nil, build{"travis", "9", travisURL}},
		{"hostile values", gitlab, map[string]string{
			"CI_JOB_ID":  "5\x1b[31m\n0\u202e",
			"CI_JOB_URL": "https://gitlab.example.com/" + strings.Repeat("a", 255),
		}, build{"gitlab", "5[31m0", ""}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := Detect(func(name string) string {
				if v, changed := tt.with[name]; changed {
					return v
				}
				return tt.in[name]
			})
			if got := (build{b.Provider, b.BuildID, b.BuildURL}); got != tt.want {
				t.Errorf("got %+v, want %+v", got, tt.want)
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

// TestChange names the user that the CI system tells, and outside of CI that of the machine.
func TestChange(t *testing.T) {
	here := detect(func(name string) string {
		return map[string]string{"GITLAB_CI": "true", "GITLAB_USER_LOGIN": "jane\n", "CI_JOB_ID": "7"}[name]
	}, nil)
	want := manifest.Change{By: "jane", CI: &manifest.CI{Provider: "gitlab", BuildID: "7"}, Reason: "tested"}
	if diff := cmp.Diff(want, here.Change("tes\x1bted")); diff != "" {
		t.Error(diff)
	}
	local := Build{}.Change("")
	if local.By == "" || local.CI != nil || !local.At.IsZero() {
		t.Errorf("got %+v", local)
	}
}
