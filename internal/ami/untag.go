// SPDX-License-Identifier: MPL-2.0

package ami

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/packer-chain/packer-plugin-chain/internal/retry"
)

// Untag removes tags, whatever their value, from AMIs and snapshots of a region, and returns when
// they are gone from the AMIs. AMIs that have none of them are left alone; snapshots are only
// written, never read. It retries until ctx ends (or for 5 minutes if ctx has no deadline), but an
// AMI that does not exist is an error at once.
func (c *Client) Untag(ctx context.Context, region string, ids []string, keys ...string) error {
	if len(ids) == 0 || len(keys) == 0 {
		return nil
	}
	images, snapshots, err := taggable(region, ids)
	if err != nil {
		return fmt.Errorf("untag %w", err)
	}
	ctx, cancel := limited(ctx)
	defer cancel()
	job := &untagging{
		client: c, region: region, keys: slices.Compact(slices.Sorted(slices.Values(keys))),
		name:  strings.Join(slices.Concat(images, snapshots), ", ") + " in " + region,
		watch: c.watch(region),
	}
	defer job.watch.Stop()
	if err := job.run(ctx, images, snapshots); err != nil {
		return fmt.Errorf("untag %s: %w", job.name, err)
	}
	return nil
}

// untagging is one call of [Client.Untag].
type untagging struct {
	client *Client
	region string
	keys   []string
	// name is the full address of the images and snapshots.
	name  string
	watch *retry.Watch
}

func (u *untagging) run(ctx context.Context, images, snapshots []string) error {
	api, err := u.client.region(u.region)
	if err != nil {
		return err
	}
	var tagged []string
	if len(images) > 0 {
		seen, err := u.client.existing(ctx, u.watch, u.region, images)
		if err != nil {
			return err
		}
		tagged = u.tagged(seen)
	}
	for batch := range slices.Chunk(slices.Concat(tagged, snapshots), tagBatch) {
		err := u.client.again(ctx, u.watch, "untag "+u.name, func() error {
			return u.remove(ctx, api, batch)
		})
		if err != nil {
			return explain(err, u.region, untagAction)
		}
	}
	if len(tagged) == 0 {
		return nil
	}
	return u.client.again(ctx, u.watch, "read the tags of "+u.name, func() error {
		seen, err := u.client.byIDAlone(ctx, u.region, tagged, noRetries)
		if still := u.tagged(seen); err == nil && len(still) > 0 {
			return &staleError{strings.Join(u.keys, " or ") + " on " + strings.Join(still, ", ")}
		}
		return err
	})
}

// tagged returns the images that have one of the tags, sorted.
func (u *untagging) tagged(images []Image) []string {
	var ids []string
	for _, img := range images {
		has := func(key string) bool { _, ok := img.Tags[key]; return ok }
		if slices.ContainsFunc(u.keys, has) {
			ids = append(ids, img.ID)
		}
	}
	slices.Sort(ids)
	return ids
}

func (u *untagging) remove(ctx context.Context, api ec2API, ids []string) error {
	in := &ec2.DeleteTagsInput{Resources: ids}
	for _, key := range u.keys {
		// Without a value, the tag goes whatever it has. An empty value would be a condition.
		in.Tags = append(in.Tags, types.Tag{Key: aws.String(key)})
	}
	_, err := api.deleteTags(ctx, in, noRetries)
	return err
}
