// SPDX-License-Identifier: MPL-2.0

package torture

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
)

// TestServerDies kills the server of the bucket while many publish, and starts it again. Each time
// some writes have landed whose response never came.
func TestServerDies(t *testing.T) {
	ctx, n := begin(t)
	gateway := startGateway(ctx, t)
	w := workload{Writers: figure(4, 16), Publishes: figure(10, 40)}
	open := bucketOpener(t, gateway.URL, bucketOptions{trusted: true})

	wanted, deaths, chance := figure(1, 4), 0, random(t)
	published := make(chan struct{})
	killer, alive := errgroup.WithContext(ctx)
	killer.Go(func() error {
		for deaths < wanted {
			pause := 20*time.Millisecond + time.Duration(chance.Int64N(int64(200*time.Millisecond)))
			select {
			case <-published:
				return fmt.Errorf("all was published before the server had died %d times", wanted)
			case <-time.After(pause):
			}
			gateway.Stop()
			if err := gateway.Start(ctx); err != nil {
				return err
			}
			deaths++
		}
		return nil
	})
	ops, failure := w.run(alive, open)
	close(published)
	survived := killer.Wait()
	v, err := w.judge(ctx, open, ops, failure)
	n.add(w, v)
	n.note = fmt.Sprintf("%d writers x %d, the server was killed %d times meanwhile",
		w.Writers, w.Publishes, deaths)
	if err = errors.Join(survived, err); err != nil {
		t.Error(err)
	}
}
