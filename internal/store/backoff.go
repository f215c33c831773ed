// SPDX-License-Identifier: MPL-2.0

package store

import (
	"context"
	"math/rand/v2"
	"time"
)

const (
	backoffBase = 100 * time.Millisecond
	backoffCap  = 2 * time.Second
)

// Backoff waits between attempts with full jitter: a random time up to a limit that doubles from
// 100 ms to 2 s. Its zero value is ready to use.
type Backoff struct {
	// Rand answers a random time from 0 up to the limit, which is more than 0. Nil: math/rand.
	Rand func(limit time.Duration) time.Duration
}

// Wait waits after the attempt of that number, which counts from 1. When ctx ends first it stops
// waiting, and answers the error of ctx.
func (b Backoff) Wait(ctx context.Context, attempt int) error {
	random := b.Rand
	if random == nil {
		random = rand.N[time.Duration]
	}
	timer := time.NewTimer(random(backoffLimit(attempt)))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return ctx.Err()
	}
}

func backoffLimit(attempt int) time.Duration {
	limit := backoffBase
	for ; attempt > 1 && limit < backoffCap; attempt-- {
		limit *= 2
	}
	return min(limit, backoffCap)
}
