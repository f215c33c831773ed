// SPDX-License-Identifier: MPL-2.0

package publish

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// TestLastMoments is about a user who presses Ctrl-C and waits. Cause: taking back what was published had
// 20 seconds then too, and a registry that does not answer took them all.
func TestLastMoments(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cancelled, cancel := context.WithCancel(t.Context())
		cancel()
		for want, in := range map[time.Duration]context.Context{afterwards: t.Context(), hasty: cancelled} {
			ctx, cancel := lastMoments(in)
			defer cancel()
			deadline, _ := ctx.Deadline()
			if left := time.Until(deadline); ctx.Err() != nil || left != want {
				t.Errorf("%s left and %v, want %s", left, ctx.Err(), want)
			}
			<-ctx.Done()
			if inHaste := errors.Is(context.Cause(ctx), context.Canceled); inHaste != (want == hasty) {
				t.Errorf("cause %v after %s", context.Cause(ctx), want)
			}
		}
	})
}
