// SPDX-License-Identifier: MPL-2.0

package parameter

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/packer-chain/packer-plugin-chain/internal/parameter/parametertest"
)

func fail(status int, code string) parametertest.Step {
	return parametertest.Step{Status: status, Code: code, Message: "no"}
}

// TestClient_Put writes idA.
func TestClient_Put(t *testing.T) {
	const about = "write parameter /images/base/production in eu-west-1: "
	slow := func(wait time.Duration) func(string) (time.Duration, bool) {
		return func(string) (time.Duration, bool) { return wait, true }
	}
	served := fail(500, "InternalServerError")
	served.Served = true
	for _, tt := range []struct {
		name string
		// before is the parameter before, if there is one.
		before parametertest.Parameter
		check  func(ami string) (time.Duration, bool)
		gets   []parametertest.Step
		puts   []parametertest.Step
		// after is the parameter afterwards.
		after parametertest.Parameter
		// writes is how often it was written.
		writes int
		took   time.Duration
		// notes are what was said, without what they begin with.
		notes []string
	}{
		{name: "created", after: image(idA, 1), writes: 1, took: 250 * time.Millisecond},
		{name: "unchanged", before: image(idA, 7), after: image(idA, 7)},
		{name: "changed", before: image(idB, 7), after: image(idA, 8), writes: 1, took: 250 * time.Millisecond},
		{name: "shown late", before: image(idB, 7), check: slow(20 * time.Second), after: image(idA, 8), writes: 1,
			// It looks after 0.25, 0.75, 1.75, 3.75, 7.75 seconds, and then every 5.
			took: 22750 * time.Millisecond, notes: slices.Repeat([]string{"SSM checks that " + idA + " exists before it shows it"}, 5)},
		{name: "created late", check: slow(3 * time.Second), after: image(idA, 1), writes: 1,
			took: 3750 * time.Millisecond, notes: []string{"SSM checks that " + idA + " exists before it shows it"}},
		{name: "throttled", before: image(idB, 7), after: image(idA, 8), writes: 4, took: 12750 * time.Millisecond,
			gets:  []parametertest.Step{fail(400, "ThrottlingException"), fail(400, "ThrottlingException")},
			puts:  []parametertest.Step{fail(400, "TooManyUpdates"), fail(500, "InternalServerError"), fail(503, "ServiceUnavailable")},
			notes: []string{"InternalServerError", "ServiceUnavailable", "SSM checks that " + idA + " exists before it shows it"}},
		{name: "response lost", before: image(idB, 7), puts: []parametertest.Step{served}, after: image(idA, 8), writes: 1,
			took: 250 * time.Millisecond},
		{name: "no response", before: image(idB, 7), gets: []parametertest.Step{{Hang: true}}, after: image(idA, 8), writes: 1,
			took:  10*time.Second + 750*time.Millisecond,
			notes: []string{"no response yet from SSM in eu-west-1", "no response yet from SSM in eu-west-1"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := parametertest.New()
				server.Check = tt.check
				if tt.before.Version > 0 {
					server.Set(region, name, tt.before)
				}
				server.Next(parametertest.Get, tt.gets...)
				server.Next(parametertest.Put, tt.puts...)
				c, said := connect(server, Options{AttemptTimeout: 10 * time.Second})
				begun := time.Now()
				changed, err := c.Put(t.Context(), region, name, idA)
				if err != nil || changed != (tt.before != tt.after) {
					t.Errorf("got %v, %v", changed, err)
				}
				if took := time.Since(begun); took != tt.took {
					t.Errorf("it took %s, want %s", took, tt.took)
				}
				if got := server.Shown(region, name); got != tt.after {
					t.Errorf("SSM shows %+v, want %+v", got, tt.after)
				}
				if n := server.Seen(region, parametertest.Put); n != tt.writes {
					t.Errorf("%d writes, want %d", n, tt.writes)
				}
				if diff := cmp.Diff(noted(about, tt.notes), said.lines); diff != "" {
					t.Errorf("notes (-want +got):\n%s", diff)
				}
			})
		})
	}
}

// noted returns whole lines of progress: after 2 seconds, then every 5.
func noted(about string, reasons []string) []string {
	var lines []string
	for i, reason := range reasons {
		after := (2*time.Second + time.Duration(i)*5*time.Second).String()
		if reason[:2] != "no" {
			reason = about + reason
		}
		lines = append(lines, "still trying after "+after+": "+reason)
	}
	return lines
}

// TestClient_Put_neverShown: SSM accepts the AMI of another account, and drops it.
func TestClient_Put_neverShown(t *testing.T) {
	for _, deadline := range []time.Duration{time.Minute, 0} {
		synctest.Test(t, func(t *testing.T) {
			server := parametertest.New()
			server.Check = func(string) (time.Duration, bool) { return 0, false }
			server.Set(region, name, image(idB, 7))
			c, _ := connect(server, Options{})
			ctx, took := t.Context(), "5m0s"
			if deadline > 0 {
				limited, cancel := context.WithTimeout(ctx, deadline)
				defer cancel()
				ctx, took = limited, "1m0s"
			}
			changed, err := c.Put(ctx, region, name, idA)
			want := "write parameter /images/base/production in eu-west-1: gave up after " + took + ": SSM accepted " +
				idA + " but does not show it: is it available in this region and visible to this account?\n\n" +
				"SSM checks an AMI with the credentials of the request, and says nothing if they lack ec2:DescribeImages."
			if err == nil || err.Error() != want || !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v, want %s", err, want)
			}
			if !changed || server.Seen(region, parametertest.Put) != 1 {
				t.Errorf("changed is %v after %d writes", changed, server.Seen(region, parametertest.Put))
			}
		})
	}
}

// TestClient_Put_others: somebody else writes while SSM still checks ours, which has version 8.
func TestClient_Put_others(t *testing.T) {
	for _, tt := range []struct {
		name   string
		others parametertest.Parameter
		after  parametertest.Parameter
		writes int
		took   time.Duration
	}{
		{"later", image(idC, 9), image(idC, 9), 1, 3750 * time.Millisecond},
		{"the same later", image(idA, 9), image(idA, 9), 1, 3750 * time.Millisecond},
		// Ours has lost its version, and is written again.
		{"in the same version", image(idC, 8), image(idA, 9), 2, 17750 * time.Millisecond},
		// Ours is still to come.
		{"before", parametertest.Parameter{Value: idC, Type: "String", DataType: parametertest.Image, Version: 7},
			image(idA, 8), 1, 12750 * time.Millisecond},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := parametertest.New()
				server.Check = func(string) (time.Duration, bool) { return 10 * time.Second, true }
				server.Set(region, name, image(idB, 7))
				c, _ := connect(server, Options{})
				begun := time.Now()
				var end time.Time
				done := make(chan error)
				go func() {
					_, err := c.Put(t.Context(), region, name, idA)
					end = time.Now()
					done <- err
				}()
				time.Sleep(3 * time.Second)
				server.Set(region, name, tt.others)
				if err := <-done; err != nil {
					t.Error(err)
				}
				if took := end.Sub(begun); took != tt.took {
					t.Errorf("it took %s, want %s", took, tt.took)
				}
				if got := server.Shown(region, name); got != tt.after {
					t.Errorf("SSM shows %+v, want %+v", got, tt.after)
				}
				if n := server.Seen(region, parametertest.Put); n != tt.writes {
					t.Errorf("%d writes, want %d", n, tt.writes)
				}
			})
		})
	}
}

// TestClient_Put_createdMeanwhile: a parameter that did not exist a moment ago is not overwritten
// before it was looked at.
func TestClient_Put_createdMeanwhile(t *testing.T) {
	for _, tt := range []struct {
		others  parametertest.Parameter
		writes  int
		refused bool
	}{
		{image(idB, 1), 2, false},
		{parametertest.Parameter{Value: "secret", Type: "SecureString", DataType: "text", Version: 1}, 1, true},
	} {
		synctest.Test(t, func(t *testing.T) {
			server := parametertest.New()
			server.Set(region, name, tt.others)
			server.Next(parametertest.Get, fail(400, "ParameterNotFound"))
			c, _ := connect(server, Options{})
			_, err := c.Put(t.Context(), region, name, idA)
			want := image(idA, 2)
			if tt.refused {
				want = tt.others
			}
			if got := server.Shown(region, name); got != want || (err != nil) != tt.refused {
				t.Errorf("SSM shows %+v, want %+v; error %v", got, want, err)
			}
			if n := server.Seen(region, parametertest.Put); n != tt.writes {
				t.Errorf("%d writes, want %d", n, tt.writes)
			}
		})
	}
}
