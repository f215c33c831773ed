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

	packersdk "github.com/hashicorp/packer-plugin-sdk/packer"
	"golang.org/x/sync/errgroup"

	"github.com/packer-chain/packer-plugin-chain/internal/access"
	"github.com/packer-chain/packer-plugin-chain/internal/ami"
	"github.com/packer-chain/packer-plugin-chain/internal/awserror"
	"github.com/packer-chain/packer-plugin-chain/internal/crash"
	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
	"github.com/packer-chain/packer-plugin-chain/internal/tags"
	"github.com/packer-chain/packer-plugin-chain/internal/text"
)

// tagged are the entries of a publication, with what EC2 says of their AMIs.
type tagged struct {
	entries []manifest.Entry
	// ids are the AMIs by region, and tags those that they got.
	ids  map[string][]string
	tags map[string]string
}

// tag checks the AMIs of the entries, and tags them and their snapshots, in all regions
// concurrently. It does not wait until the tags are visible. An image that is not an AMI needs no
// AWS.
func (p publication) tag(
	ctx context.Context, conn *access.Connection, source packersdk.Artifact,
	entries []manifest.Entry,
) (tagged, error) {
	t := tagged{entries: entries, ids: manifest.AMIsByRegion(entries), tags: p.tags()}
	if len(t.ids) == 0 {
		return t, nil
	}
	ec2, err := conn.EC2()
	if err != nil {
		return t, err
	}
	if err := p.checkRegions(entries, ec2.Region); err != nil {
		return t, err
	}
	seen, err := p.await(ctx, ec2.Client, source, t.ids)
	if err != nil {
		return t, err
	}
	t.entries = withDetails(entries, seen)
	return t, ami.EachRegion(ctx, t.regions(), ami.MaxRegions,
		func(ctx context.Context, region string) error {
			return p.tagRegion(ctx, ec2.Client, region, t, seen)
		})
}

func (t tagged) regions() []string { return slices.Sorted(maps.Keys(t.ids)) }

// checkRegions returns an error if an AMI does not exist in every region in which data
// "chain-image" looks for it: the image would be built again in every run.
func (p publication) checkRegions(entries []manifest.Entry, session string) error {
	wanted := p.rec.Regions
	if len(wanted) == 0 {
		wanted = []string{session}
	}
	for _, entry := range entries {
		if missing := uncovered(wanted, entry); len(missing) > 0 {
			return mistakef("%s has no AMI in %s, where data \"chain-image\" looks for it\n\n"+
				"Let the builder make it there (ami_regions), or correct region or regions of data "+
				"\"chain-image\". Nothing was tagged or published.",
				text.OneLine(entry.Source()), text.List(missing))
		}
	}
	return nil
}

// await waits until all AMIs are available, and checks them and the AMI that they were built on. It
// returns what EC2 says of them, by id.
func (p publication) await(
	ctx context.Context, client *ami.Client, source packersdk.Artifact, ids map[string][]string,
) (map[string]ami.Image, error) {
	var mu sync.Mutex
	seen := map[string]ami.Image{}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(crash.Guard("look up the source AMI", func() error {
		return p.checkSource(ctx, client, source)
	}))
	regions := slices.Sorted(maps.Keys(ids))
	group.Go(func() error {
		return ami.EachRegion(ctx, regions, ami.MaxRegions,
			func(ctx context.Context, region string) error {
				images, err := client.Await(ctx, region, ids[region])
				mu.Lock()
				defer mu.Unlock()
				for _, image := range images {
					seen[image.ID] = image
				}
				return err
			})
	})
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return seen, p.checkImages(seen)
}

// checkImages returns an error if an AMI belongs to another record, or is for other machines.
func (p publication) checkImages(seen map[string]ami.Image) error {
	for _, id := range slices.Sorted(maps.Keys(seen)) {
		image := seen[id]
		of := image.Tags[tags.Fingerprint]
		switch {
		case of != "" && of != p.rec.Fingerprint:
			return mistakef("%s belongs to another record: it is tagged with fingerprint %.12s, and not "+
				"%.12s\n\n"+otherRecord, image, text.OneLine(of), p.rec.Fingerprint)
		case p.rec.Architecture != "" && image.Architecture != p.rec.Architecture:
			return mistakef("%s is for %s, and data \"chain-image\" has architecture %s\n\n"+
				"Correct one of the two. Nothing was tagged or published.",
				image, text.OneLine(image.Architecture), p.rec.Architecture)
		}
		if err := p.checkRoom(image); err != nil {
			return err
		}
	}
	return nil
}

// checkRoom returns an error if not all tags fit on an AMI, among them the one that comes last.
func (p publication) checkRoom(image ami.Image) error {
	all := p.tags()
	all[tags.Manifest] = ""
	for key := range image.Tags {
		if !strings.HasPrefix(key, "aws:") { // EC2 does not count those.
			all[key] = ""
		}
	}
	if len(all) <= tags.Max {
		return nil
	}
	return fmt.Errorf("tag %s: it has %d tags already, and would have %d; EC2 allows %d\n\n"+
		"Remove some tags of the image, or publish fewer.", image, len(image.Tags), len(all), tags.Max)
}

// tagRegion tags the AMIs of a region and their snapshots.
func (p publication) tagRegion(
	ctx context.Context, client *ami.Client, region string, t tagged, seen map[string]ami.Image,
) error {
	resources := slices.Clone(t.ids[region])
	var images []ami.Image
	for _, id := range t.ids[region] {
		images = append(images, seen[id])
		if p.tagsSnapshots() {
			resources = append(resources, seen[id].Snapshots...)
		}
	}
	if err := client.WriteTags(ctx, region, resources, t.tags, images...); err != nil {
		return err
	}
	for _, image := range images {
		p.ui.Say(p.tagLine(image, len(t.tags)))
	}
	return nil
}

// awaitTags returns when the tags are visible on the AMIs.
func (p publication) awaitTags(ctx context.Context, conn *access.Connection, t tagged) error {
	if len(t.ids) == 0 {
		return nil
	}
	ec2, err := conn.EC2()
	if err != nil {
		return err
	}
	return ami.EachRegion(ctx, t.regions(), ami.MaxRegions,
		func(ctx context.Context, region string) error {
			return ec2.AwaitTags(ctx, region, t.ids[region], t.tags)
		})
}

// mark tags AMIs and snapshots with the address of their manifest, which exists by now: what
// carries the tag was published.
func (p publication) mark(
	ctx context.Context, conn *access.Connection, uri string, entries []manifest.Entry,
) error {
	ids := manifest.AMIsByRegion(entries)
	// A cut address would be a wrong one.
	if len(ids) == 0 || tags.Value(uri) != uri {
		return nil
	}
	ec2, err := conn.EC2()
	if err != nil {
		return err
	}
	if p.tagsSnapshots() {
		for _, entry := range entries {
			for _, image := range entry.AMIs() {
				ids[image.Region] = append(ids[image.Region], image.Snapshots...)
			}
		}
	}
	marker := map[string]string{tags.Manifest: uri}
	return ami.EachRegion(ctx, slices.Sorted(maps.Keys(ids)), ami.MaxRegions,
		func(ctx context.Context, region string) error {
			return ec2.WriteTags(ctx, region, ids[region], marker, bare(ids[region])...)
		})
}

// repairMark marks AMIs that an earlier run published and could not mark. A run that builds nothing
// may lack the right to tag, as that of a fork does.
func (p publication) repairMark(ctx context.Context, conn *access.Connection, uri string) error {
	err := p.mark(ctx, conn, uri, p.rec.Entries)
	if awserror.Denied(err) {
		why := text.OneLine(err.Error())
		p.warn(fmt.Sprintf("the AMIs still lack the tag %s: %s", tags.Manifest, why))
		return nil
	}
	return err
}

// bare returns images without tags, so that none is looked up before it is tagged.
func bare(ids []string) []ami.Image {
	images := make([]ami.Image, len(ids))
	for i, id := range ids {
		images[i].ID = id
	}
	return images
}

func (p publication) tagsSnapshots() bool { return !p.config.TagSnapshots.False() }

func (p publication) tagLine(image ami.Image, tags int) string {
	line := fmt.Sprintf("%s: %s: %d tags", image.Region, image.ID, tags)
	if tags == 1 {
		line = strings.TrimSuffix(line, "s")
	}
	if p.tagsSnapshots() && len(image.Snapshots) > 0 {
		line += ", also on " + strings.Join(image.Snapshots, ", ")
	}
	return line
}

// tags returns the tags of the record, those of the plugin that are known only now, and the user's.
func (p publication) tags() map[string]string {
	all := maps.Clone(p.rec.Tags)
	if all == nil {
		all = map[string]string{}
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
