// SPDX-License-Identifier: MPL-2.0

package publish

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// TestLastMoments is about a user who presses Ctrl-C and waits. Cause: a failed publication had 20
// seconds then too, and a store that did not respond took them all.
func TestLastMoments(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cancelled, cancel := context.WithCancel(t.Context())
		cancel()
		for want, in := range map[time.Duration]context.Context{timeToRecord: t.Context(), timeAfterInterrupt: cancelled} {
			ctx, cancel := lastMoments(in)
			defer cancel()
			deadline, _ := ctx.Deadline()
			if left := time.Until(deadline); ctx.Err() != nil || left != want {
				t.Errorf("%s left and %v, want %s", left, ctx.Err(), want)
			}
		}
	})
}
