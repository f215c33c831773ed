// SPDX-License-Identifier: MPL-2.0

package publish

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
	"github.com/packer-chain/packer-plugin-chain/internal/option"
	"github.com/packer-chain/packer-plugin-chain/internal/record"
	"github.com/packer-chain/packer-plugin-chain/internal/tags"
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
		c.OnFailure = keepImage
	}
	if c.Channels == nil {
		c.Channels = []string{defaultChannel}
	}
	if c.PublishTimeout == 0 {
		c.PublishTimeout = defaultTimeout
	}
	errs := c.Prepare()
	var check option.Checker
	check.That("on_failure", c.OnFailure, option.OneOf(keepImage, failBuild))
	check.List("channels", c.Channels, manifest.CheckChannel)
	check.Duration("publish_timeout", c.PublishTimeout)
	if err := record.Check(c.Record); err != nil {
		errs = append(errs, err)
	}
	errs = append(errs, check.Errors...)
	errs = append(errs, checkTags(c.Tags)...)
	return append(errs, checkLabels(c.Labels)...)
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
