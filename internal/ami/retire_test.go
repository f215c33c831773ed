// SPDX-License-Identifier: MPL-2.0

package ami

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/packer-chain/packer-plugin-chain/internal/ami/amitest"
)

// In synctest it is midnight on 2000-01-01, to the nanosecond.
func deprecated(at string) amitest.Step { return look(amitest.Image{ID: idA, Deprecated: at}) }

func TestClient_Deprecate(t *testing.T) {
	begin := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	enable := func(at string) amitest.Step {
		return amitest.Done("EnableImageDeprecation", "ImageId", idA, "DeprecateAt", at)
	}
	remove := amitest.Done("DisableImageDeprecation", "ImageId", idA, "DeprecateAt", "")
	const soon, later = "2000-01-01T00:02:00.000Z", "2000-01-01T01:00:00.000Z"
	for name, tt := range map[string]struct {
		at    time.Time
		steps []amitest.Step
	}{
		"now": {begin, []amitest.Step{deprecated(""), enable("2000-01-01T00:02:00Z"), deprecated(soon)}},
		"in the past": {begin.Add(-time.Hour), []amitest.Step{
			deprecated(later), enable("2000-01-01T00:02:00Z"), deprecated(soon)}},
		"too soon": {begin.Add(61 * time.Second), []amitest.Step{
			deprecated(""), enable("2000-01-01T00:02:00Z"), deprecated(soon)}},
		"later": {begin.Add(time.Hour), []amitest.Step{deprecated(""), enable("2000-01-01T01:00:00Z"), deprecated(later)}},
		"later, in another zone, rounded": {begin.Add(59*time.Minute + 31*time.Second).In(time.FixedZone("", 3600)), []amitest.Step{
			deprecated(""), enable("2000-01-01T01:00:00Z"), deprecated(later)}},
		"another time":    {begin.Add(time.Hour), []amitest.Step{deprecated(soon), enable("2000-01-01T01:00:00Z"), deprecated(later)}},
		"so already":      {begin.Add(time.Hour + 29*time.Second), []amitest.Step{deprecated(later)}},
		"long deprecated": {begin, []amitest.Step{deprecated("1999-12-31T23:00:00.000Z")}},
		"soon deprecated": {begin, []amitest.Step{deprecated(soon)}},
		"removed":         {time.Time{}, []amitest.Step{deprecated(later), remove, deprecated("")}},
		"never was":       {time.Time{}, []amitest.Step{deprecated("")}},
		"not shown yet": {begin.Add(time.Hour), []amitest.Step{
			deprecated(""), enable("2000-01-01T01:00:00Z"), deprecated(""), amitest.NotFound().On("DescribeImages"), look(), deprecated(later)}},
		"throttled": {begin.Add(time.Hour), []amitest.Step{amitest.Throttled().On("DescribeImages"), deprecated(""),
			amitest.Throttled().On("EnableImageDeprecation"), enable("2000-01-01T01:00:00Z"),
			amitest.Throttled().On("DescribeImages"), deprecated(later)}},
		// The earliest time is that of the attempt which EC2 accepts, after 0, 0.25, 0.75, 1.75, 3.75,
		// 7.75, 12.75 seconds and so on.
		"now, but throttled for a minute": {begin, append(append([]amitest.Step{deprecated("")},
			amitest.Times(16, amitest.Throttled().On("EnableImageDeprecation"))...),
			enable("2000-01-01T00:03:00Z"), deprecated("2000-01-01T00:03:00.000Z"))},
		"removed, but throttled": {time.Time{}, []amitest.Step{deprecated(later),
			amitest.Throttled().On("DisableImageDeprecation"), remove, deprecated(later), deprecated("")}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, _ := script(t, tt.steps...)
				if err := c.Deprecate(t.Context(), "eu-west-1", idA, tt.at); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

func TestClient_Disable(t *testing.T) {
	disable := amitest.Done("DisableImage", "ImageId", idA)
	enable := amitest.Done("EnableImage", "ImageId", idA)
	on, off := state("available"), state("disabled")
	for name, tt := range map[string]struct {
		run   func(*Client, context.Context, string, string) error
		steps []amitest.Step
	}{
		"disable":          {(*Client).Disable, []amitest.Step{on, disable, off}},
		"disabled already": {(*Client).Disable, []amitest.Step{off}},
		"not shown yet":    {(*Client).Disable, []amitest.Step{on, disable, on, look(), amitest.NotFound().On("DescribeImages"), off}},
		"throttled": {(*Client).Disable, []amitest.Step{amitest.Throttled().On("DescribeImages"), on,
			amitest.Throttled().On("DisableImage"), disable, amitest.Throttled().On("DescribeImages"), off}},
		"enable":             {(*Client).Enable, []amitest.Step{off, enable, on}},
		"enabled already":    {(*Client).Enable, []amitest.Step{on}},
		"enabled, not shown": {(*Client).Enable, []amitest.Step{off, enable, off, on}},
		"enable, throttled":  {(*Client).Enable, []amitest.Step{off, amitest.Throttled().On("EnableImage"), enable, on}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, _ := script(t, tt.steps...)
				if err := tt.run(c, t.Context(), "eu-west-1", idA); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

func TestClient_retire_refused(t *testing.T) {
	deprecate := func(c *Client, ctx context.Context, region, id string) error {
		return c.Deprecate(ctx, region, id, time.Now().Add(time.Hour))
	}
	undeprecate := func(c *Client, ctx context.Context, region, id string) error {
		return c.Deprecate(ctx, region, id, time.Time{})
	}
	denied := func(action string) amitest.Step {
		return amitest.Refuse(403, "UnauthorizedOperation", "no").On(action)
	}
	on, off := state("available"), state("disabled")
	const where, late = " " + idA + " in eu-west-1: ", "gave up after 10s: EC2 accepted it, but still shows "
	was := deprecated("2000-01-01T01:00:00.000Z")
	for name, tt := range map[string]struct {
		run   func(*Client, context.Context, string, string) error
		steps []amitest.Step
		want  string
	}{
		"look denied":        {(*Client).Disable, []amitest.Step{denied("DescribeImages")}, "disable" + where + "ec2:DescribeImages is not allowed"},
		"disable denied":     {(*Client).Disable, []amitest.Step{on, denied("DisableImage")}, "disable" + where + "ec2:DisableImage is not allowed"},
		"enable denied":      {(*Client).Enable, []amitest.Step{off, denied("EnableImage")}, "enable" + where + "ec2:EnableImage is not allowed"},
		"deprecate denied":   {deprecate, []amitest.Step{on, denied("EnableImageDeprecation")}, "deprecate" + where + "ec2:EnableImageDeprecation is not allowed"},
		"undeprecate denied": {undeprecate, []amitest.Step{was, denied("DisableImageDeprecation")}, "remove the deprecation of" + where + "ec2:DisableImageDeprecation is not allowed"},
		"gone":               {(*Client).Disable, []amitest.Step{amitest.NotFound().On("DescribeImages")}, "disable" + where + "it does not exist: "},
		"gone, not shown":    {(*Client).Enable, []amitest.Step{look()}, "enable" + where + "it does not exist"},
		"never disabled":     {(*Client).Disable, append([]amitest.Step{on, amitest.Done("DisableImage")}, amitest.Times(6, on)...), "disable" + where + late + "it as available"},
		"never enabled":      {(*Client).Enable, append([]amitest.Step{off, amitest.Done("EnableImage")}, amitest.Times(6, off)...), "enable" + where + late + "it as disabled"},
		"never deprecated": {deprecate, append([]amitest.Step{on, amitest.Done("EnableImageDeprecation")}, amitest.Times(6, on)...),
			"deprecate" + where + late + "no deprecation"},
		"deprecated for ever": {undeprecate, append([]amitest.Step{was, amitest.Done("DisableImageDeprecation")}, amitest.Times(6, was)...),
			"remove the deprecation of" + where + late + "deprecation at 2000-01-01T01:00:00Z"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, log := script(t, tt.steps...)
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				defer cancel()
				err := tt.run(c, ctx, "eu-west-1", idA)
				if err == nil || !strings.HasPrefix(err.Error(), tt.want) {
					t.Errorf("got %v\nwant %s", err, tt.want)
				}
				waited := strings.Contains(tt.want, late)
				if errors.Is(err, context.DeadlineExceeded) != waited || (len(log.notes) > 0) != waited {
					t.Errorf("got %v, after it said %q", err, log.notes)
				}
			})
		})
	}
	synctest.Test(t, func(t *testing.T) {
		c, _ := script(t, on, amitest.Refuse(400, "AuthFailure", "Not authorized for image:"+idA).On("DisableImage"))
		err := c.Disable(t.Context(), "eu-west-1", idA)
		if err == nil || !strings.HasSuffix(err.Error(), "\n\nIt belongs to another account, and only that account can change it.") {
			t.Errorf("got %v", err)
		}
	})
}
