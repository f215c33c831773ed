// SPDX-License-Identifier: MPL-2.0

package torture

import (
	"context"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/packer-chain/packer-plugin-chain/internal/store/storetest/s3server"
)

const (
	// slack is how many times as long as promised a short run may take: it runs beside other tests.
	slack = 3

	shortestLatency = 40 * time.Millisecond
	longestLatency  = 80 * time.Millisecond
)

// crowd is how many publish at the same moment, and how long that may take.
type crowd struct {
	writers int
	within  time.Duration
}

// TestContention has many publish one build each at the same moment, all of which move the same
// channels, on a bucket that is 60 ms away. Nobody may fail: not at the deadline, and not before it
// after some number of tries.
func TestContention(t *testing.T) {
	ctx, n := begin(t)
	crowds := []crowd{{8, 10 * time.Second}}
	if *long {
		crowds = []crowd{{32, 10 * time.Second}, {128, 30 * time.Second}}
	}
	for _, c := range crowds {
		t.Run(strconv.Itoa(c.writers), func(t *testing.T) { c.publish(ctx, t, n) })
	}
}

// publish runs the workload on a slow bucket, and judges it on the same bucket without the delay.
func (c crowd) publish(ctx context.Context, t *testing.T, n *tally) {
	behind := fakeBucket(t)
	slow := serve(t, s3server.Slow(behind, shortestLatency, longestLatency, random(t)))
	quick := serve(t, behind)
	limited, cancel := context.WithTimeout(ctx, slack*c.within)
	defer cancel()
	// Amazon is not tested before the first write.
	amazon := bucketOptions{trusted: true}
	w := workload{Writers: c.writers, Publishes: 1}
	started := time.Now()
	ops, failure := w.run(limited, bucketOpener(t, slow, amazon))
	took := time.Since(started)
	v, err := w.judge(ctx, bucketOpener(t, quick, amazon), ops, failure)
	n.add(w, v)
	n.note += fmt.Sprintf("%d publishers in %.1f s of %s. ", c.writers, took.Seconds(), c.within)
	if err != nil {
		t.Error(err)
	}
	if *long && took > c.within {
		t.Errorf("took %.1f s of %s", took.Seconds(), c.within)
	}
}
