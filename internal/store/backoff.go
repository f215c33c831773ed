// SPDX-License-Identifier: MPL-2.0

package store

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"
)

// pace is the limit of the wait after the first attempt, and of any wait.
type pace struct{ first, most time.Duration }

var (
	// troubled is the pace towards a store that is overloaded or unreachable.
	troubled = pace{100 * time.Millisecond, 2 * time.Second}
	// raced is the pace after a lost race: the object is free again at once, so a long wait only leaves it
	// alone, and no wait at all makes all writers collide again.
	raced = pace{20 * time.Millisecond, 320 * time.Millisecond}
)

// Backoff waits between attempts with full jitter: a random time up to a limit that doubles from
// 100 ms to 2 s, after a lost race from 20 ms to 320 ms. Its zero value is ready to use.
type Backoff struct {
	// Rand answers a random time from 0 up to the limit, which is more than 0. Nil: math/rand.
	Rand func(limit time.Duration) time.Duration
}

// Wait waits after the attempt of that number, which counts from 1, and which failed with cause. When ctx
// ends first it stops waiting, and answers the error of ctx.
func (b Backoff) Wait(ctx context.Context, attempt int, cause error) error {
	random := b.Rand
	if random == nil {
		random = rand.N[time.Duration]
	}
	p := troubled
	if errors.Is(cause, ErrConflict) {
		p = raced
	}
	timer := time.NewTimer(random(p.limit(attempt)))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return ctx.Err()
	}
}

func (p pace) limit(attempt int) time.Duration {
	limit := p.first
	for ; attempt > 1 && limit < p.most; attempt-- {
		limit *= 2
	}
	return min(limit, p.most)
}
