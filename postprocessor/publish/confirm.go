// SPDX-License-Identifier: MPL-2.0

package publish

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/packer-chain/packer-plugin-chain/internal/access"
	"github.com/packer-chain/packer-plugin-chain/internal/ami"
	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
	"github.com/packer-chain/packer-plugin-chain/internal/record"
	"github.com/packer-chain/packer-plugin-chain/internal/registry"
	"github.com/packer-chain/packer-plugin-chain/internal/text"
)

// confirm returns what EC2 says of the AMIs of entries, in every region: they are about to be
// promoted, shared or delivered. One that is not good is an error. An image that is not an AMI
// needs no AWS.
func (p publication) confirm(
	ctx context.Context, conn *access.Connection, entries []manifest.Entry,
) (map[string][]ami.Image, error) {
	ids := manifest.AMIsByRegion(entries)
	if len(ids) == 0 {
		if p.delivers() {
			return nil, errNoAMI
		}
		return nil, nil
	}
	seen, err := p.lookUp(ctx, conn, ids)
	var bad *notGoodError
	if errors.As(err, &bad) {
		return nil, fmt.Errorf("%w\n\nBuild the image again: it needs a good AMI in every region. "+
			"No channel is moved.", err)
	}
	if err != nil {
		return nil, err
	}
	return byRegion(entries, seen), nil
}

// checkRevoked returns an error if one of the entries was revoked since this run has looked.
func (p publication) checkRevoked(entries []manifest.Entry) error {
	for _, entry := range entries {
		if mark := entry.Revoked; mark != nil && !p.accepts().AllowRevoked {
			return fmt.Errorf("%s was revoked at %s%s\n\nNo channel is moved. Build the image again.",
				artifactOf(entry), mark.At.Format(time.RFC3339), text.Because(mark.Reason))
		}
	}
	return nil
}

// stillGood returns an error if an image was revoked while a channel moved to it. Whoever revokes
// looks at the channels after the mark is set, so one of the two sees the other.
func (p publication) stillGood(
	ctx context.Context, reg *registry.Registry, to registry.Target,
) error {
	if !p.published() || p.accepts().AllowRevoked {
		return nil
	}
	now, err := reg.Manifest(ctx, p.rec.Image, to.Fingerprint)
	if err != nil {
		return err
	}
	entries, _ := to.Entries(now.Manifest)
	for _, entry := range entries {
		if mark := entry.Revoked; mark != nil {
			return fmt.Errorf("%s was revoked while the channel moved to it%s\n\nMove the channel on, or "+
				"back, with previous = 1 and allow_rollback = true.",
				artifactOf(entry), text.Because(mark.Reason))
		}
	}
	return nil
}

// accepts returns what the record accepts of AMIs.
func (p publication) accepts() record.Pointer {
	if p.rec.Pointer == nil {
		return record.Pointer{}
	}
	return *p.rec.Pointer
}

// notGoodError says which AMIs are not good, and why.
type notGoodError struct{ text string }

func (e *notGoodError) Error() string { return e.text }

// lookUp returns what EC2 says of AMIs, and a [notGoodError] if one of them is not good.
func (p publication) lookUp(
	ctx context.Context, conn *access.Connection, ids map[string][]string,
) (map[ami.Address]ami.Image, error) {
	ec2, err := conn.EC2()
	if err != nil {
		return nil, err
	}
	accepts := p.accepts()
	seen, err := ec2.Lookup(ctx, ids, accepts.Owners, ami.BirthsOf(p.rec.Entries))
	if err != nil {
		return nil, err
	}
	var problems []string
	for _, region := range slices.Sorted(maps.Keys(ids)) {
		for _, id := range ids[region] {
			at := ami.Address{Region: region, ID: id}
			image, found := seen[at]
			problem := ami.Problem(image)
			if !found {
				problem = ec2.Explain(ctx, region, id, accepts.Owners)
			}
			if problem == "" {
				problem = ami.Judge(image, time.Now(), accepts.AllowDeprecated, accepts.AllowRevoked).Text
			}
			if problem != "" {
				problems = append(problems, at.String()+" "+text.OneLine(problem))
			}
		}
	}
	if len(problems) > 0 {
		return nil, &notGoodError{strings.Join(problems, "; ")}
	}
	return seen, nil
}

// tagMore adds the tags of a promotion to the AMIs and their snapshots, in all regions
// concurrently.
func (p publication) tagMore(
	ctx context.Context, conn *access.Connection, images map[string][]ami.Image,
) error {
	if !p.promotes() || len(p.config.Tags) == 0 || len(images) == 0 {
		return nil
	}
	ec2, err := conn.EC2()
	if err != nil {
		return err
	}
	return ami.EachRegion(ctx, slices.Sorted(maps.Keys(images)), ami.MaxRegions,
		func(ctx context.Context, region string) error {
			var ids []string
			for _, image := range images[region] {
				ids = append(ids, image.ID)
				if p.tagsSnapshots() {
					ids = append(ids, image.Snapshots...)
				}
			}
			if err := ec2.Tag(ctx, region, ids, p.config.Tags, images[region]...); err != nil {
				return err
			}
			for _, image := range images[region] {
				if !ami.HasTags(image, p.config.Tags) {
					p.ui.Say(p.tagLine(image, len(p.config.Tags)))
				}
			}
			return nil
		})
}
