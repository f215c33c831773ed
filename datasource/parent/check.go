// SPDX-License-Identifier: MPL-2.0

package parent

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/packer-chain/packer-plugin-chain/internal/ami"
	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
	"github.com/packer-chain/packer-plugin-chain/internal/option"
	"github.com/packer-chain/packer-plugin-chain/internal/registry"
	"github.com/packer-chain/packer-plugin-chain/internal/tags"
)

// The ways to find a parent.
const (
	wayLocal    = "local_manifest"
	wayRegistry = "registry"
	wayTag      = "tag"
	wayFallback = "fallback"
)

// The kinds of parents.
const (
	kindAMI      = "ami"
	kindArtifact = "artifact"
)

const defaultChannel = "latest"

// prepare sets the defaults and returns everything that is wrong with the options.
func (c *Config) prepare() []error {
	if c.GitSHATag == "" {
		c.GitSHATag = tags.GitSHA
	}
	c.Kind = cmp.Or(c.Kind, kindAMI)
	if c.OnMissing == "" {
		c.OnMissing = "error"
	}
	if len(c.Owners) == 0 {
		c.Owners = []string{"self"}
	}
	c.Architecture = ami.Architecture(c.Architecture)
	c.Registry = cmp.Or(c.Registry, os.Getenv(registry.Variable))
	c.Regions = option.Fold(c.Regions)

	errs := c.Prepare()
	var check option.Checker
	check.That("image", c.Image, manifest.CheckImage)
	check.That("kind", c.Kind, option.OneOf(kindAMI, kindArtifact))
	check.That("registry", c.Registry, option.Optional(registry.CheckLocation))
	check.That("git_sha", c.GitSHA, option.Optional(manifest.CheckGitSHA))
	check.That("fingerprint", c.Fingerprint, option.Optional(manifest.CheckFingerprint))
	check.That("ami", c.AMI, option.Optional(option.AMI))
	check.That("branch", c.Branch, option.Optional(manifest.CheckBranch))
	check.That("channel", c.Channel, option.Optional(manifest.CheckChannel))
	check.That("architecture", c.Architecture, option.Optional(option.OneOf(ami.Architectures...)))
	check.That("fallback_ami", c.FallbackAMI, option.Optional(option.AMI))
	check.That("source", c.Source, option.Optional(manifest.CheckSource))
	check.That("git_sha_tag", c.GitSHATag, tags.CheckKey)
	check.That("on_missing", c.OnMissing, option.OneOf("error", "empty"))
	check.List("regions", c.Regions, option.Region)
	check.List("owners", c.Owners, option.Owner)
	check.List("require_ancestors", c.RequireAncestors, manifest.CheckImage)
	check.List("resolve_by", c.ResolveBy, option.OneOf(wayLocal, wayRegistry, wayTag))
	check.Duration("max_age", c.MaxAge)
	check.AtMostOne(map[string]string{
		"path": c.Path, "git_sha": c.GitSHA, "fingerprint": c.Fingerprint})
	check.AtMostOne(map[string]string{"fingerprint": c.Fingerprint, "channel": c.Channel})
	return append(append(errs, check.Errors...), c.checkWays()...)
}

// ifKnown returns the value, or "" if it is not known yet: it may turn out to be empty.
func ifKnown(value string) string {
	if option.IsUnknown(value) {
		return ""
	}
	return value
}

// checkWays returns what is wrong with the options together: each of them may be right.
func (c *Config) checkWays() []error {
	var errs []error
	configured := c.configured()
	switch {
	case len(configured) == 0 && c.Kind == kindArtifact:
		errs = append(errs, errors.New("registry is required, unless local_manifest is set"))
	case len(configured) == 0:
		errs = append(errs, errors.New(
			"registry is required, unless local_manifest, path, git_sha or fingerprint is set"))
	}
	needs := map[string]string{
		wayLocal: "local_manifest", wayRegistry: "registry",
		wayTag: `path, git_sha or fingerprint, and kind = "ami"`,
	}
	for _, way := range c.ResolveBy {
		if need, known := needs[way]; known && !slices.Contains(configured, way) {
			errs = append(errs, fmt.Errorf("resolve_by has %q, which needs %s", way, need))
		}
	}
	if ifKnown(c.Channel) != "" && c.LocalManifest != "" {
		errs = append(errs, errors.New(
			"only one of channel and local_manifest may be set: a local file has no channels"))
	}
	if ifKnown(c.Channel) != "" && c.Registry == "" {
		errs = append(errs, errors.New("channel needs registry: channels have no tag"))
	}
	if ifKnown(c.AMI) != "" && c.Fingerprint == "" {
		errs = append(errs, errors.New("ami needs fingerprint"))
	}
	byFiles := ifKnown(c.Path)+ifKnown(c.GitSHA) != ""
	if c.Previous < 0 || c.Previous > 0 && (c.Channel == "" || byFiles) {
		errs = append(errs, errors.New(
			"previous must be 0 or more, and needs channel without path and git_sha"))
	}
	if ifKnown(c.FallbackAMI) != "" && c.Kind == kindArtifact {
		errs = append(errs, errors.New(`fallback_ami needs kind = "ami"`))
	}
	if ifKnown(c.FallbackAMI) != "" && c.OnMissing == "empty" {
		errs = append(errs, errors.New(`only one of fallback_ami and on_missing = "empty" may be set`))
	}
	return errs
}

// configured returns the ways that the options make possible, in the default order.
func (c *Config) configured() []string {
	var ways []string
	if c.LocalManifest != "" {
		ways = append(ways, wayLocal)
	}
	if c.Registry != "" {
		ways = append(ways, wayRegistry)
	}
	named := c.Path != "" || c.GitSHA != "" || c.Fingerprint != ""
	if c.Kind != kindArtifact && c.AMI == "" && named {
		ways = append(ways, wayTag)
	}
	return ways
}

// describe returns what is looked for, in words.
func (c *Config) describe() string {
	switch {
	case c.Path != "":
		return "path " + c.Path
	case c.GitSHA != "":
		return "git_sha " + c.GitSHA
	case c.Fingerprint != "":
		return "fingerprint " + c.Fingerprint
	case c.Previous > 0:
		return fmt.Sprintf("channel %s, previous %d", c.channel(), c.Previous)
	}
	return "channel " + c.channel()
}

// channel returns the channel to look at.
func (c *Config) channel() string { return cmp.Or(c.Channel, defaultChannel) }
