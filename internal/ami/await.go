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

// errPending means that an image is still being made, which may take minutes for copies.
var errPending = errors.New("the image is pending")

// Await returns the images, in any order, once all of them are available: EC2 may not know a new or
// copied AMI for a while, and then it is pending. It waits until ctx ends. If an image can never
// become available, such as one that has failed, it returns an error at once.
func (c *Client) Await(ctx context.Context, region string, ids []string) ([]Image, error) {
	ids = slices.Compact(slices.Sorted(slices.Values(ids)))
	what := fmt.Sprintf("find %s in %s", strings.Join(ids, ", "), region)
	watch := c.watch(region)
	defer watch.Stop()
	var seen []Image
	err := c.again(ctx, watch, what, func() error {
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
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	return seen, nil
}

// usable returns what is wrong with one of the images, or errPending if waiting helps.
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

// Settled is [Client.ByID] for images that are to be used: it waits until none of them is pending.
// It returns an error if one still is when ctx ends, because that one neither exists nor is gone.
func (c *Client) Settled(
	ctx context.Context, region string, ids, owners []string,
) ([]Image, error) {
	what := fmt.Sprintf("find %s in %s", strings.Join(ids, ", "), region)
	watch := c.watch(region)
	defer watch.Stop()
	var seen []Image
	var failed error
	err := c.again(ctx, watch, what, func() error {
		// The SDK has retried any other failure, so it ends the wait.
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
		return nil, fmt.Errorf("%s: %w\n\nWait until it is available, and run it again", what, err)
	}
	return seen, nil
}

// Get returns one image of any owner, in any state.
func (c *Client) Get(ctx context.Context, region, id string) (Image, error) {
	images, err := c.byIDAlone(ctx, region, []string{id})
	if err != nil {
		return Image{}, fmt.Errorf("find %s in %s: %w", id, region, err)
	}
	if len(images) == 0 {
		return Image{}, fmt.Errorf("find %s in %s: it does not exist", id, region)
	}
	return images[0], nil
}
