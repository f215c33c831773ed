// SPDX-License-Identifier: MPL-2.0

package ami

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/packer-chain/packer-plugin-chain/internal/ami/amitest"
)

const (
	idA = "ami-0a1b2c3d4e5f60718"
	idB = "ami-0b1b2c3d4e5f60718"
	idC = "ami-0c1b2c3d4e5f60718"
)

func TestClient_ByID(t *testing.T) {
	c, _ := script(t,
		amitest.Step{
			Want: map[string]string{
				"Action": "DescribeImages", "Filter.1.Name": "image-id", "Filter.1.Value.1": idA,
				"Filter.1.Value.2": idB, "Filter.1.Value.3": idC, "Owner.1": "self", "MaxResults": "1000",
				"IncludeDeprecated": "true", "IncludeDisabled": "true",
			},
			Absent: []string{"ImageId.1", "NextToken", "Filter.1.Value.4"},
			Body: amitest.Page("page-2", amitest.Image{
				ID: idA, Name: "base", State: "pending", Created: "2026-05-01T10:00:00.000Z",
				Deprecated: "2028-05-01T10:00:00.000Z", Tags: map[string]string{"a": "<b>"},
				Snapshots: []string{"snap-1", "snap-2"}, Root: "/dev/sdc",
			}),
		},
		amitest.Step{
			Want: map[string]string{"NextToken": "page-2", "Owner.1": "self", "Filter.1.Value.1": idA},
			Body: amitest.Page("", amitest.Image{ID: idB, State: "disabled", Arch: "arm64",
				Snapshots: []string{"snap-3"}, Root: "/dev/sdb", Created: "2026-05-02T10:00:00.000Z"}),
		},
	)
	got, err := c.ByID(t.Context(), "eu-west-1", []string{idC, idA, idB, idA}, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := []Image{{
		ID: idB, Region: "eu-west-1", Architecture: "arm64", Owner: "123456789012", State: "disabled",
		CreatedAt: time.Date(2026, 5, 2, 10, 0, 0, 0, time.UTC), Tags: map[string]string{},
		Snapshots: []string{"snap-3"},
	}, {
		ID: idA, Name: "base", Region: "eu-west-1", Architecture: "x86_64", Owner: "123456789012",
		State: "pending", CreatedAt: time.Date(2026, 5, 1, 10, 0, 0, 0, time.UTC),
		DeprecatedAt: time.Date(2028, 5, 1, 10, 0, 0, 0, time.UTC),
		Tags:         map[string]string{"a": "<b>"}, Snapshots: []string{"snap-1", "snap-2"},
		RootSnapshot: "snap-2",
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestClient_ByID_many checks that the reason is not behind hundreds of names.
func TestClient_ByID_many(t *testing.T) {
	var ids []string
	for i := range 200 {
		ids = append(ids, fmt.Sprintf("ami-%08x", i))
	}
	c, _ := script(t, amitest.Refuse(403, "UnauthorizedOperation", "no"))
	_, err := c.ByID(t.Context(), "eu-west-1", ids, nil)
	if err == nil || !strings.HasPrefix(err.Error(), "find ami-00000000, ami-00000001, ami-00000002 and 197 more in eu-west-1: ") {
		t.Errorf("got %v", err)
	}
}

func TestClient_ByID_chunks(t *testing.T) {
	var ids []string
	for i := range 201 {
		ids = append(ids, fmt.Sprintf("ami-%08x", i))
	}
	c, _ := script(t,
		amitest.Step{Want: map[string]string{"Filter.1.Value.200": "ami-000000c7", "Filter.1.Value.201": ""}, Body: amitest.Page("")},
		amitest.Step{Want: map[string]string{"Filter.1.Value.1": "ami-000000c8"}, Body: amitest.Page("", amitest.Image{ID: "ami-000000c8"})},
	)
	got, err := c.ByID(t.Context(), "eu-west-1", ids, []string{"self"})
	if err != nil || len(got) != 1 {
		t.Errorf("got %v, %v; want the image of the second request", got, err)
	}
}

func TestClient_ByTags(t *testing.T) {
	tags := map[string]string{"chain:git-sha": `4f*c?\x`, "env": "prod"}
	match := func(id, created string) amitest.Image {
		return amitest.Image{ID: id, Created: created, Arch: "arm64", Tags: tags}
	}
	other := match(idA, "2026-05-09T00:00:00.000Z")
	other.Tags = map[string]string{"chain:git-sha": `4f1c9\x`, "env": "prod"}
	pending := match(idA, "2026-05-09T00:00:00.000Z")
	pending.State = "pending"
	wrongArch := match(idA, "2026-05-09T00:00:00.000Z")
	wrongArch.Arch = "x86_64"
	c, _ := script(t,
		amitest.Step{
			Want: map[string]string{
				"Action": "DescribeImages", "Owner.1": "210987654321", "Owner.2": "self", "MaxResults": "1000",
				"Filter.1.Name": "state", "Filter.1.Value.1": "available",
				"Filter.2.Name": "architecture", "Filter.2.Value.1": "arm64",
				"Filter.3.Name": "tag:chain:git-sha", "Filter.3.Value.1": `4f*c??x`,
				"Filter.4.Name": "tag:env", "Filter.4.Value.1": "prod",
			},
			Body: amitest.Page("2", other, pending, match(idB, "2026-05-01T00:00:00.000Z")),
		},
		amitest.Step{Want: map[string]string{"NextToken": "2"},
			Body: amitest.Page("", wrongArch, match(idC, "2026-05-01T00:00:00.000Z"))},
	)
	got, err := c.ByTags(t.Context(), "eu-west-1",
		Query{Owners: []string{"210987654321", "self"}, Tags: tags, Architecture: "arm64"})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{idC, idB}, idsOf(got)); diff != "" {
		t.Errorf("only exact matches, newest first: %s", diff)
	}
}

func TestClient_find_errors(t *testing.T) {
	const where = "find " + idA + " in eu-west-1: "
	tests := []struct {
		name   string
		answer amitest.Step
		want   []string
	}{
		{name: "denied", answer: amitest.Refuse(403, "UnauthorizedOperation", "You are not authorized."),
			want: []string{where + "ec2:DescribeImages is not allowed: ", "You are not authorized.",
				"\n\nThe credentials need ec2:DescribeImages in eu-west-1."}},
		{name: "region off", answer: amitest.Refuse(401, "AuthFailure", "not able to validate"),
			want: []string{where, "\n\nThe region eu-west-1 is not enabled for this account or does not exist, or"}},
		{name: "opt in", answer: amitest.Refuse(403, "OptInRequired", "subscribe"),
			want: []string{"\n\nThe region eu-west-1 is not enabled for this account or does not exist"}},
		{name: "expired", answer: amitest.Refuse(400, "RequestExpired", "Request has expired."),
			want: []string{"\n\nThe credentials have expired"}},
		{name: "page of HTML", answer: amitest.Step{Status: 500, Body: "<html>oops"}, want: []string{where, "500"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, _ := script(t, tt.answer)
			_, err := c.ByID(t.Context(), "eu-west-1", []string{idA}, nil)
			for _, want := range tt.want {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("got %v\nwant %q in it", err, want)
				}
			}
		})
	}
}

func TestClient_find_refuses(t *testing.T) {
	c, _ := script(t)
	_, err := c.ByID(t.Context(), "eu-west-1", []string{"ami-*"}, nil)
	if want := `find "ami-*" in eu-west-1: not the id of an AMI`; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	_, err = c.ByTags(t.Context(), "eu-west-1", Query{})
	if err == nil || !strings.Contains(err.Error(), "at least one tag is required") {
		t.Errorf("got %v, want a demand for tags", err)
	}
	_, err = c.ByID(t.Context(), "", []string{idA}, nil)
	if err == nil || !strings.Contains(err.Error(), "region is required") {
		t.Errorf("got %v, want a demand for a region", err)
	}
	if got, err := c.ByID(t.Context(), "eu-west-1", nil, nil); err != nil || len(got) != 0 {
		t.Errorf("no ids: got %v, %v", got, err)
	}
}

func TestClient_find_samePageForEver(t *testing.T) {
	c, _ := script(t, amitest.Step{Body: amitest.Page("x")}, amitest.Step{Body: amitest.Page("x")})
	_, err := c.ByID(t.Context(), "eu-west-1", []string{idA}, nil)
	if err == nil || !strings.Contains(err.Error(), "same page again") {
		t.Errorf("got %v", err)
	}
}

func TestClient_find_retries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := scriptWith(t, Options{MaxRetries: 2, AttemptTimeout: 100 * time.Millisecond},
			amitest.Step{Hang: true}, amitest.Refuse(503, "Unavailable", "later"), amitest.Step{Body: amitest.Page("", amitest.Image{ID: idA})})
		got, err := c.ByID(t.Context(), "eu-west-1", []string{idA}, nil)
		if err != nil || len(got) != 1 {
			t.Errorf("got %v, %v; want one image after a request without an answer and a 503", got, err)
		}
	})
}

func TestClient_find_hangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := scriptWith(t, Options{AttemptTimeout: 50 * time.Millisecond}, amitest.Step{Hang: true})
		_, err := c.ByID(t.Context(), "eu-west-1", []string{idA}, nil)
		if err == nil || !strings.Contains(err.Error(), "no response within 50ms") {
			t.Errorf("got %v, want that there was no answer", err)
		}
	})
}

func TestClient_Explain(t *testing.T) {
	const gone = "is gone or not visible: it was deregistered or never existed, is not shared with this " +
		"account, or is excluded by the account's Allowed AMIs setting"
	image := amitest.Image{ID: idA, Arch: "arm64"}
	tests := []struct {
		name   string
		answer amitest.Step
		owners []string
		// self is the answer to whether the image belongs to this account, if that is asked.
		self []amitest.Step
		want string
	}{
		{name: "empty list", answer: amitest.Step{Body: amitest.Page("")}, want: gone},
		{name: "not found", answer: amitest.Refuse(400, "InvalidAMIID.NotFound", "no"), want: gone},
		{name: "unavailable", answer: amitest.Refuse(400, "InvalidAMIID.Unavailable", "no"), want: gone},
		{name: "malformed", answer: amitest.Refuse(400, "InvalidAMIID.Malformed", "no"), want: "is not the id of an AMI"},
		{name: "pending", answer: amitest.Step{Body: amitest.Page("", amitest.Image{State: "pending"})}, want: "is pending"},
		{name: "disabled", answer: amitest.Step{Body: amitest.Page("", amitest.Image{State: "disabled"})}, want: "is disabled"},
		{name: "failed", answer: amitest.Step{Body: amitest.Page("", amitest.Image{State: "failed", Reason: "disk broke"})},
			want: "has failed: disk broke"},
		{name: "deregistered", answer: amitest.Describe(amitest.Image{State: "deregistered"}), want: "is gone (deregistered)"},
		{name: "foreign", answer: amitest.Describe(image), self: []amitest.Step{amitest.Describe()},
			want: "belongs to 123456789012, not to self"},
		{name: "foreign, or amazon's", answer: amitest.Describe(image), owners: []string{"amazon", "self"},
			self: []amitest.Step{amitest.Describe()}, want: "belongs to 123456789012, not to amazon or self"},
		{name: "own, of another architecture", answer: amitest.Describe(image), self: []amitest.Step{amitest.Describe(image)},
			want: "is available, for arm64"},
		{name: "own or not, denied", answer: amitest.Describe(image),
			self: []amitest.Step{amitest.Refuse(403, "AuthFailure", "no")},
			want: "belongs to 123456789012; whether that is self could not be looked up: find " + idA},
		{name: "foreign, by number", answer: amitest.Step{Body: amitest.Page("", amitest.Image{})},
			owners: []string{"210987654321", "amazon"}, want: "belongs to 123456789012, not to 210987654321 or amazon"},
		{name: "by number", answer: amitest.Step{Body: amitest.Page("", amitest.Image{})}, owners: []string{"123456789012"},
			want: "is available, for x86_64"},
		{name: "by alias", answer: amitest.Step{Body: amitest.Page("", amitest.Image{Alias: "amazon"})}, owners: []string{"amazon"},
			want: "is available, for x86_64"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.answer.Want = map[string]string{"ImageId.1": idA, "IncludeDeprecated": "true", "IncludeDisabled": "true"}
			tt.answer.Absent = []string{"Owner.1", "Filter.1.Name", "MaxResults"}
			for i := range tt.self {
				tt.self[i].Want = map[string]string{"Filter.1.Value.1": idA, "Owner.1": "self"}
			}
			c, _ := script(t, append([]amitest.Step{tt.answer}, tt.self...)...)
			got := c.Explain(t.Context(), "eu-west-1", idA, tt.owners)
			if got != tt.want && (!strings.Contains(tt.name, "denied") || !strings.HasPrefix(got, tt.want)) {
				t.Errorf("got  %q\nwant %q", got, tt.want)
			}
		})
	}
	t.Run("denied", func(t *testing.T) {
		c, _ := script(t, amitest.Refuse(http.StatusForbidden, "UnauthorizedOperation", "no"))
		if got := c.Explain(t.Context(), "eu-west-1", idA, nil); !strings.HasPrefix(got, "could not be looked up: ec2:") {
			t.Errorf("got %q", got)
		}
	})
}

func TestClient_Get(t *testing.T) {
	tests := []struct {
		name   string
		answer amitest.Step
		want   string
	}{
		{name: "there, in any state, of anyone", answer: amitest.Step{Body: amitest.Page("", amitest.Image{ID: idA, State: "disabled"})}},
		{name: "empty list", answer: amitest.Step{Body: amitest.Page("")}, want: "find " + idA + " in eu-west-1: it does not exist"},
		{name: "not found", answer: amitest.Refuse(400, "InvalidAMIID.NotFound", "no"), want: "find " + idA + " in eu-west-1: "},
		{name: "denied", answer: amitest.Refuse(403, "UnauthorizedOperation", "no"),
			want: "find " + idA + " in eu-west-1: ec2:DescribeImages is not allowed"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.answer.Want = map[string]string{"Action": "DescribeImages", "ImageId.1": idA, "IncludeDisabled": "true"}
			tt.answer.Absent = []string{"Owner.1"}
			c, _ := script(t, tt.answer)
			got, err := c.Get(t.Context(), "eu-west-1", idA)
			if tt.want == "" && (err != nil || got.ID != idA) {
				t.Errorf("got %v, %v; want the image", got, err)
			}
			if tt.want != "" && (err == nil || !strings.HasPrefix(err.Error(), tt.want)) {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
}

func TestClient_Await(t *testing.T) {
	both := map[string]string{"Action": "DescribeImages", "ImageId.1": idA, "ImageId.2": idB, "ImageId.3": ""}
	lost := amitest.Refuse(400, "InvalidAMIID.NotFound", "no")
	lost.Want = both
	synctest.Test(t, func(t *testing.T) {
		c, log := script(t, lost, amitest.Step{Want: both, Body: amitest.Page("", amitest.Image{ID: idB})},
			amitest.Step{Want: both, Body: amitest.Page("", amitest.Image{ID: idB}, amitest.Image{ID: idA, Snapshots: []string{"snap-1"}})})
		got, err := c.Await(t.Context(), "eu-west-1", []string{idB, idA, idB})
		if err != nil || len(got) != 2 {
			t.Errorf("got %v, %v; want both images", got, err)
		}
		if len(log.waits) != 2 {
			t.Errorf("it waited %v, want twice", log.waits)
		}
	})
	c, _ := script(t, amitest.Refuse(403, "UnauthorizedOperation", "no"))
	_, err := c.Await(t.Context(), "eu-west-1", []string{idA})
	if err == nil || !strings.Contains(err.Error(), "ec2:DescribeImages is not allowed") {
		t.Errorf("got %v, want a refusal at once", err)
	}
}

func TestClient_oneClientForEachRegion(t *testing.T) {
	c, _ := script(t)
	var mu sync.Mutex
	opened := map[string]int{}
	open := c.open
	c.open = func(region string) ec2API {
		mu.Lock()
		opened[region]++
		mu.Unlock()
		return open(region)
	}
	regions := strings.Split(strings.Repeat("eu-west-1 us-east-1 ", 20)+"eu-west-1", " ")
	err := EachRegion(t.Context(), regions, 8, func(_ context.Context, region string) error {
		_, err := c.region(region)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]int{"eu-west-1": 1, "us-east-1": 1}, opened); diff != "" {
		t.Error(diff)
	}
}

func TestEachRegion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		err := EachRegion(t.Context(), []string{"a", "b", "c", "d", "e"}, 2, func(_ context.Context, region string) error {
			time.Sleep(time.Second)
			if region == "c" {
				return nil
			}
			return errors.New(region + ": broken")
		})
		if err == nil || err.Error() != "a: broken\nb: broken\nd: broken\ne: broken" {
			t.Errorf("got %v, want the errors of all regions in their order", err)
		}
		if took := time.Since(begun); took != 3*time.Second {
			t.Errorf("took %s, want 3s for 5 regions, 2 at a time", took)
		}
	})
}

func TestEachRegion_cancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := EachRegion(ctx, []string{"a"}, 0, func(context.Context, string) error { panic("must not run") })
	if !errors.Is(err, context.Canceled) || err.Error() != "a: not done: context canceled" {
		t.Errorf("got %v", err)
	}
}

func idsOf(images []Image) []string {
	var ids []string
	for _, img := range images {
		ids = append(ids, img.ID)
	}
	return ids
}
