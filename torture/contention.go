// SPDX-License-Identifier: MPL-2.0

package main

import (
	"context"
	"fmt"
	"time"

	"github.com/packer-chain/packer-plugin-chain/internal/store/storetest/s3server"
)

const (
	// slack is how many times as long as promised a busy machine may take.
	slack = 3

	shortestLatency = 40 * time.Millisecond
	longestLatency  = 80 * time.Millisecond
)

// crowd is how many publish at the same moment, and how long that may take.
type crowd struct {
	writers int
	within  time.Duration
}

// promiseContention lets many publish one build each at the same moment, all of which move the same
// channels, on a bucket that is 60 ms away. Nobody may fail: not at the deadline, and not before it after
// some number of tries.
func promiseContention(ctx context.Context, r *Run) (Result, error) {
	crowds := []crowd{{8, 10 * time.Second}}
	if r.Long {
		crowds = []crowd{{32, 10 * time.Second}, {128, 30 * time.Second}}
	}
	var result Result
	for _, c := range crowds {
		w := workload{Writers: c.writers, Publishes: 1}
		took, v, err := c.publish(ctx, w)
		result.add(w, v)
		if err != nil {
			return result, err
		}
		if result.Note != "" {
			result.Note += ", "
		}
		result.Note += fmt.Sprintf("%d publishers in %.1f s of %s", c.writers, took.Seconds(), c.within)
		if took > c.within {
			result.Note += " (over it: is the machine busy?)"
		}
	}
	return result, nil
}

func (c crowd) publish(ctx context.Context, w workload) (time.Duration, verdict, error) {
	behind, err := fakeBucket()
	if err != nil {
		return 0, verdict{}, err
	}
	slow, stop := serve(s3server.Slow(behind, shortestLatency, longestLatency))
	defer stop()
	limited, cancel := context.WithTimeout(ctx, slack*c.within)
	defer cancel()
	// Amazon is not tested before the first write.
	open := bucketOpener(ctx, slow, bucketOptions{trusted: true})
	started := time.Now()
	ops, failure := w.run(limited, open)
	took := time.Since(started)
	v, err := w.judge(ctx, open, ops, failure)
	return took, v, err
}
