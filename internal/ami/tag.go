// SPDX-License-Identifier: MPL-2.0

package ami

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/packer-chain/packer-plugin-chain/internal/awserror"
	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
	"github.com/packer-chain/packer-plugin-chain/internal/retry"
	"github.com/packer-chain/packer-plugin-chain/internal/tags"
)

// ErrNotVisible means that EC2 accepted the tags, but did not show them before the time was over.
// The tags need not be written again.
var ErrNotVisible = errors.New("tags are written, but not visible yet")

// tagBatch is the most resources of one request (Amazon EC2 API Reference, "CreateTags" and
// "DeleteTags").
const tagBatch = 1000

// Tag puts the tags on AMIs and snapshots of a region, and returns when they are visible on the
// AMIs. AMIs that have them already are left alone; snapshots are only written, never read. EC2 may
// not know a new AMI for minutes, and may throttle requests, so Tag retries until ctx ends (or for
// 5 minutes if ctx has no deadline), and not a number of times. known are images that were looked
// up just now, as by [Client.Await]: if these are all, they are not looked up again.
func (c *Client) Tag(
	ctx context.Context, region string, ids []string, tags map[string]string, known ...Image,
) error {
	return c.tag(ctx, region, ids, tags, known, (*tagging).run)
}

// WriteTags is [Client.Tag] that does not wait until the tags are visible.
func (c *Client) WriteTags(
	ctx context.Context, region string, ids []string, tags map[string]string, known ...Image,
) error {
	return c.tag(ctx, region, ids, tags, known, func(t *tagging, ctx context.Context) error {
		_, err := t.write(ctx)
		return err
	})
}

// AwaitTags returns when tags that were written are visible on the AMIs.
func (c *Client) AwaitTags(
	ctx context.Context, region string, ids []string, tags map[string]string,
) error {
	return c.tag(ctx, region, ids, tags, nil, (*tagging).await)
}

func (c *Client) tag(
	ctx context.Context, region string, ids []string, tags map[string]string, known []Image,
	run func(*tagging, context.Context) error,
) error {
	if len(ids) == 0 || len(tags) == 0 {
		return nil
	}
	ctx, cancel := limited(ctx)
	defer cancel()
	job := &tagging{client: c, region: region, tags: tags, known: known}
	var err error
	if job.images, job.snapshots, err = taggable(region, ids); err != nil {
		return fmt.Errorf("tag %w", err)
	}
	job.name = strings.Join(slices.Concat(job.images, job.snapshots), ", ") + " in " + region
	job.watch = c.watch(region)
	defer job.watch.Stop()
	if err := run(job, ctx); err != nil {
		return fmt.Errorf("tag %s: %w", job.name, err)
	}
	return nil
}

// taggable returns the AMIs and the snapshots of ids, sorted, each once.
func taggable(region string, ids []string) (images, snapshots []string, err error) {
	for _, id := range slices.Compact(slices.Sorted(slices.Values(ids))) {
		switch {
		case manifest.IsAMI(id):
			images = append(images, id)
		case strings.HasPrefix(id, "snap-"):
			snapshots = append(snapshots, id)
		default:
			return nil, nil, fmt.Errorf("%q in %s: not the id of an AMI or a snapshot", id, region)
		}
	}
	return images, snapshots, nil
}

// tagging is one call of [Client.Tag].
type tagging struct {
	client    *Client
	region    string
	tags      map[string]string
	images    []string
	snapshots []string
	known     []Image
	// name is the full address of the images and snapshots.
	name  string
	watch *retry.Watch
}

// write puts the tags on what lacks them, and returns the images among it.
func (t *tagging) write(ctx context.Context) (bare []string, err error) {
	api, err := t.client.region(t.region)
	if err != nil {
		return nil, err
	}
	bare, seen := t.lackingOf(t.known), t.known
	if len(t.known) < len(t.images) {
		bare, seen, err = t.look(ctx)
	}
	if err != nil && !retryable(err) {
		return nil, err
	}
	for batch := range slices.Chunk(slices.Concat(bare, t.snapshots), tagBatch) {
		err := t.client.again(ctx, t.watch, "tag "+t.name, func() error {
			return t.create(ctx, api, batch)
		})
		if err != nil {
			return nil, t.refusal(err, seen)
		}
	}
	return bare, nil
}

func (t *tagging) run(ctx context.Context) error {
	bare, err := t.write(ctx)
	if err != nil || len(bare) == 0 {
		return err
	}
	return t.await(ctx)
}

// await returns when the tags are visible on the images.
func (t *tagging) await(ctx context.Context) error {
	err := t.client.again(ctx, t.watch, "read the tags of "+t.name, func() error {
		missing, _, err := t.look(ctx)
		if err == nil && len(missing) > 0 {
			return errNotYet
		}
		return err
	})
	if err != nil && ctx.Err() != nil {
		return fmt.Errorf("%w: %w", ErrNotVisible, err)
	}
	return err
}

// look reads the images. bare are those that lack one of the tags, or that EC2 does not show.
func (t *tagging) look(ctx context.Context) (bare []string, seen []Image, err error) {
	if len(t.images) == 0 {
		return nil, nil, nil
	}
	bare = t.images
	seen, err = t.client.byIDAlone(ctx, t.region, t.images, noRetries)
	if err != nil {
		return bare, nil, err
	}
	return t.lackingOf(seen), seen, nil
}

// lackingOf returns the images that lack one of the tags, or that are not in seen.
func (t *tagging) lackingOf(seen []Image) []string {
	has := map[string]bool{}
	for _, img := range seen {
		has[img.ID] = len(lacking(img, t.tags)) == 0
	}
	return slices.DeleteFunc(slices.Clone(t.images), func(id string) bool { return has[id] })
}

// lacking returns the keys of those tags that an image lacks, or has with another value, sorted.
func lacking(img Image, tags map[string]string) []string {
	var keys []string
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		if have, ok := img.Tags[key]; !ok || have != tags[key] {
			keys = append(keys, key)
		}
	}
	return keys
}

// HasTags reports whether an image has tags, with these values.
func HasTags(img Image, tags map[string]string) bool { return len(lacking(img, tags)) == 0 }

func (t *tagging) create(ctx context.Context, api ec2API, ids []string) error {
	in := &ec2.CreateTagsInput{Resources: ids}
	for _, key := range slices.Sorted(maps.Keys(t.tags)) {
		in.Tags = append(in.Tags, types.Tag{Key: aws.String(key), Value: aws.String(t.tags[key])})
	}
	_, err := api.createTags(ctx, in, noRetries)
	return err
}

// noRetries turns off the retries of the SDK, which are limited in number and report nothing.
func noRetries(o *ec2.Options) { o.Retryer = aws.NopRetryer{} }

// refusal explains an error of CreateTags. seen are the images as they were before.
func (t *tagging) refusal(err error, seen []Image) error {
	if awserror.Code(err) != "TagLimitExceeded" {
		return explain(err, t.region, tagAction)
	}
	for _, img := range seen {
		if keys := lacking(img, t.tags); len(keys) > 0 {
			return fmt.Errorf("%w\n\nA resource can have %d tags. %s has %d already; of the new ones "+
				"these are missing: %s. Remove some tags of the image, or publish fewer.",
				err, tags.Max, img, len(img.Tags), strings.Join(keys, ", "))
		}
	}
	return fmt.Errorf("%w\n\nA resource can have %d tags. These did not fit: %s. Remove some tags "+
		"of the image, or publish fewer.", err, tags.Max,
		strings.Join(slices.Sorted(maps.Keys(t.tags)), ", "))
}
