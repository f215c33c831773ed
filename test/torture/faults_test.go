// SPDX-License-Identifier: MPL-2.0

package torture

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/packer-chain/packer-plugin-chain/internal/store/storetest/s3server"
)

// TestFaults has writers publish while responses get lost after the write, and other faults happen,
// in several rounds, four at once. Every other round of a long run is on versitygw.
func TestFaults(t *testing.T) {
	ctx, n := begin(t)
	var mu sync.Mutex
	hits := map[string]int{}
	var rounds errgroup.Group
	rounds.SetLimit(4)
	for round := range figure(3, 20) {
		rounds.Go(func() error {
			t.Run(fmt.Sprintf("round%d", round), func(t *testing.T) {
				counted := withFaults(ctx, t, n, round)
				mu.Lock()
				defer mu.Unlock()
				for kind, n := range counted {
					hits[kind] += n
				}
			})
			return nil
		})
	}
	_ = rounds.Wait()
	others := hits["failed after"] + hits["conflict"] + hits["cut"] + hits["unavailable"]
	if hits["lost answer"] == 0 || others == 0 {
		t.Errorf("only these faults happened, so nothing was shown: %v", hits)
	}
	n.note = fmt.Sprintf("%d rounds; %d responses lost, %d times 500 after the write, %d times 409, "+
		"%d times 503, %d bodies cut", figure(3, 20), hits["lost answer"], hits["failed after"],
		hits["conflict"], hits["unavailable"], hits["cut"])
}

// withFaults runs a workload through a proxy that makes faults, judges it without them, and returns
// how many of each kind there were.
func withFaults(ctx context.Context, t *testing.T, n *tally, round int) map[string]int {
	behind := fakeBucket(t)
	if *long && round%2 == 1 {
		var err error
		if behind, err = s3server.Proxy(startGateway(ctx, t).URL); err != nil {
			t.Fatal(err)
		}
	}
	faults := &s3server.Faults{
		LostAnswers: 50, FailedAfter: 20, Conflicts: 50, Unavailable: 20, Cut: 20, Random: random(t),
	}
	faulty, sound := serve(t, faults.Before(behind)), serve(t, behind)
	// With so many faults the test of the store takes most of the time.
	w := workload{Writers: figure(4, 8), Publishes: figure(4, 10), Shared: round%3 == 2}
	ops, failure := w.run(ctx, bucketOpener(t, faulty, bucketOptions{trusted: round%3 > 0}))
	v, err := w.judge(ctx, bucketOpener(t, sound, bucketOptions{}), ops, failure)
	n.add(w, v)
	t.Log(faults.Hits())
	if err != nil {
		t.Error(err)
	}
	return faults.Hits()
}
