// SPDX-License-Identifier: MPL-2.0

package main

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/packer-chain/packer-plugin-chain/internal/store/storetest/s3server"
)

// promiseFaults lets writers publish while answers get lost after the write, and other faults happen, in
// as many rounds as there are seeds, four at once. Every other round of a long run is on versitygw.
func promiseFaults(ctx context.Context, r *Run) (Result, error) {
	var mu sync.Mutex
	var result Result
	hits := map[string]int{}
	rounds, ctx := errgroup.WithContext(ctx)
	rounds.SetLimit(4)
	for seed := range r.Pick(3, 20) {
		rounds.Go(func() error {
			w := workload{Writers: r.Pick(4, 8), Publishes: r.Pick(4, 10), Shared: seed%3 == 2}
			started := time.Now()
			v, counted, err := w.withFaults(ctx, r, uint64(seed), r.Long && seed%2 == 1)
			mu.Lock()
			defer mu.Unlock()
			result.add(w, v)
			for kind, n := range counted {
				hits[kind] += n
			}
			if err != nil {
				return fmt.Errorf("round %d: %w", seed, err)
			}
			r.Logf("round %d: %.1f s, %v", seed, time.Since(started).Seconds(), counted)
			return nil
		})
	}
	if err := rounds.Wait(); err != nil {
		return result, err
	}
	if hits["lost answer"] == 0 || hits["failed after"]+hits["conflict"]+hits["cut"]+hits["unavailable"] == 0 {
		return result, fmt.Errorf("only these faults happened, so nothing was shown: %v", hits)
	}
	result.Note = fmt.Sprintf("%d rounds; %d answers lost, %d times 500 after the write, %d times 409, %d times 503, %d bodies cut",
		r.Pick(3, 20), hits["lost answer"], hits["failed after"], hits["conflict"], hits["unavailable"], hits["cut"])
	return result, nil
}

// withFaults runs the workload through a proxy that makes faults, and judges it without them.
func (w workload) withFaults(ctx context.Context, r *Run, seed uint64, onGateway bool) (verdict, map[string]int, error) {
	var behind http.Handler
	var err error
	if onGateway {
		gateway, failure := startGateway(ctx, r)
		if failure != nil {
			return verdict{}, nil, failure
		}
		defer gateway.Stop()
		behind, err = s3server.Proxy(gateway.URL)
	} else {
		behind, err = fakeBucket()
	}
	if err != nil {
		return verdict{}, nil, err
	}
	faults := &s3server.Faults{
		LostAnswers: 50, FailedAfter: 20, Conflicts: 50, Unavailable: 20, Cut: 20, Random: r.Random(seed),
	}
	faulty, stop := serve(faults.Before(behind))
	defer stop()
	sound, stopSound := serve(behind)
	defer stopSound()
	// With so many faults the test of the store takes most of the time.
	ops, failure := w.run(ctx, bucketOpener(ctx, faulty, bucketOptions{trusted: seed%3 > 0}))
	v, err := w.judge(ctx, bucketOpener(ctx, sound, bucketOptions{}), ops, failure)
	return v, faults.Hits(), err
}
