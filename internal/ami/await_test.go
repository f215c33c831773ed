// SPDX-License-Identifier: MPL-2.0

package ami

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/packer-chain/packer-plugin-chain/internal/ami/amitest"
)

// TestClient_lag has EC2 not know a new AMI for k requests, in each of the three steps of a
// publication.
func TestClient_lag(t *testing.T) {
	bare, full := amitest.Image{ID: idA}, amitest.Image{ID: idA, Tags: wanted}
	for k := range 21 {
		// In the first step, a minute of nothing else means that it is the wrong account.
		first := min(k, 14)
		steps := slices.Concat(
			amitest.Times(first, amitest.NotFound().On("DescribeImages")), []amitest.Step{look(bare), look(bare)},
			amitest.Times(k, amitest.NotFound().On("CreateTags")), []amitest.Step{write(idA)},
			amitest.Times(k, amitest.NotFound().On("DescribeImages")), []amitest.Step{look(full)})
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
			defer cancel()
			c, log := script(t, steps...)
			if _, err := c.Await(ctx, "eu-west-1", []string{idA}); err != nil {
				t.Fatal(err)
			}
			if err := c.Tag(ctx, "eu-west-1", []string{idA}, wanted); err != nil {
				t.Fatal(err)
			}
			if len(log.waits) != first+2*k {
				t.Errorf("it waited %d times, want %d", len(log.waits), first+2*k)
			}
		})
	}
}

func state(state string) amitest.Step {
	return amitest.Describe(amitest.Image{ID: idA, State: state, Reason: "disk broke"})
}

// TestClient_Await_pending: an artifact is published when its AMI can be used, and not when it is
// begun.
func TestClient_Await_pending(t *testing.T) {
	for _, tt := range []struct {
		name  string
		steps []amitest.Step
		limit time.Duration
		// took is the time, want the end of the error; empty for none.
		took time.Duration
		want string
	}{
		{"available in the end", append(amitest.Times(40, state("pending")), state("available")),
			5 * time.Minute, 182750 * time.Millisecond, ""},
		{"failed", []amitest.Step{state("pending"), state("failed")},
			time.Minute, 250 * time.Millisecond,
			"find " + idA + " in eu-west-1: " + idA + " has failed: disk broke"},
		{"too late", amitest.Times(5, state("pending")), 4 * time.Second, 4 * time.Second,
			"find " + idA + " in eu-west-1: gave up after 4s: the image is pending"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), tt.limit)
				defer cancel()
				c, log := script(t, tt.steps...)
				begun := time.Now()
				_, err := c.Await(ctx, "eu-west-1", []string{idA})
				if got := fmt.Sprint(err); got != cmp.Or(tt.want, "<nil>") {
					t.Errorf("got %s, want %q", got, tt.want)
				}
				if took := time.Since(begun); took != tt.took {
					t.Errorf("it took %s, want %s", took, tt.took)
				}
				note := "still trying after 2s: find " + idA + " in eu-west-1: the image is pending"
				if tt.took > 2*time.Second && log.notes[0] != note {
					t.Errorf("it said %q", log.notes)
				}
			})
		})
	}
}

// TestClient_Await_hidden has EC2 know nothing of an AMI, as it does for those of another account.
func TestClient_Await_hidden(t *testing.T) {
	none, empty := amitest.NotFound().On("DescribeImages"), amitest.Describe()
	busy := amitest.Throttled().On("DescribeImages")
	for _, tt := range []struct {
		name  string
		steps []amitest.Step
		took  time.Duration
		// want are parts of the error; none if there is none.
		want []string
	}{
		{"only", amitest.Times(17, none), 62750 * time.Millisecond, []string{
			"find " + idA + " in eu-west-1: for 1m3s, EC2 has not shown it to this account: InvalidAMIID.NotFound",
			"Set assume_role, profile (or access_key) and region of data \"chain-image\" as in the builder"}},
		{"empty answers too", append(amitest.Times(16, none), empty), 62750 * time.Millisecond, []string{
			"EC2 has not shown it to this account: not visible yet"}},
		{"busy in between", slices.Concat(amitest.Times(10, none), []amitest.Step{busy}, amitest.Times(10, none),
			[]amitest.Step{look(amitest.Image{ID: idA})}), 87750 * time.Millisecond, nil},
		{"seen once", slices.Concat(amitest.Times(10, none), []amitest.Step{state("pending")}, amitest.Times(10, none),
			[]amitest.Step{look(amitest.Image{ID: idA})}), 87750 * time.Millisecond, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
				defer cancel()
				c, _ := script(t, tt.steps...)
				begun := time.Now()
				_, err := c.Await(ctx, "eu-west-1", []string{idA})
				if took := time.Since(begun); took != tt.took {
					t.Errorf("it took %s, want %s", took, tt.took)
				}
				if tt.want == nil && err != nil {
					t.Error(err)
				}
				for _, want := range tt.want {
					if err == nil || !strings.Contains(err.Error(), want) {
						t.Errorf("got %v, want %q in it", err, want)
					}
				}
			})
		})
	}
}

// TestClient_Settled: an image that is pending is not gone, and nothing is built in its place.
func TestClient_Settled(t *testing.T) {
	of := func(state string) amitest.Step {
		return amitest.Describe(amitest.Image{ID: idA, State: state}, amitest.Image{ID: idB})
	}
	for _, tt := range []struct {
		name  string
		steps []amitest.Step
		took  time.Duration
		// want is in the error; empty for none.
		want string
	}{
		{"available in the end", append(amitest.Times(40, of("pending")), of("available")),
			182750 * time.Millisecond, ""},
		{"both at once", []amitest.Step{of("failed")}, 0, ""},
		{"too late", amitest.Times(64, of("pending")), 5 * time.Minute,
			"gave up after 5m0s: the image is pending\n\nWait until it is available"},
		{"refused", []amitest.Step{of("pending"),
			amitest.Refuse(403, "UnauthorizedOperation", "no").On("DescribeImages")},
			250 * time.Millisecond, "ec2:DescribeImages is not allowed"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
				defer cancel()
				c, _ := script(t, tt.steps...)
				begun := time.Now()
				got, err := c.Settled(ctx, "eu-west-1", []string{idA, idB}, nil)
				if took := time.Since(begun); took != tt.took {
					t.Errorf("it took %s, want %s", took, tt.took)
				}
				switch {
				case tt.want == "" && (err != nil || len(got) != 2 || slices.ContainsFunc(got, pending)):
					t.Errorf("got %v, %v; want both", got, err)
				case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
					t.Errorf("got %v, want %q in it", err, tt.want)
				}
			})
		})
	}
}

func TestClient_Settled_cutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := script(t, amitest.Step{Hang: true})
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		_, err := c.Settled(ctx, "eu-west-1", []string{idA}, nil)
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want the deadline", err)
		}
	})
}

// TestClient_throttled asks while EC2 takes no requests, more often than the SDK tries by itself.
func TestClient_throttled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, log := script(t, append(amitest.Times(15, amitest.Throttled().On("DescribeImages")),
			look(amitest.Image{ID: idA}))...)
		_, err := c.Await(t.Context(), "eu-west-1", []string{idA})
		if err != nil || len(log.waits) != 15 {
			t.Errorf("got %v after %d waits", err, len(log.waits))
		}
	})
}
