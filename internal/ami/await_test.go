// SPDX-License-Identifier: MPL-2.0

package ami

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/packer-chain/packer-plugin-chain/internal/ami/amitest"
)

// TestClient_lag has EC2 not know a new AMI for k requests, in each of the three steps of a publication.
func TestClient_lag(t *testing.T) {
	bare, full := amitest.Image{ID: idA}, amitest.Image{ID: idA, Tags: wanted}
	for k := range 21 {
		t.Run(fmt.Sprint(k), func(t *testing.T) {
			steps := slices.Concat(
				amitest.Times(k, amitest.NotFound().On("DescribeImages")), []amitest.Step{look(bare), look(bare)},
				amitest.Times(k, amitest.NotFound().On("CreateTags")), []amitest.Step{write(idA)},
				amitest.Times(k, amitest.NotFound().On("DescribeImages")), []amitest.Step{look(full)})
			c, cl := script(t, steps...)
			cl.limit = 5 * time.Minute
			if _, err := c.Await(t.Context(), "eu-west-1", []string{idA}); err != nil {
				t.Fatal(err)
			}
			if err := c.Tag(t.Context(), "eu-west-1", []string{idA}, wanted); err != nil {
				t.Fatal(err)
			}
			if len(cl.waits) != 3*k {
				t.Errorf("it waited %d times, want %d", len(cl.waits), 3*k)
			}
		})
	}
}

// TestClient_Await_pending: an artifact is published when its AMI can be used, and not when it is begun.
func TestClient_Await_pending(t *testing.T) {
	state := func(state string) amitest.Step {
		return amitest.Describe(amitest.Image{ID: idA, State: state, Reason: "disk broke"})
	}
	c, cl := script(t, append(amitest.Times(40, state("pending")), state("available"))...)
	if _, err := c.Await(t.Context(), "eu-west-1", []string{idA}); err != nil {
		t.Error(err)
	}
	if cl.spent < 2*time.Minute || !slices.ContainsFunc(cl.notes, func(note string) bool {
		return strings.HasSuffix(note, ": the image is pending")
	}) {
		t.Errorf("it waited %s, and said %q", cl.spent, cl.notes)
	}

	c, _ = script(t, state("pending"), state("failed"))
	_, err := c.Await(t.Context(), "eu-west-1", []string{idA})
	want := "find " + idA + " in eu-west-1: " + idA + " has failed: disk broke"
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}

	c, cl = script(t, amitest.Times(5, state("pending"))...)
	cl.limit = 4 * time.Second
	_, err = c.Await(t.Context(), "eu-west-1", []string{idA})
	if err == nil || !strings.HasSuffix(err.Error(), ": the image is pending") {
		t.Errorf("got %v, want what it waited for", err)
	}
}

// TestClient_Settled: an image that is pending is not gone, and nothing is built in its place.
func TestClient_Settled(t *testing.T) {
	state := func(state string) amitest.Step {
		return amitest.Describe(amitest.Image{ID: idA, State: state}, amitest.Image{ID: idB})
	}
	c, cl := script(t, append(amitest.Times(40, state("pending")), state("available"))...)
	got, err := c.Settled(t.Context(), "eu-west-1", []string{idA, idB}, nil)
	if err != nil || len(got) != 2 || pending(got[0]) || pending(got[1]) || cl.spent < 2*time.Minute {
		t.Errorf("got %v, %v after %s", got, err, cl.spent)
	}

	c, cl = script(t, state("failed"))
	if got, err := c.Settled(t.Context(), "eu-west-1", []string{idA, idB}, nil); err != nil || len(got) != 2 || cl.spent > 0 {
		t.Errorf("got %v, %v after %s; want both at once", got, err, cl.spent)
	}

	c, cl = script(t, amitest.Times(5, state("pending"))...)
	cl.limit = 4 * time.Second
	_, err = c.Settled(t.Context(), "eu-west-1", []string{idA, idB}, nil)
	if err == nil || !strings.Contains(err.Error(), "gave up after 4s: the image is pending\n\nWait until it is available") {
		t.Errorf("got %v, want that it is pending", err)
	}

	c, _ = script(t, state("pending"), amitest.Refuse(403, "UnauthorizedOperation", "no").On("DescribeImages"))
	_, err = c.Settled(t.Context(), "eu-west-1", []string{idA, idB}, nil)
	if err == nil || !strings.Contains(err.Error(), "ec2:DescribeImages is not allowed") {
		t.Errorf("got %v, want a refusal at once", err)
	}
}

func TestClient_Settled_cutOff(t *testing.T) {
	c, _ := script(t, amitest.Step{Hang: true})
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := c.Settled(ctx, "eu-west-1", []string{idA}, nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want the deadline", err)
	}
}

// TestClient_throttled asks while EC2 takes no requests, more often than the SDK tries by itself.
func TestClient_throttled(t *testing.T) {
	c, cl := script(t, append(amitest.Times(15, amitest.Throttled().On("DescribeImages")), look(amitest.Image{ID: idA}))...)
	if _, err := c.Await(t.Context(), "eu-west-1", []string{idA}); err != nil || len(cl.waits) != 15 {
		t.Errorf("got %v after %d waits", err, len(cl.waits))
	}
}
