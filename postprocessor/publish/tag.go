// SPDX-License-Identifier: MPL-2.0

package publish

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/packer-chain/packer-plugin-chain/internal/access"
	"github.com/packer-chain/packer-plugin-chain/internal/ami"
	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
	"github.com/packer-chain/packer-plugin-chain/internal/tags"
)

// tag tags the AMIs and snapshots of the entries, in all regions concurrently. It returns the
// entries with what EC2 says of their AMIs, and the region of the session. An image that is not an
// AMI needs no AWS.
func (p publication) tag(
	ctx context.Context, conn *access.Connection, entries []manifest.Entry, all map[string]string,
) (described []manifest.Entry, session string, err error) {
	ids := map[string][]string{}
	for _, entry := range entries {
		for _, image := range entry.AMIs() {
			ids[image.Region] = append(ids[image.Region], image.ID)
		}
	}
	if len(ids) == 0 {
		return entries, "", nil
	}
	ec2, err := conn.EC2()
	if err != nil {
		return nil, "", err
	}
	var mu sync.Mutex
	seen := map[string]ami.Image{}
	regions := slices.Sorted(maps.Keys(ids))
	err = ami.EachRegion(ctx, regions, ami.MaxRegions, func(ctx context.Context, region string) error {
		images, err := p.tagRegion(ctx, ec2.Client, region, ids[region], all)
		mu.Lock()
		defer mu.Unlock()
		for _, image := range images {
			seen[image.ID] = image
			p.ui.Say(p.tagLine(image, len(all)))
		}
		return err
	})
	return withDetails(entries, seen), ec2.Region, err
}

// tagRegion waits until the AMIs of a region are available, and tags them and their snapshots.
func (p publication) tagRegion(
	ctx context.Context, client *ami.Client, region string, ids []string, all map[string]string,
) ([]ami.Image, error) {
	images, err := client.Await(ctx, region, ids)
	if err != nil {
		return nil, err
	}
	resources := slices.Clone(ids)
	for _, image := range images {
		if p.tagsSnapshots() {
			resources = append(resources, image.Snapshots...)
		}
	}
	if err := client.Tag(ctx, region, resources, all, images...); err != nil {
		return nil, err
	}
	return images, nil
}

func (p publication) tagsSnapshots() bool { return !p.config.TagSnapshots.False() }

func (p publication) tagLine(image ami.Image, tags int) string {
	line := fmt.Sprintf("%s: %s: %d tags", image.Region, image.ID, tags)
	if p.tagsSnapshots() && len(image.Snapshots) > 0 {
		line += ", also on " + strings.Join(image.Snapshots, ", ")
	}
	return line
}

// tags returns the tags of the record, those of the plugin that are known only now, and the user's.
func (p publication) tags(uri string) map[string]string {
	all := maps.Clone(p.rec.Tags)
	if all == nil {
		all = map[string]string{}
	}
	// A cut address would be a wrong one.
	if tags.Value(uri) == uri {
		all[tags.Manifest] = uri
	}
	if build := cmp.Or(p.ci.BuildURL, p.ci.BuildID); build != "" {
		all[tags.CIBuild] = tags.Value(build)
	}
	maps.Copy(all, p.config.Tags)
	return all
}

// withDetails returns the entries with what EC2 said of their AMIs, by id.
func withDetails(entries []manifest.Entry, seen map[string]ami.Image) []manifest.Entry {
	entries = slices.Clone(entries)
	for i, entry := range entries {
		entries[i].Images = slices.Clone(entry.Images)
		for k, image := range entries[i].Images {
			if known, ok := seen[image.ID]; ok {
				image.Name, image.Architecture, image.Owner = known.Name, known.Architecture, known.Owner
				image.CreatedAt, image.Snapshots = known.CreatedAt.UTC(), known.Snapshots
				entries[i].Images[k] = image
			}
		}
	}
	return entries
}
