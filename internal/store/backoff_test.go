// SPDX-License-Identifier: MPL-2.0

package store_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/packer-chain/packer-plugin-chain/internal/store"
)

func TestBackoff_Wait(t *testing.T) {
	raced := fmt.Errorf("put: %w", store.ErrConflict)
	for _, tt := range []struct {
		name  string
		cause error
		// want are the longest waits, in milliseconds.
		want []int64
	}{
		{"store in trouble", store.ErrTransient, []int64{100, 200, 400, 800, 1600, 2000, 2000}},
		{"lost race", raced, []int64{20, 40, 80, 160, 320, 320, 320}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				longest := store.Backoff{Rand: func(limit time.Duration) time.Duration { return limit }}
				var got []int64
				for i := range tt.want {
					before := time.Now()
					if err := longest.Wait(t.Context(), i+1, tt.cause); err != nil {
						t.Fatal(err)
					}
					got = append(got, time.Since(before).Milliseconds())
				}
				if diff := cmp.Diff(tt.want, got); diff != "" {
					t.Errorf("longest waits (-want +got):\n%s", diff)
				}
			})
		})
	}
}

func TestBackoff_Wait_jitter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		waits := map[time.Duration]bool{}
		for range 20 {
			before := time.Now()
			if err := (store.Backoff{}).Wait(t.Context(), 6, store.ErrTransient); err != nil {
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
		err := store.Backoff{Rand: func(limit time.Duration) time.Duration { return limit }}.Wait(ctx, 9, store.ErrTransient)
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(before) != 30*time.Millisecond {
			t.Errorf("waited %s with error %v, want 30ms and the deadline", time.Since(before), err)
		}
	})
}
