// SPDX-License-Identifier: MPL-2.0

package main

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"
)

// toBucket is how much longer every request takes while many publish at once.
const toBucket = 60 * time.Millisecond

// measurePublishers measures how long it takes until many have published a build of one image, each
// with its own connection. Nothing else does this without losing writes, so it is compared
// with the least that compare-and-swap takes: the channel changes once in a round trip.
func (l *lab) measurePublishers(ctx context.Context) error {
	ami, err := l.aws.CreateImage(ctx, home, "publishers")
	if err != nil {
		return err
	}
	l.proxy.delay.Store(int64(toBucket))
	defer l.proxy.delay.Store(0)
	goals := map[int]string{32: "A at most 4 s", 128: "A at most 12 s"}
	for i, full := range []int{32, 128} {
		n, image := l.pick(full, i+2), ""
		round := 0
		crowd := command{
			text: fmt.Sprintf("%d publishers of one channel", n),
			before: func(context.Context) error {
				round++
				image = fmt.Sprintf("crowd%d-%d", n, round)
				return nil
			},
			run: func(ctx context.Context) error {
				var all errgroup.Group
				for i := range n {
					all.Go(func() error {
						reg, err := l.openRegistry("chain")
						if err != nil {
							return err
						}
						return publish(ctx, reg, image, i, ami, "latest")
					})
				}
				return all.Wait()
			},
		}
		got, err := l.turns(ctx, 10, crowd)
		if err != nil {
			return err
		}
		// The manifest, a read of the channel, and then one write after another.
		least := time.Duration(2+n) * toBucket
		l.compare(fmt.Sprintf("publishers_%d", full), goals[full], got[0], series{
			text:   fmt.Sprintf("%d requests one after another, %s each", 2+n, toBucket),
			values: []float64{least.Seconds()}})
	}
	return nil
}
