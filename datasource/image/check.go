// SPDX-License-Identifier: MPL-2.0

package image

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"

	"github.com/packer-chain/packer-plugin-chain/internal/ami"
	"github.com/packer-chain/packer-plugin-chain/internal/localmanifest"
	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
	"github.com/packer-chain/packer-plugin-chain/internal/option"
	"github.com/packer-chain/packer-plugin-chain/internal/record"
	"github.com/packer-chain/packer-plugin-chain/internal/registry"
)

const (
	dirtyError   = "error"
	dirtyInclude = "include"
)

// prepare sets the defaults and returns everything that is wrong with the options.
func (c *Config) prepare() []error {
	if c.Dirty == "" {
		c.Dirty = dirtyError
	}
	c.Architecture = ami.Architecture(c.Architecture)
	c.Registry = cmp.Or(c.Registry, os.Getenv(registry.Variable))
	c.Regions = option.Fold(c.Regions)
	known := !option.IsUnknown(c.Path + c.Image + c.Registry)
	if c.LocalManifest == "" && known {
		c.LocalManifest = localmanifest.Default(c.Path, c.Registry, c.Image)
	}
	errs := c.Prepare()
	var check option.Checker
	check.That("image", c.Image, manifest.CheckImage)
	check.That("registry", c.Registry, registry.CheckLocation)
	check.That("path", c.Path, option.Required)
	check.That("dirty", c.Dirty, option.OneOf(dirtyError, dirtyInclude))
	check.List("extra_paths", c.ExtraPaths, option.Required)
	check.List("regions", c.Regions, option.Region)
	check.List("sources", c.Sources, manifest.CheckSource)
	check.That("architecture", c.Architecture, option.Optional(option.OneOf(ami.Architectures...)))
	check.That("branch", c.Branch, option.Optional(manifest.CheckBranch))
	for i, parent := range c.Parents {
		check.That(fmt.Sprintf("parents[%d]", i), parent, c.checkParent(i))
	}
	check.Duration("max_age", c.MaxAge)
	for _, key := range slices.Sorted(maps.Keys(c.Inputs)) {
		check.That("inputs", key, checkInputKey)
	}
	return append(errs, check.Errors...)
}

// checkParent returns the rule for the ref of parent i. An empty ref belongs to a parent that does
// not exist.
func (c *Config) checkParent(i int) func(string) error {
	return option.Optional(func(text string) error {
		if first := slices.Index(c.Parents, text); first < i {
			return fmt.Errorf("must not repeat parents[%d]", first)
		}
		_, err := record.DecodeParent(text)
		return err
	})
}

func checkInputKey(key string) error {
	if key == "" {
		return errors.New("must not have an empty key")
	}
	for _, r := range key {
		if r < ' ' || r == 0x7f {
			return fmt.Errorf("must not have control characters in a key, got %q", key)
		}
	}
	return nil
}
