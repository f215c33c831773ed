// SPDX-License-Identifier: MPL-2.0

package main

import (
	"context"
	"errors"
	"fmt"
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
		took, v, err := c.publish(ctx, r, w)
		result.add(w, v)
		if err == nil && r.Long && took > c.within {
			err = errors.New("too slow")
		}
		if err != nil {
			return result, fmt.Errorf("%d publishers, %.1f s of %s: %w", c.writers, took.Seconds(), c.within, err)
		}
		if result.Note != "" {
			result.Note += ", "
		}
		result.Note += fmt.Sprintf("%d publishers in %.1f s of %s", c.writers, took.Seconds(), c.within)
	}
	return result, nil
}

func (c crowd) publish(ctx context.Context, r *Run, w workload) (time.Duration, verdict, error) {
	behind, err := fakeBucket()
	if err != nil {
		return 0, verdict{}, err
	}
	slow, stop := serve(s3server.Slow(behind, shortestLatency, longestLatency, r.Random(uint64(c.writers))))
	defer stop()
	quick, stopQuick := serve(behind)
	defer stopQuick()
	limited, cancel := context.WithTimeout(ctx, slack*c.within)
	defer cancel()
	// Amazon is not tested before the first write.
	amazon := bucketOptions{trusted: true}
	started := time.Now()
	ops, failure := w.run(limited, bucketOpener(ctx, slow, amazon))
	took := time.Since(started)
	v, err := w.judge(ctx, bucketOpener(ctx, quick, amazon), ops, failure)
	return took, v, err
}
