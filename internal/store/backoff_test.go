// SPDX-License-Identifier: MPL-2.0

package store_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/packer-chain/packer-plugin-chain/internal/store"
)

func TestBackoff_Wait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		longest := store.Backoff{Rand: func(limit time.Duration) time.Duration { return limit }}
		var got []time.Duration
		for attempt := 1; attempt <= 7; attempt++ {
			before := time.Now()
			if err := longest.Wait(t.Context(), attempt); err != nil {
				t.Fatal(err)
			}
			got = append(got, time.Since(before).Round(time.Millisecond))
		}
		want := []time.Duration{
			100 * time.Millisecond, 200 * time.Millisecond, 400 * time.Millisecond, 800 * time.Millisecond,
			1600 * time.Millisecond, 2 * time.Second, 2 * time.Second,
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("longest waits (-want +got):\n%s", diff)
		}
	})
}

func TestBackoff_Wait_jitter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		waits := map[time.Duration]bool{}
		for range 20 {
			before := time.Now()
			if err := (store.Backoff{}).Wait(t.Context(), 6); err != nil {
				t.Fatal(err)
			}
			if wait := time.Since(before); wait > 2*time.Second {
				t.Errorf("waited %s, want 2s at most", wait)
			} else {
				waits[wait] = true
			}
		}
		if len(waits) < 10 {
			t.Errorf("20 waits had only %d lengths", len(waits))
		}
	})
}

func TestBackoff_Wait_endsWithContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
		defer cancel()
		before := time.Now()
		err := store.Backoff{Rand: func(limit time.Duration) time.Duration { return limit }}.Wait(ctx, 9)
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(before) != 30*time.Millisecond {
			t.Errorf("waited %s with error %v, want 30ms and the deadline", time.Since(before), err)
		}
	})
}
