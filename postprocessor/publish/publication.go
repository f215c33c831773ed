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
	"time"

	packersdk "github.com/hashicorp/packer-plugin-sdk/packer"

	"github.com/packer-chain/packer-plugin-chain/internal/access"
	"github.com/packer-chain/packer-plugin-chain/internal/ami"
	"github.com/packer-chain/packer-plugin-chain/internal/ci"
	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
	"github.com/packer-chain/packer-plugin-chain/internal/record"
	"github.com/packer-chain/packer-plugin-chain/internal/registry"
	"github.com/packer-chain/packer-plugin-chain/internal/tags"
	"github.com/packer-chain/packer-plugin-chain/internal/text"
	"github.com/packer-chain/packer-plugin-chain/internal/version"
)

// publication is one run of the post-processor.
type publication struct {
	config Config
	ui     packersdk.Ui
	rec    record.Record
	source packersdk.Artifact
	ci     ci.Build
	now    func() time.Time

	// entries are what the manifest says of the artifact; empty until it was read.
	entries  []manifest.Entry
	conn     *access.Connection
	registry *registry.Registry
	stored   registry.Stored
	mu       sync.Mutex
	moved    []movedRef
}

// handedOn tells whether the artifact is an image that existed before the build.
func (j *publication) handedOn() bool { return j.config.PackerBuilderType == builderType }

// exists tells whether the image is in the registry already, so that only the refs may have to move.
func (j *publication) exists() bool { return j.handedOn() && !j.rec.Unpublished }

// aheadTime is how long is waited for what is read ahead: it only saves time, and must cost none where
// the store is slow.
const aheadTime = 500 * time.Millisecond

// readAhead reads the manifest and the refs while EC2 is asked. Its answer waits until that is done, but
// not for long; what is not there by then is read when it is needed.
func (j *publication) readAhead(ctx context.Context) (wait func()) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		j.registry.ReadAhead(ctx, j.rec.Image, j.rec.Fingerprint, append(j.ownRefs(), j.config.Channels...)...)
	}()
	return func() {
		defer cancel()
		select {
		case <-done:
		case <-time.After(aheadTime):
		}
	}
}

func (j *publication) readManifest(ctx context.Context, wait func()) error {
	wait()
	j.ui.Say(fmt.Sprintf("%s is %s (fingerprint %.12s)", j.rec.Image, j.rec.Reason, j.rec.Fingerprint))
	var err error
	j.stored, err = j.registry.Manifest(ctx, j.rec.Image, j.rec.Fingerprint)
	return err
}

func (j *publication) publishManifest(ctx context.Context, wait func()) error {
	j.ui.Say(fmt.Sprintf("Publishing %s: %s (fingerprint %.12s)", j.rec.Image, j.rec.Reason, j.rec.Fingerprint))
	for _, parent := range j.rec.Parents {
		j.ui.Say(fmt.Sprintf("parent %s: %s (%s)",
			parent.Image, text.OneLine(parent.Identity), text.OneLine(parent.FoundBy)))
	}
	j.warnOfSources()
	err := j.tag(ctx)
	wait()
	if err != nil {
		return err
	}
	if j.stored, err = j.registry.Publish(ctx, j.entries, j.facts()); err != nil {
		return fmt.Errorf("write the manifest: %w", err)
	}
	j.ui.Say("manifest: " + j.stored.URI)
	j.warnOfTurns()
	return nil
}

// facts are what the manifest says of the image besides its entries.
func (j *publication) facts() manifest.Chain {
	facts := j.rec.Facts()
	facts.Labels = j.config.Labels
	facts.Versions = manifest.Versions{Packer: j.config.PackerCoreVersion, Plugin: version.String()}
	if j.ci.Provider != "" {
		facts.CI = &manifest.CI{Provider: j.ci.Provider, BuildID: j.ci.BuildID, BuildURL: j.ci.BuildURL}
	}
	return facts
}

// tag tags the AMIs and snapshots, in all regions side by side, and learns the details of the AMIs.
func (j *publication) tag(ctx context.Context) error {
	ids := map[string][]string{}
	for _, entry := range j.entries {
		for _, image := range entry.AMIs() {
			ids[image.Region] = append(ids[image.Region], image.ID)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	ec2, err := j.conn.EC2()
	if err != nil {
		return err
	}
	j.warnOfRegions(ids, ec2.Region)
	tags := j.tags()
	var mu sync.Mutex
	described := map[string]ami.Image{}
	err = ami.EachRegion(ctx, slices.Sorted(maps.Keys(ids)), ami.MaxRegions, func(ctx context.Context, region string) error {
		there, err := ec2.Await(ctx, region, ids[region])
		if err != nil {
			return err
		}
		resources := slices.Clone(ids[region])
		for _, image := range there {
			if j.tagsSnapshots() {
				resources = append(resources, image.Snapshots...)
			}
		}
		if err := ec2.Tag(ctx, region, resources, tags, there...); err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		for _, image := range there {
			described[image.ID] = image
			j.ui.Say(j.tagLine(image, len(tags)))
		}
		return nil
	})
	j.describe(described)
	return err
}

func (j *publication) tagsSnapshots() bool { return !j.config.TagSnapshots.False() }

func (j *publication) tagLine(image ami.Image, tags int) string {
	line := fmt.Sprintf("%s: %s: %d tags", image.Region, image.ID, tags)
	if j.tagsSnapshots() && len(image.Snapshots) > 0 {
		line += ", also on " + strings.Join(image.Snapshots, ", ")
	}
	return line
}

// tags are those of the record, the plugin's own that are known only now, and the user's.
func (j *publication) tags() map[string]string {
	all := maps.Clone(j.rec.Tags)
	if all == nil {
		all = map[string]string{}
	}
	// A cut address would be a wrong one.
	if uri := j.registry.ManifestURI(j.rec.Image, j.rec.Fingerprint); tags.Value(uri) == uri {
		all[tags.Manifest] = uri
	}
	if build := cmp.Or(j.ci.BuildURL, j.ci.BuildID); build != "" {
		all[tags.CIBuild] = tags.Value(build)
	}
	maps.Copy(all, j.config.Tags)
	return all
}

// describe adds to the entries what EC2 said of their AMIs.
func (j *publication) describe(described map[string]ami.Image) {
	for _, entry := range j.entries {
		for i, image := range entry.Images {
			seen, ok := described[image.ID]
			if !ok {
				continue
			}
			image.Name, image.Architecture, image.Owner = seen.Name, seen.Architecture, seen.Owner
			image.CreatedAt, image.Snapshots = seen.CreatedAt.UTC(), seen.Snapshots
			entry.Images[i] = image
		}
	}
}
