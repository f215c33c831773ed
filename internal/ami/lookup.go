// SPDX-License-Identifier: MPL-2.0

package ami

import (
	"context"
	"maps"
	"slices"
	"sync"
)

// MaxRegions is how many regions are queried at once.
const MaxRegions = 16

// Lookup looks up images in several regions concurrently. ids maps region to ids; the result holds
// the images that [Client.Settled] returns. An error in one region does not stop the others.
func (c *Client) Lookup(
	ctx context.Context, ids map[string][]string, owners []string, births ...Births,
) (map[Address]Image, error) {
	var mu sync.Mutex
	found := map[Address]Image{}
	regions := slices.Sorted(maps.Keys(ids))
	err := EachRegion(ctx, regions, MaxRegions, func(ctx context.Context, region string) error {
		images, err := c.Settled(ctx, region, ids[region], owners, births...)
		mu.Lock()
		defer mu.Unlock()
		for _, image := range images {
			found[image.Address()] = image
		}
		return err
	})
	return found, err
}
