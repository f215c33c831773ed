// SPDX-License-Identifier: MPL-2.0

// Package ci detects the CI build that this process is part of. It reads only the environment
// variables that CI systems document. Its results are meant to be published: they hold no user
// names, credentials or control characters.
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
	// Branch is the branch that is built, or the head of a pull request. It is empty for a tag.
	Branch string
}

// Detect returns the build that the environment belongs to. A field is empty if the provider does
// not set it, or not in the expected form. Values are cut to 255 characters; a longer URL is
// dropped.
func Detect(getenv func(string) string) Build {
	env := environment(getenv)
	for _, p := range providers {
		if p.here(env) {
			return p.build(env)
		}
	}
	return Build{}
}

func (p provider) build(env environment) Build {
	b := Build{Provider: p.name, BuildID: clean(env.first(p.id)), Branch: clean(p.branchIn(env))}
	if p.url != nil {
		b.BuildURL = p.url(env)
	}
	if utf8.RuneCountInString(b.BuildURL) > maxLength {
		b.BuildURL = ""
	}
	return b
}

// branchIn returns the branch, or "" for the build of a tag, which many providers name as the
// branch.
func (p provider) branchIn(env environment) string {
	if p.tag != "" && env(p.tag) != "" {
		return ""
	}
	if name := strings.TrimPrefix(env.first(p.branch), p.prefix); name != "" {
		return name
	}
	for _, variable := range p.ref {
		if name, isBranch := strings.CutPrefix(env(variable), "refs/heads/"); isBranch {
			return name
		}
	}
	return ""
}

type environment func(string) string

// first returns the value of the first variable that is set.
func (env environment) first(names vars) string {
	for _, name := range names {
		if v := env(name); v != "" {
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
