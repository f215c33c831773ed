// SPDX-License-Identifier: MPL-2.0

package retry

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// whole takes the whole limit.
func whole(limit time.Duration) time.Duration { return limit }

func TestPace_Wait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pace := Pace{First: 20 * time.Millisecond, Most: 300 * time.Millisecond, Rand: whole}
		var got []int64
		for i := range 7 {
			before := time.Now()
			if err := pace.Wait(t.Context(), i+1); err != nil {
				t.Fatal(err)
			}
			got = append(got, time.Since(before).Milliseconds())
		}
		if diff := cmp.Diff([]int64{20, 40, 80, 160, 300, 300, 300}, got); diff != "" {
			t.Errorf("longest waits (-want +got):\n%s", diff)
		}
	})
}

func TestPace_Wait_endsWithContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
		defer cancel()
		before := time.Now()
		err := Pace{First: time.Second, Most: time.Second, Rand: whole}.Wait(ctx, 1)
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(before) != 30*time.Millisecond {
			t.Errorf("waited %s with error %v, want 30ms and the deadline", time.Since(before), err)
		}
	})
}

func TestPace_Until(t *testing.T) {
	busy, broken := errors.New("busy"), errors.New("broken")
	hang := errors.New("hang")
	for _, tt := range []struct {
		name string
		// in are the results of the attempts, one after another; the last one is repeated.
		in       []error
		attempts int
		took     time.Duration
		want     string
		is       []error
	}{
		{name: "at once", in: []error{nil}, attempts: 1},
		{name: "in the end", in: []error{busy, busy, nil}, attempts: 3, took: 3 * time.Second},
		{name: "for good", in: []error{busy, broken}, attempts: 2, took: time.Second,
			want: "broken", is: []error{broken}},
		// It tries after 0, 1, 3, 7 and 11 seconds.
		{name: "too late", in: []error{busy}, attempts: 5, took: 14 * time.Second,
			want: "gave up after 14s: busy", is: []error{busy, context.DeadlineExceeded}},
		{name: "cut off", in: []error{busy, hang}, attempts: 2, took: 14 * time.Second,
			want: "gave up after 14s: busy", is: []error{busy, context.DeadlineExceeded}},
		{name: "never answered", in: []error{hang}, attempts: 1, took: 14 * time.Second,
			want: "gave up after 14s: hang", is: []error{hang, context.DeadlineExceeded}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), 14*time.Second)
				defer cancel()
				watch := NewWatch(nil, "")
				defer watch.Stop()
				attempts, begun := 0, time.Now()
				err := Pace{First: time.Second, Most: 4 * time.Second, Rand: whole}.Until(ctx, watch,
					func() error {
						err := tt.in[min(attempts, len(tt.in)-1)]
						attempts++
						if errors.Is(err, hang) {
							<-ctx.Done()
						}
						return err
					}, func(err error) (string, bool) { return err.Error(), errors.Is(err, busy) })
				got := ""
				if err != nil {
					got = err.Error()
				}
				if took := time.Since(begun); got != tt.want || attempts != tt.attempts || took != tt.took {
					t.Errorf("got %q after %d attempts in %s, want %q after %d in %s",
						got, attempts, took, tt.want, tt.attempts, tt.took)
				}
				for _, want := range tt.is {
					if !errors.Is(err, want) {
						t.Errorf("%v is not %v", err, want)
					}
				}
			})
		})
	}
}

func TestWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got []string
		watch := NewWatch(func(msg string) { got = append(got, msg) }, "no answer yet")
		time.Sleep(6 * time.Second)
		watch.Because("lost a race\n\nand more")
		time.Sleep(7 * time.Second)
		watch.Stop()
		time.Sleep(time.Minute)
		want := []string{"still trying after 2s: no answer yet", "still trying after 7s: lost a race",
			"still trying after 12s: lost a race"}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("notices (-want +got):\n%s", diff)
		}
	})
}
