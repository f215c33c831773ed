// SPDX-License-Identifier: MPL-2.0

package ami

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

// errPending means that an image is still being made, as copies to other regions may be for minutes.
var errPending = errors.New("the image is pending")

// Await answers the images, in any order, once all of them are available: a new or copied AMI may be
// unknown to EC2 for a while, and then pending. It waits until ctx ends. An image that can never
// become available, such as one that has failed, is an error at once.
func (c *Client) Await(ctx context.Context, region string, ids []string) ([]Image, error) {
	ids = slices.Compact(slices.Sorted(slices.Values(ids)))
	job := &tagging{client: c, region: region, images: ids, begun: c.now()}
	var seen []Image
	err := job.again(ctx, "the image to be available", func() error {
		var err error
		if seen, err = c.byIDAlone(ctx, region, ids, noRetries); err != nil {
			return err
		}
		if len(seen) < len(ids) {
			return errNotYet
		}
		return usable(seen)
	})
	if err != nil {
		return nil, fmt.Errorf("find %s in %s: %w", strings.Join(ids, ", "), region, err)
	}
	return seen, nil
}

// usable answers nil when nothing is wrong with any of the images, and errPending where waiting helps.
func usable(images []Image) error {
	for _, img := range images {
		if problem := Problem(img); problem != "" && !pending(img) {
			return fmt.Errorf("%s %s", img.ID, problem)
		}
	}
	if slices.ContainsFunc(images, pending) {
		return errPending
	}
	return nil
}

func pending(img Image) bool { return img.State == string(types.ImageStatePending) }

// Settled is [Client.ByID] for images that are to be used: it waits until none of them is pending. An
// image that is pending when ctx ends is an error, because it is neither there nor gone.
func (c *Client) Settled(ctx context.Context, region string, ids, owners []string) ([]Image, error) {
	job := &tagging{client: c, region: region, images: ids, begun: c.now()}
	var seen []Image
	var failed error
	err := job.again(ctx, "the image to be available", func() error {
		// What else fails has been tried again by the SDK, and ends the waiting.
		seen, failed = c.ByID(ctx, region, ids, owners)
		if failed == nil && slices.ContainsFunc(seen, pending) {
			return errPending
		}
		return nil
	})
	if failed != nil {
		return nil, failed
	}
	if err != nil {
		return nil, fmt.Errorf("find %s in %s: %w\n\nWait until it is available, and run it again", strings.Join(ids, ", "),
			region, err)
	}
	return seen, nil
}

// Get answers one image of any owner, in any state.
func (c *Client) Get(ctx context.Context, region, id string) (Image, error) {
	images, err := c.byIDAlone(ctx, region, []string{id})
	if err != nil {
		return Image{}, fmt.Errorf("find %s in %s: %w", id, region, err)
	}
	if len(images) == 0 {
		return Image{}, fmt.Errorf("find %s in %s: it is not there", id, region)
	}
	return images[0], nil
}
