// SPDX-License-Identifier: MPL-2.0

// Package retry repeats what may succeed later. It waits for random and growing times, until a
// context ends and not a number of times, and reports what it waits for. The caller decides which
// errors are worth a retry.
package retry

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"
)

// Pace is how long to wait between attempts, with full jitter: a random time up to a limit that
// doubles from First to Most.
type Pace struct {
	First, Most time.Duration
	// Rand returns a random time from 0 up to the limit, which is more than 0. Nil: math/rand.
	Rand func(limit time.Duration) time.Duration
}

// Wait waits after an attempt; attempts count from 1. It returns the error of ctx if that ends
// first.
func (p Pace) Wait(ctx context.Context, attempt int) error {
	random := p.Rand
	if random == nil {
		random = rand.N[time.Duration]
	}
	return Sleep(ctx, random(p.limit(attempt)))
}

// Sleep waits for a time. It returns the error of ctx if that ends first.
func Sleep(ctx context.Context, how time.Duration) error {
	timer := time.NewTimer(how)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
	return ctx.Err()
}

func (p Pace) limit(attempt int) time.Duration {
	limit := p.First
	for ; attempt > 1 && limit < p.Most; attempt-- {
		limit *= 2
	}
	return min(limit, p.Most)
}

// Until runs fn until it succeeds, fails for good, or ctx ends. again reports whether an error may
// pass, and describes it for the watch.
func (p Pace) Until(
	ctx context.Context, watch *Watch, fn func() error, again func(error) (why string, passing bool),
) error {
	var last error
	for attempt := 1; ; attempt++ {
		err := fn()
		if err == nil {
			return nil
		}
		if ctx.Err() == nil {
			why, passing := again(err)
			if !passing {
				return err
			}
			last = err
			watch.Because(why)
			if p.Wait(ctx, attempt) == nil {
				continue
			}
		}
		if last == nil {
			last = err
		}
		return &timeoutError{took: watch.elapsed(), last: last, cause: context.Cause(ctx)}
	}
}

// timeoutError means that ctx ended. If possible, last is an error that ctx did not cause: a
// request that ctx cut off explains less.
type timeoutError struct {
	took  time.Duration
	last  error
	cause error
}

func (e *timeoutError) Error() string { return fmt.Sprintf("gave up after %s: %v", e.took, e.last) }

// Unwrap lets errors.Is see both why it ended and what was wrong.
func (e *timeoutError) Unwrap() []error { return []error{e.last, e.cause} }
