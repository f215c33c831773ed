// SPDX-License-Identifier: MPL-2.0

package ami

import (
	"context"
	"maps"
	"slices"
	"sync"
)

// MaxRegions is in how many regions EC2 is queried at once.
const MaxRegions = 16

// Lookup looks up images in several regions concurrently. ids maps region to ids; the result has
// those of them that [Client.Settled] finds. An error in one region does not stop the others.
func (c *Client) Lookup(
	ctx context.Context, ids map[string][]string, owners []string,
) (map[Address]Image, error) {
	var mu sync.Mutex
	seen := map[Address]Image{}
	regions := slices.Sorted(maps.Keys(ids))
	err := EachRegion(ctx, regions, MaxRegions, func(ctx context.Context, region string) error {
		images, err := c.Settled(ctx, region, ids[region], owners)
		mu.Lock()
		defer mu.Unlock()
		for _, image := range images {
			seen[image.Address()] = image
		}
		return err
	})
	return seen, err
}
