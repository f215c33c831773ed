// SPDX-License-Identifier: MPL-2.0

package image

import (
	"errors"
	"fmt"
	"maps"
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
	if c.LocalManifest == "" && !record.IsUnknown(c.Path) && !record.IsUnknown(c.Image) {
		c.LocalManifest = localmanifest.Default(c.Path, c.Image)
	}
	errs := c.Prepare()
	var check option.Checker
	check.That("image", c.Image, manifest.CheckImage)
	check.That("registry", c.Registry, registry.CheckLocation)
	check.That("path", c.Path, option.Required)
	check.That("dirty", c.Dirty, option.OneOf(dirtyError, dirtyInclude))
	check.List("extra_paths", c.ExtraPaths, option.Required)
	check.List("regions", c.Regions, ami.CheckRegion)
	check.List("sources", c.Sources, manifest.CheckSource)
	for i, parent := range c.Parents {
		check.That(fmt.Sprintf("parents[%d]", i), parent, c.checkParent(i))
	}
	check.Duration("max_age", c.MaxAge)
	for _, key := range slices.Sorted(maps.Keys(c.Inputs)) {
		check.That("inputs", key, checkInput)
	}
	return append(errs, check.Errors...)
}

// checkParent is the rule of a parent's ref. An empty one belongs to a parent that does not exist.
func (c *Config) checkParent(i int) func(string) error {
	return option.Optional(func(text string) error {
		if first := slices.Index(c.Parents, text); first < i {
			return fmt.Errorf("must not repeat parents[%d]", first)
		}
		_, err := record.DecodeParent(text)
		return err
	})
}

func checkInput(key string) error {
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

// known refuses options whose value never became known.
func (c *Config) known() error {
	values := map[string][]string{
		"image": {c.Image}, "registry": {c.Registry}, "path": {c.Path}, "salt": {c.Salt}, "dirty": {c.Dirty},
		"local_manifest": {c.LocalManifest}, "extra_paths": c.ExtraPaths, "parents": c.Parents,
		"regions": c.Regions, "sources": c.Sources,
	}
	for _, value := range c.Inputs {
		values["inputs"] = append(values["inputs"], value)
	}
	values["max_age"] = option.Duration(c.MaxAge)
	return option.Known(values)
}
