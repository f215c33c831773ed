// SPDX-License-Identifier: MPL-2.0

package store

import (
	"context"
	"errors"
	"time"

	"github.com/packer-chain/packer-plugin-chain/internal/retry"
)

// Backoff waits between attempts: up to 2 seconds if a store is overloaded or unreachable, and only
// up to 320 ms after a lost race, because the object is free again at once. No wait at all would
// make all writers collide again. Its zero value is ready to use.
type Backoff struct {
	// Rand is passed to [retry.Pace].
	Rand func(limit time.Duration) time.Duration
}

// Wait waits after an attempt that failed with cause; attempts count from 1. It waits at least as
// long as a [LaterError] asks. It returns the error of ctx if that ends first.
func (b Backoff) Wait(ctx context.Context, attempt int, cause error) error {
	pace := retry.Pace{First: 100 * time.Millisecond, Most: 2 * time.Second, Rand: b.Rand}
	if errors.Is(cause, ErrConflict) {
		pace.First, pace.Most = 20*time.Millisecond, 320*time.Millisecond
	}
	var later *LaterError
	if errors.As(cause, &later) && retry.Sleep(ctx, later.After) != nil {
		return ctx.Err()
	}
	return pace.Wait(ctx, attempt)
}
