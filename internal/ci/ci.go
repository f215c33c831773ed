// SPDX-License-Identifier: MPL-2.0

// Package ci detects the CI build that this process is part of, and the line that it belongs to. It
// reads only what CI systems document: environment variables, and the file of an event on GitHub.
// Its results are meant to be published: they hold no credentials or control characters.
package ci

import (
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/packer-chain/packer-plugin-chain/internal/text"
)

// maxLength is in characters: one less than the longest tag value in AWS, see
// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Tags.html#tag-restrictions
const maxLength = 255

// Build is one build of a CI system. It is zero outside CI.
type Build struct {
	// Provider is the name of one of the providers, such as "github-actions", or "ci" for an unknown
	// system that sets CI=true.
	Provider string
	// BuildID is what the provider calls the build. It may be unique only within one project.
	BuildID string
	// BuildURL is a page about the build, http or https and free of credentials.
	BuildURL string
	// By is the name that the provider has for whoever started the build.
	By string

	// At most one of these four is set. PullRequest is the number of a pull request or merge request,
	// or another name that tells it from others. Queue is the branch that a merge queue merges into.
	PullRequest, Queue, Tag, Branch string
	// Head is the branch of a pull request. A fork may call it anything, such as main.
	Head string
	// Commit is the object id of the commit that the provider says it builds. IsBase is true if such
	// a run checks out another one: then Commit only counts if it is HEAD.
	Commit string
	IsBase bool
	// DefaultBranch is that of the repository.
	DefaultBranch string
}

// CommitWithoutGit returns the commit that the files are of if no git can tell, or "".
func (b Build) CommitWithoutGit() string {
	if b.IsBase {
		return ""
	}
	return b.Commit
}

// Detect returns the build that the environment belongs to. A field is empty if the provider does
// not set it, or not in the expected form. Values are cut to 255 characters; a longer URL is
// dropped, and a longer name of a branch and its like is replaced by a hash.
func Detect(getenv func(string) string) Build { return detect(getenv, readEvent) }

func detect(getenv func(string) string, read func(name string) ([]byte, error)) Build {
	env := environment{getenv, read}
	for _, p := range providers {
		if p.here(env) {
			return p.build(env)
		}
	}
	return Build{}
}

func (p provider) build(env environment) Build {
	var b Build
	if p.what != nil {
		b = p.what(env).only()
	}
	b.Provider, b.BuildID, b.By = p.name, clean(env.first(p.id...)), clean(env.first(p.by...))
	if p.url != nil {
		b.BuildURL = p.url(env)
	}
	if utf8.RuneCountInString(b.BuildURL) > maxLength {
		b.BuildURL = ""
	}
	return b
}

// environment is what a build can be detected by.
type environment struct {
	getenv func(string) string
	read   func(name string) ([]byte, error) // reads the file of an event
}

func (env environment) get(name string) string { return env.getenv(name) }

// first returns the value of the first variable that is set.
func (env environment) first(names ...string) string {
	for _, name := range names {
		if v := env.get(name); v != "" {
			return v
		}
	}
	return ""
}

// clean returns the printable characters of s, at most [maxLength] of them.
func clean(s string) string { return text.Keep(s, maxLength, unicode.IsPrint) }

// scrub keeps scheme, host and path of an http or https URL. User, query and fragment may hold
// credentials.
func scrub(raw string) string {
	u, err := url.Parse(strings.TrimSpace(raw))
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Hostname() == "" {
		return ""
	}
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path, RawPath: u.RawPath}).String()
}
