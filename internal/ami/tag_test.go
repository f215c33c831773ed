// SPDX-License-Identifier: MPL-2.0

package ami

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"

	"github.com/packer-chain/packer-plugin-chain/internal/ami/amitest"
)

var wanted = map[string]string{"chain:image": "base", "chain:git-sha": "4f1c9e2"}

func look(images ...amitest.Image) amitest.Step {
	return amitest.Step{Want: map[string]string{"Action": "DescribeImages", "ImageId.1": idA}, Body: amitest.Page("", images...)}
}

func write(ids ...string) amitest.Step {
	want := map[string]string{"Action": "CreateTags", "Tag.1.Key": "chain:git-sha", "Tag.1.Value": "4f1c9e2",
		"Tag.2.Key": "chain:image", "Tag.2.Value": "base", fmt.Sprintf("ResourceId.%d", len(ids)+1): ""}
	for i, id := range ids {
		want[fmt.Sprintf("ResourceId.%d", i+1)] = id
	}
	return amitest.Step{Want: want, Body: amitest.Tagged}
}

func again(n int, s amitest.Step) []amitest.Step {
	steps := make([]amitest.Step, n)
	for i := range steps {
		steps[i] = s
	}
	return steps
}

func TestClient_Tag(t *testing.T) {
	bare := amitest.Image{ID: idA, Tags: map[string]string{"chain:image": "old"}}
	full := amitest.Image{ID: idA, Tags: map[string]string{"chain:image": "base", "chain:git-sha": "4f1c9e2", "x": "y"}}
	notFound := amitest.Refuse(400, "InvalidAMIID.NotFound", "The image id does not exist")
	tests := []struct {
		name  string
		ids   []string
		steps []amitest.Step
	}{
		{name: "at once", steps: []amitest.Step{look(bare), write(idA), look(full)}},
		{name: "another value", steps: []amitest.Step{
			look(amitest.Image{ID: idA, Tags: map[string]string{"chain:image": "base", "chain:git-sha": "old"}}),
			write(idA), look(full)}},
		{name: "has them already", steps: []amitest.Step{look(full)}},
		{name: "image and snapshot in one call", ids: []string{"snap-0a1b2c3d", idA},
			steps: []amitest.Step{look(bare), write(idA, "snap-0a1b2c3d"), look(full)}},
		{name: "only the snapshot lacks them", ids: []string{idA, "snap-0a1b2c3d"},
			steps: []amitest.Step{look(full), write("snap-0a1b2c3d")}},
		{name: "only snapshots", ids: []string{"snap-0a1b2c3d"}, steps: []amitest.Step{write("snap-0a1b2c3d")}},
		{name: "one of two images", ids: []string{idA, idB}, steps: []amitest.Step{
			look(full, amitest.Image{ID: idB}), write(idB), look(full, amitest.Image{ID: idB, Tags: wanted})}},
		{name: "not shown yet", steps: []amitest.Step{look(), write(idA), look(), look(bare), look(full)}},
		{name: "not known yet", steps: append(append([]amitest.Step{notFound.On("DescribeImages")},
			again(20, notFound.On("CreateTags"))...), write(idA), notFound.On("DescribeImages"), look(full))},
		{name: "snapshot not known yet", ids: []string{"snap-0a1b2c3d"}, steps: []amitest.Step{
			amitest.Refuse(400, "InvalidSnapshot.NotFound", "").On("CreateTags"), write("snap-0a1b2c3d")}},
		{name: "throttled", steps: []amitest.Step{look(bare), amitest.Refuse(503, "RequestLimitExceeded", "").On("CreateTags"),
			amitest.Refuse(400, "Throttling", "").On("CreateTags"), amitest.Refuse(400, "ThrottlingException", "").On("CreateTags"),
			write(idA), amitest.Refuse(503, "RequestLimitExceeded", "").On("DescribeImages"), look(full)}},
		{name: "server errors", steps: []amitest.Step{amitest.Step{Status: 500, Body: "<html>"}.On("DescribeImages"),
			amitest.Step{Status: 502, Body: "bad gateway"}.On("CreateTags"), amitest.Step{Status: 520, Body: "?"}.On("CreateTags"),
			amitest.Refuse(500, "InternalError", "").On("CreateTags"),
			amitest.Refuse(400, "InvalidAMIID.Unavailable", "").On("CreateTags"), write(idA), look(full)}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.ids == nil {
				tt.ids = []string{idA}
			}
			synctest.Test(t, func(t *testing.T) {
				c, _ := script(t, tt.steps...)
				if err := c.Tag(t.Context(), "eu-west-1", tt.ids, wanted); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

func TestClient_Tag_refused(t *testing.T) {
	crowded := amitest.Image{ID: idA, Tags: map[string]string{"chain:image": "base"}}
	for i := range 48 {
		crowded.Tags[fmt.Sprintf("k%d", i)] = ""
	}
	const where = "tag " + idA + " in eu-west-1: "
	tests := []struct {
		name  string
		ids   []string
		steps []amitest.Step
		want  []string
	}{
		{name: "look denied", steps: []amitest.Step{amitest.Refuse(403, "UnauthorizedOperation", "no").On("DescribeImages")},
			want: []string{where + "ec2:DescribeImages is not allowed", "need ec2:DescribeImages in eu-west-1"}},
		{name: "write denied", steps: []amitest.Step{look(), amitest.Refuse(403, "UnauthorizedOperation", "no").On("CreateTags")},
			want: []string{where + "ec2:CreateTags is not allowed", "\n\nThe credentials need ec2:CreateTags in eu-west-1."}},
		{name: "denied after a retry", steps: []amitest.Step{look(), amitest.Refuse(503, "RequestLimitExceeded", "").On("CreateTags"),
			amitest.Refuse(403, "UnauthorizedOperation", "no").On("CreateTags")}, want: []string{"ec2:CreateTags is not allowed"}},
		{name: "expired", steps: []amitest.Step{look(), amitest.Refuse(400, "ExpiredToken", "old").On("CreateTags")},
			want: []string{"\n\nThe credentials have expired"}},
		{name: "tag policy", steps: []amitest.Step{look(),
			amitest.Refuse(400, "TagPolicyViolation", "env must be prod or dev").On("CreateTags")},
			want: []string{"env must be prod or dev", "\n\nA tag policy of the organization refuses the tags."}},
		{name: "limit", steps: []amitest.Step{look(crowded), amitest.Refuse(400, "TagLimitExceeded", "over").On("CreateTags")},
			want: []string{"A resource can have 50 tags. " + idA + " in eu-west-1 has 49 already; of the new ones " +
				"these are missing: chain:git-sha."}},
		{name: "limit of a snapshot", ids: []string{"snap-0a1b2c3d"}, steps: []amitest.Step{
			amitest.Refuse(400, "TagLimitExceeded", "over").On("CreateTags")},
			want: []string{"These did not fit: chain:git-sha, chain:image"}},
		{name: "not an id", ids: []string{"i-0a1b2c3d"},
			want: []string{`tag "i-0a1b2c3d" in eu-west-1: not the id of an AMI or a snapshot`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.ids == nil {
				tt.ids = []string{idA}
			}
			synctest.Test(t, func(t *testing.T) {
				c, _ := script(t, tt.steps...)
				err := c.Tag(t.Context(), "eu-west-1", tt.ids, wanted)
				for _, want := range tt.want {
					if err == nil || !strings.Contains(err.Error(), want) {
						t.Errorf("got %v\nwant %q in it", err, want)
					}
				}
				if errors.Is(err, ErrNotVisible) {
					t.Errorf("a refusal counts as written: %v", err)
				}
			})
		})
	}
}

func TestClient_Tag_deadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// With the whole of each back-off it asks after 0, 0.25, 0.75, 1.75, 3.75 and 7.75 s.
		busy := amitest.Refuse(503, "RequestLimitExceeded", "too many").On("CreateTags")
		c, log := scriptWith(t, Options{MaxRetries: 3}, append([]amitest.Step{look()}, again(6, busy)...)...)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		err := c.Tag(ctx, "eu-west-1", []string{idA}, wanted)
		if err == nil || !strings.Contains(err.Error(), "gave up after 10s: ") ||
			!strings.Contains(err.Error(), "RequestLimitExceeded: too many") {
			t.Errorf("got %v, want how long it took and the last error", err)
		}
		if errors.Is(err, ErrNotVisible) {
			t.Errorf("got %v, but nothing was written", err)
		}
		want := []time.Duration{250 * time.Millisecond, 500 * time.Millisecond, time.Second,
			2 * time.Second, 4 * time.Second, 5 * time.Second}
		if diff := cmp.Diff(want, log.waits); diff != "" {
			t.Error(diff)
		}
	})
}

func TestClient_Tag_cutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := script(t, look(),
			amitest.Refuse(400, "InvalidAMIID.NotFound", "no such image").On("CreateTags"),
			amitest.Step{Hang: true})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err := c.Tag(ctx, "eu-west-1", []string{idA}, wanted)
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "no such image") {
			t.Errorf("got %v, want the deadline and the last answer of EC2", err)
		}
	})
}

func TestClient_Tag_neverVisible(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := script(t, look(), write(idA), look(), look())
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(500*time.Millisecond, cancel)
		err := c.Tag(ctx, "eu-west-1", []string{idA}, wanted)
		if !errors.Is(err, ErrNotVisible) || !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want ErrNotVisible and why it ended", err)
		}
	})
}

// WriteTags is for many regions and images, which are waited for together, by AwaitTags.
func TestClient_WriteTags(t *testing.T) {
	bare, full := amitest.Image{ID: idA}, amitest.Image{ID: idA, Tags: wanted}
	busy := amitest.Refuse(503, "RequestLimitExceeded", "too many")
	for name, tt := range map[string]struct {
		ids   []string
		known []Image
		steps []amitest.Step
	}{
		"does not wait until they are visible": {steps: []amitest.Step{look(bare), write(idA)}},
		"not shown yet":                        {steps: []amitest.Step{look(), write(idA)}},
		"has them already":                     {steps: []amitest.Step{look(full)}},
		"known to lack them":                   {known: []Image{{ID: idA}}, steps: []amitest.Step{write(idA)}},
		"known to have them":                   {known: []Image{{ID: idA, Tags: wanted}}},
		"with a snapshot":                      {ids: []string{idA, "snap-0a1b2c3d"}, steps: []amitest.Step{look(bare), write(idA, "snap-0a1b2c3d")}},
		"throttled":                            {steps: []amitest.Step{look(bare), busy.On("CreateTags"), write(idA)}},
		"nothing to tag":                       {ids: []string{}},
	} {
		t.Run(name, func(t *testing.T) {
			if tt.ids == nil {
				tt.ids = []string{idA}
			}
			synctest.Test(t, func(t *testing.T) {
				c, _ := script(t, tt.steps...)
				if err := c.WriteTags(t.Context(), "eu-west-1", tt.ids, wanted, tt.known...); err != nil {
					t.Error(err)
				}
			})
		})
	}
	synctest.Test(t, func(t *testing.T) {
		c, _ := script(t, look(), amitest.Refuse(403, "UnauthorizedOperation", "no").On("CreateTags"))
		err := c.WriteTags(t.Context(), "eu-west-1", []string{idA}, wanted)
		if want := "tag " + idA + " in eu-west-1: ec2:CreateTags is not allowed"; err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	})
}

func TestClient_AwaitTags(t *testing.T) {
	bare, full := amitest.Image{ID: idA}, amitest.Image{ID: idA, Tags: wanted}
	busy := amitest.Refuse(503, "RequestLimitExceeded", "too many")
	for name, tt := range map[string]struct {
		ids   []string
		steps []amitest.Step
	}{
		"visible":             {steps: []amitest.Step{look(full)}},
		"not yet":             {steps: []amitest.Step{look(), look(bare), look(full)}},
		"throttled":           {steps: []amitest.Step{busy.On("DescribeImages"), look(full)}},
		"only snapshots":      {ids: []string{"snap-0a1b2c3d"}},
		"nothing to wait for": {ids: []string{}},
	} {
		t.Run(name, func(t *testing.T) {
			if tt.ids == nil {
				tt.ids = []string{idA}
			}
			synctest.Test(t, func(t *testing.T) {
				c, _ := script(t, tt.steps...)
				if err := c.AwaitTags(t.Context(), "eu-west-1", tt.ids, wanted); err != nil {
					t.Error(err)
				}
			})
		})
	}
	synctest.Test(t, func(t *testing.T) {
		c, _ := script(t, look(), look(bare))
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(500*time.Millisecond, cancel)
		if err := c.AwaitTags(ctx, "eu-west-1", []string{idA}, wanted); !errors.Is(err, ErrNotVisible) || !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want ErrNotVisible and why it ended", err)
		}
	})
}

func TestClient_Tag_notes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lost := amitest.Refuse(400, "InvalidAMIID.NotFound", "no such image").On("CreateTags")
		steps := append([]amitest.Step{look()}, again(8, lost)...)
		c, log := script(t, append(steps, write(idA), look(amitest.Image{ID: idA, Tags: wanted}))...)
		if err := c.Tag(t.Context(), "eu-west-1", []string{idA}, wanted); err != nil {
			t.Fatal(err)
		}
		// It asks after 0, 0.25, 0.75, 1.75, 3.75, 7.75, 12.75, 17.75 and 22.75 s.
		var want []string
		for _, s := range []string{"2s", "7s", "12s", "17s", "22s"} {
			want = append(want,
				"still trying after "+s+": tag "+idA+" in eu-west-1: InvalidAMIID.NotFound")
		}
		if diff := cmp.Diff(want, log.notes); diff != "" {
			t.Error(diff)
		}
	})
}

func TestRetryable(t *testing.T) {
	for code, want := range map[string]bool{
		"InvalidAMIID.NotFound": true, "InvalidAMIID.Unavailable": true, "InvalidSnapshot.NotFound": true,
		"RequestLimitExceeded": true, "Throttling": true, "ThrottlingFoo": true, "Unavailable": true,
		"InvalidAMIID.Malformed": false, "UnauthorizedOperation": false, "TagLimitExceeded": false, "": false,
		"RequestExpired": false, "TagPolicyViolation": false, "InvalidParameterValue": false,
	} {
		if got := retryable(fmt.Errorf("call: %w", &smithy.GenericAPIError{Code: code})); got != want {
			t.Errorf("%q: got %v, want %v", code, got, want)
		}
	}
	for _, err := range []error{nil, &smithy.CanceledError{Err: context.DeadlineExceeded}, errors.New("x")} {
		if retryable(err) {
			t.Errorf("%v is tried again", err)
		}
	}
	if !retryable(&attemptError{time.Second}) {
		t.Error("a request without an answer is not tried again")
	}
}
