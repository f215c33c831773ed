// SPDX-License-Identifier: MPL-2.0

package ami

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/packer-chain/packer-plugin-chain/internal/awserror"
	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
)

// errPending means that an image is still being made, which may take minutes for copies.
var errPending = errors.New("the image is pending")

// Await returns the images, in any order, once all of them are available: EC2 may not know a new or
// copied AMI for a while, and then it is pending. It waits until ctx ends. If an image can never
// become available, such as one that has failed, it returns an error at once; and after a minute,
// if EC2 says nothing but that it knows no such image, because then it is that of another account.
func (c *Client) Await(ctx context.Context, region string, ids []string) ([]Image, error) {
	ids = slices.Compact(slices.Sorted(slices.Values(ids)))
	what := fmt.Sprintf("find %s in %s", strings.Join(ids, ", "), region)
	watch := c.watch(region)
	defer watch.Stop()
	var seen []Image
	var hidden hidden
	err := c.again(ctx, watch, what, func() error {
		var err error
		if seen, err = c.byIDAlone(ctx, region, ids, noRetries); err != nil {
			return hidden.since(err)
		}
		if len(seen) == 0 {
			return hidden.since(errNotYet)
		}
		hidden.first = time.Time{}
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

// hiddenTime is how long EC2 may know nothing of an AMI that was just made.
const hiddenTime = time.Minute

// hidden is how long EC2 has said nothing but that it knows no such image.
type hidden struct{ first time.Time }

// since returns the error of a look-up, or what it means once it was the only one for a minute.
func (h *hidden) since(err error) error {
	if awserror.Code(err) != "InvalidAMIID.NotFound" && !errors.Is(err, errNotYet) {
		h.first = time.Time{}
		return err
	}
	if h.first.IsZero() {
		h.first = time.Now()
	}
	if waited := time.Since(h.first); waited >= hiddenTime {
		// Not wrapped: the error of EC2 would be worth a retry.
		return fmt.Errorf("for %s, EC2 has not shown it to this account: %s\n\nIt was made with "+
			"another account or region. Set assume_role, profile (or access_key) and region of data "+
			"\"chain-image\" as in the builder, and likewise in the post-processor if it has its own.",
			waited.Round(time.Second), briefly(err))
	}
	return err
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

// newTime is how long EC2 may not show an AMI after it was created (AWS support has advised users
// of Packer to allow for up to 2.5 minutes).
const newTime = 3 * time.Minute

// Births are when images were created, as far as that is known.
type Births map[Address]time.Time

// BirthsOf returns when the AMIs of a manifest's entries were created, as far as it says so.
func BirthsOf(entries []manifest.Entry) Births {
	births := Births{}
	for _, entry := range entries {
		for _, image := range entry.AMIs() {
			born := image.CreatedAt
			if born.IsZero() {
				born = time.Unix(entry.BuildTime, 0)
			}
			births[Address{Region: image.Region, ID: image.ID}] = born
		}
	}
	return births
}

// mayAppear reports whether EC2 may show one of the images that are not in seen a little later:
// one that was created minutes ago.
func (b Births) mayAppear(region string, ids []string, seen []Image, now time.Time) bool {
	return slices.ContainsFunc(ids, func(id string) bool {
		born := b[Address{Region: region, ID: id}]
		return now.Sub(born).Abs() < newTime &&
			!slices.ContainsFunc(seen, func(img Image) bool { return img.ID == id })
	})
}

// Settled is [Client.ByID] for images that are to be used: it waits until none of them is pending,
// and a few minutes for one that was just created and that EC2 does not show yet, unless EC2 shows
// that it belongs to an account that is not among owners. It returns an error if one is still
// pending when ctx ends, because that one neither exists nor is gone.
func (c *Client) Settled(
	ctx context.Context, region string, ids, owners []string, births ...Births,
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
		isNotYet := func(known []Image) bool {
			return slices.ContainsFunc(births, func(b Births) bool {
				return b.mayAppear(region, ids, known, time.Now())
			})
		}
		if failed == nil && isNotYet(seen) &&
			isNotYet(slices.Concat(seen, c.foreign(ctx, region, ids, owners))) {
			return errNotYet
		}
		return nil
	})
	if failed != nil {
		return nil, failed
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w\n\nWait until it is available, and run it again.", what, err)
	}
	return seen, nil
}

// foreign returns those of the images that surely belong to others than owners. Of "self", only EC2
// knows who that is, and it may be late to tell. One that cannot be looked up is left out.
func (c *Client) foreign(ctx context.Context, region string, ids, owners []string) []Image {
	var others []Image
	if len(owners) == 0 || slices.Contains(owners, "self") {
		return nil
	}
	for _, id := range ids {
		if images, err := c.byIDAlone(ctx, region, []string{id}, noRetries); err == nil {
			others = append(others, images...)
		}
	}
	return slices.DeleteFunc(others, func(img Image) bool {
		return slices.Contains(owners, img.Owner) || slices.Contains(owners, img.OwnerAlias)
	})
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
