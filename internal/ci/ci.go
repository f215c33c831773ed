// SPDX-License-Identifier: MPL-2.0

// Package ci says which CI build this process is part of. It reads the environment variables that
// CI systems document, and nothing else. What it answers is meant to be published: it holds no
// names of users, no credentials and no control characters.
package ci

import (
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
)

// maxLength is in characters: one less than the longest tag value in AWS, see
// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Tags.html#tag-restrictions
const maxLength = 255

// Build is one build of a CI system. It is zero outside of any.
type Build struct {
	// Provider is "github-actions", "gitlab", "jenkins", "buildkite", "circleci", "codebuild",
	// "azure-pipelines", "bitbucket", "teamcity", "woodpecker", "drone", "travis", or "ci" for a
	// system that says CI=true and no more.
	Provider string
	// BuildID is what the provider calls the build. It may be unique only within one project.
	BuildID string
	// BuildURL is a page about the build, http or https and free of credentials.
	BuildURL string
	// Branch is the branch that is built: for a pull request its head. It is empty for a tag.
	Branch string
	// Commit is the full id of the commit that is built: for a pull request maybe of a merge.
	Commit string
}

// Detect answers the build that the environment belongs to. Fields that the provider does not set,
// or not in the expected form, are empty. Values are cut to 255 characters; a longer URL is left out.
func Detect(getenv func(string) string) Build {
	env := environment(getenv)
	for _, p := range providers {
		if !p.here(env) {
			continue
		}
		b := p.read(env)
		b.Provider = p.name
		b.BuildID, b.Branch, b.Commit = clean(b.BuildID), clean(b.Branch), commit(b.Commit)
		if utf8.RuneCountInString(b.BuildURL) > maxLength {
			b.BuildURL = ""
		}
		return b
	}
	return Build{}
}

type environment func(string) string

// first is the first of the variables that is set.
func (env environment) first(names ...string) string {
	for _, name := range names {
		if v := env(name); v != "" {
			return v
		}
	}
	return ""
}

func (env environment) has(name string) bool { return env(name) != "" }

func (env environment) isTrue(name string) bool {
	v := strings.ToLower(env(name))
	return v == "true" || v == "1"
}

// branch is empty for the build of a tag, where many providers give the tag as the branch.
func (env environment) branch(tag string, names ...string) string {
	if env.has(tag) {
		return ""
	}
	return env.first(names...)
}

// head is the branch that a full ref names; empty for tags and the refs of pull requests.
func head(ref string) string {
	name, found := strings.CutPrefix(ref, "refs/heads/")
	if !found {
		return ""
	}
	return name
}

// commit drops what is no full object id, such as HEAD or the version of an S3 object.
func commit(s string) string {
	if !manifest.IsGitSHA(s) {
		return ""
	}
	return s
}

// clean drops what is not printable, and cuts.
func clean(s string) string {
	runes := []rune(strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, s))
	return string(runes[:min(len(runes), maxLength)])
}

// page is the parts with slashes between them, as a URL that is safe to publish; empty if a part is.
func page(parts ...string) string {
	for i, part := range parts {
		if parts[i] = strings.Trim(part, "/"); parts[i] == "" {
			return ""
		}
	}
	return scrub(strings.Join(parts, "/"))
}

// scrub keeps scheme, host and path of an http or https URL. User, query and fragment may hold
// credentials.
func scrub(raw string) string {
	u, err := url.Parse(strings.TrimSpace(raw))
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Hostname() == "" {
		return ""
	}
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path, RawPath: u.RawPath}).String()
}
