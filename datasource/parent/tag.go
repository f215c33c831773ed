// SPDX-License-Identifier: MPL-2.0

package parent

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/packer-chain/packer-plugin-chain/internal/access"
	"github.com/packer-chain/packer-plugin-chain/internal/ami"
	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
	"github.com/packer-chain/packer-plugin-chain/internal/tags"
)

// maxNamed is how many of the AMIs that were not taken an error names.
const maxNamed = 3

// findByTag looks for the newest AMI that carries the tag. A template that did not change is built
// again on a new parent, so several images may carry it; the order is total, so all find the same
// one.
func findByTag(ctx context.Context, s search) ([]candidate, error) {
	if s.gitName == "" && s.config.Fingerprint == "" {
		return nil, missingf("channels have no tag")
	}
	ec2, err := s.conn.EC2()
	if errors.Is(err, access.ErrNoRegion) && len(s.config.ResolveBy) == 0 {
		return nil, missingf("no region is configured")
	}
	if err != nil {
		return nil, err
	}
	regions := s.regions(ec2.Region)
	listed, err := s.listByTag(ctx, ec2.Client, regions)
	if err != nil {
		return nil, err
	}
	chosen := map[string]ami.Image{}
	for _, region := range regions {
		// The image must be the same build in all regions.
		image, err := s.pick(region, listed[region], chosen[regions[0]].Tags[tags.Fingerprint])
		if err != nil {
			return nil, err
		}
		chosen[region] = image
	}
	found := fromTags(wayTag, chosen[ec2.Region], s.config.GitSHATag)
	found.tagged = chosen
	if s.folder != nil {
		// Of its extra paths and its own parents, no tag tells.
		found.root, found.content = s.folder.root, map[string]string{s.folder.path: s.gitName}
	}
	return []candidate{found}, nil
}

// tag returns the tag to look for.
func (s search) tag() (key, value string) {
	if s.config.Fingerprint != "" {
		return tags.Fingerprint, s.config.Fingerprint
	}
	return s.config.GitSHATag, s.gitName
}

// listByTag returns the available AMIs that carry the tag, by region. It asks all regions
// concurrently.
func (s search) listByTag(
	ctx context.Context, client *ami.Client, regions []string,
) (map[string][]ami.Image, error) {
	key, value := s.tag()
	query := ami.Query{
		Owners: s.config.Owners, Architecture: s.config.Architecture,
		Tags: map[string]string{key: value},
	}
	var mu sync.Mutex
	listed := map[string][]ami.Image{}
	list := func(ctx context.Context, region string) error {
		images, err := client.ByTags(ctx, region, query)
		mu.Lock()
		defer mu.Unlock()
		listed[region] = images
		return err
	}
	return listed, ami.EachRegion(ctx, regions, ami.MaxRegions, list)
}

// pick returns the newest usable AMI of a region. If a fingerprint is known, it must have that too.
func (s search) pick(region string, listed []ami.Image, fingerprint string) (ami.Image, error) {
	usable := slices.DeleteFunc(slices.Clone(listed), func(image ami.Image) bool {
		return !s.trusts(image) || (fingerprint != "" && image.Tags[tags.Fingerprint] != fingerprint)
	})
	image, err := choose(region, usable)
	if err == nil && image.ID == "" {
		key, value := s.tag()
		err = missingf("no available AMI in %s with tag %s = %s that belongs to %s%s",
			region, key, value, strings.Join(s.config.Owners, " or "), s.notTaken(listed))
	}
	return image, err
}

// trusts reports whether the tags of an AMI are enough. AMIs that other tools made are taken at
// their word, unless a source is wanted, which no tag names. A builder tags an AMI of this plugin
// before anybody knows whether it will be published. Only the registry knows: if one is configured,
// such AMIs are found there or not at all.
func (s search) trusts(image ami.Image) bool {
	if s.config.Source != "" {
		return false
	}
	if _, ours := image.Tags[tags.Image]; !ours {
		return true
	}
	published := image.Tags[tags.Manifest] != "" &&
		manifest.CheckFingerprint(image.Tags[tags.Fingerprint]) == nil
	return s.config.Registry == "" && published && image.Tags[tags.Image] == s.config.Image
}

// notTaken names AMIs that carry the tag, for those who see them in the console. If all of them are
// of other images, the name of the image is probably wrong.
func (s search) notTaken(images []ami.Image) string {
	if len(images) == 0 {
		return ""
	}
	var others []string
	for _, image := range images {
		name := image.Tags[tags.Image]
		if name == s.config.Image || manifest.CheckImage(name) != nil {
			others = nil
			break
		}
		others = append(others, name)
	}
	if others = slices.Compact(slices.Sorted(slices.Values(others))); len(others) > 0 {
		return fmt.Sprintf("; these AMIs are of image %s: %s", strings.Join(others, ", "),
			strings.Join(idsOf(images[:min(len(images), maxNamed)]), ", "))
	}
	return "; not taken, as the registry does not have them or another source is wanted: " +
		strings.Join(idsOf(images[:min(len(images), maxNamed)]), ", ")
}
