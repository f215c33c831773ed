// SPDX-License-Identifier: MPL-2.0

package publish

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/packer-chain/packer-plugin-chain/internal/localmanifest"
	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
	"github.com/packer-chain/packer-plugin-chain/internal/option"
	"github.com/packer-chain/packer-plugin-chain/internal/record"
	"github.com/packer-chain/packer-plugin-chain/internal/tags"
	"github.com/packer-chain/packer-plugin-chain/internal/text"
)

const (
	keepImage = "keep"
	failBuild = "fail"

	defaultTimeout = 5 * time.Minute
	defaultChannel = "latest"

	// ownPrefix begins the keys of the plugin's own tags; ownTags is how many of them an AMI may get.
	ownPrefix = "chain:"
	ownTags   = 8

	maxLabels      = 100
	maxLabelLength = 1024
)

// prepare sets the defaults and returns everything that is wrong with the options.
func (c *Config) prepare() []error {
	if c.OnFailure == "" {
		c.OnFailure = failBuild
	}
	if c.Channels == nil && len(c.ChannelBlocks) == 0 {
		c.Channels, c.byDefault = []string{defaultChannel}, true
	}
	if c.PublishTimeout == 0 {
		c.PublishTimeout = defaultTimeout
	}
	errs := append(c.inherit(), c.Prepare()...)
	var check option.Checker
	check.That("on_failure", c.OnFailure, option.OneOf(keepImage, failBuild))
	check.List("channels", c.Channels, manifest.CheckChannel)
	check.List("branches", c.Branches, manifest.CheckBranchPattern)
	for i, channel := range c.ChannelBlocks {
		check.That(fmt.Sprintf("channel[%d].name", i), channel.Name, manifest.CheckChannel)
		check.List(fmt.Sprintf("channel[%d].branches", i), channel.Branches, manifest.CheckBranchPattern)
		if len(channel.Branches) == 0 {
			errs = append(errs, fmt.Errorf("channel[%d].branches is required", i))
		}
		before := c.channelNames()[:len(c.Channels)+i]
		if slices.Contains(before, channel.Name) && !option.IsUnknown(channel.Name) {
			errs = append(errs, fmt.Errorf("channel[%d].name repeats %q", i, channel.Name))
		}
	}
	check.Duration("publish_timeout", c.PublishTimeout)
	c.checkDelivery(&check)
	if err := c.checkRecord(); err != nil {
		errs = append(errs, err)
	}
	errs = append(errs, check.Errors...)
	errs = append(errs, checkTags(c.Tags)...)
	return append(errs, checkLabels(c.Labels)...)
}

// inherit takes the AWS options that are not set from the record, if that is known by then. Before
// the build, it refuses a record that lacks a secret which the publication will need.
func (c *Config) inherit() []error {
	rec, err := record.Decode(c.Record)
	if err != nil {
		return nil // checkRecord says so.
	}
	if err := c.Inherit(rec.Access); err != nil {
		return []error{err}
	}
	return nil
}

// channelNames returns the names of all channels: those of channels, then those of the blocks.
func (c *Config) channelNames() []string {
	names := slices.Clone(c.Channels)
	for _, channel := range c.ChannelBlocks {
		names = append(names, channel.Name)
	}
	return names
}

// checkRecord refuses before the build what would be built in vain, if the record is known by then.
func (c *Config) checkRecord() error {
	if c.Record == option.Unknown {
		return nil
	}
	rec, err := record.Decode(c.Record)
	if err != nil {
		return err
	}
	if err := c.checkNames(rec); err != nil {
		return err
	}
	gate := c.PackerBuilderType == "" || c.PackerBuilderType == builderType
	if rec.Pointer != nil && gate && (c.byDefault || len(c.channelNames()) == 0) {
		return errors.New("channels is required with the record of a data \"chain\": it says where the " +
			"image is promoted to, such as [\"production\"]")
	}
	source := c.PackerBuilderType + "." + c.PackerBuildName
	switch {
	case gate:
		return nil
	case rec.Pointer != nil:
		return fmt.Errorf("%s cannot build %s: record is that of a data \"chain\", which only moves "+
			"channels\n\nAdd only = [\"chain.NAME\"] to the post-processor.", source, rec.Image)
	case len(rec.Sources) > 0 && !slices.Contains(rec.Sources, source):
		return fmt.Errorf("%s is not one of the sources of image %s (%s)\n\nAdd it to sources of data "+
			"\"chain-image\", or limit the post-processor with only.",
			source, rec.Image, text.List(rec.Sources))
	case !rec.IsPending(source):
		return fmt.Errorf("%s does not have to be built: image %s is %s\n\nPut the source into a "+
			"dynamic \"source\" block, with for_each = data.chain-image.NAME.pending.",
			source, rec.Image, rec.Reason)
	}
	if len(rec.Sources) > 0 {
		return nil
	}
	other := localmanifest.Claim(rec.LocalManifest, os.Getenv("PACKER_RUN_UUID"), source)
	if other == "" {
		return nil
	}
	both := []string{min(source, text.OneLine(other)), max(source, text.OneLine(other))}
	return fmt.Errorf("%s and %s both publish into image %s\n\nIf the image consists of both, set "+
		"sources = [%q, %q] in data \"chain-image\". If not, give each image its own name.",
		both[0], both[1], rec.Image, both[0], both[1])
}

func checkTags(given map[string]string) []error {
	var errs []error
	for _, broken := range tags.Check(given) {
		errs = append(errs, fmt.Errorf("tags: %s", broken))
	}
	if len(given) > tags.Max-ownTags && len(given) <= tags.Max {
		errs = append(errs, fmt.Errorf(
			"tags: at most %d allowed, got %d (EC2 allows %d, the plugin uses %d)",
			tags.Max-ownTags, len(given), tags.Max, ownTags))
	}
	for _, key := range slices.Sorted(maps.Keys(given)) {
		if strings.HasPrefix(key, ownPrefix) {
			errs = append(errs, fmt.Errorf(
				"tags: keys that begin with %q are the plugin's own, got %q", ownPrefix, key))
		}
	}
	return errs
}

func checkLabels(labels map[string]string) []error {
	var errs []error
	if len(labels) > maxLabels {
		errs = append(errs, fmt.Errorf("labels: at most %d allowed, got %d", maxLabels, len(labels)))
	}
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		if key == "" || len(key)+len(labels[key]) > maxLabelLength {
			errs = append(errs, fmt.Errorf(
				"labels: %.60q must have a key, and at most %d bytes with its value", key, maxLabelLength))
		}
	}
	return errs
}
