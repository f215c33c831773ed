// SPDX-License-Identifier: MPL-2.0

package ami

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestNewest(t *testing.T) {
	day := func(n int) time.Time { return time.Date(2026, 5, n, 12, 0, 0, 0, time.UTC) }
	tests := []struct {
		name string
		in   []Image
		want string
	}{
		{name: "none"},
		{name: "the latest", in: []Image{{ID: "ami-3", CreatedAt: day(1)}, {ID: "ami-1", CreatedAt: day(3)},
			{ID: "ami-2", CreatedAt: day(2)}}, want: "ami-1"},
		{name: "same time, the greater id", in: []Image{{ID: "ami-2", CreatedAt: day(1)},
			{ID: "ami-9", CreatedAt: day(1)}, {ID: "ami-5", CreatedAt: day(1)}}, want: "ami-9"},
		{name: "no time is oldest", in: []Image{{ID: "ami-9"}, {ID: "ami-1", CreatedAt: day(1)}}, want: "ami-1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, ok := Newest(tt.in)
			if got.ID != tt.want || ok != (tt.want != "") {
				t.Errorf("got %q, %v; want %q", got.ID, ok, tt.want)
			}
		})
	}
}

func TestProblem(t *testing.T) {
	tests := []struct {
		in   Image
		want string
	}{
		{in: Image{State: "available"}},
		{in: Image{State: "pending"}, want: "is pending"},
		{in: Image{State: "disabled"}, want: "is disabled"},
		{in: Image{State: "deregistered"}, want: "is gone (deregistered)"},
		{in: Image{State: "failed", StateReason: "Server.InternalError"}, want: "has failed: Server.InternalError"},
		{in: Image{State: "error"}, want: "is in state error"},
		{in: Image{State: "invalid"}, want: "is invalid"},
		{in: Image{State: "transient"}, want: `is in state "transient", not available`},
		{in: Image{}, want: `is in state "", not available`},
	}
	for _, tt := range tests {
		t.Run(tt.in.State, func(t *testing.T) {
			if got := Problem(tt.in); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestRevokedReason(t *testing.T) {
	if _, ok := RevokedReason(Image{Tags: map[string]string{"chain:image": "base"}}); ok {
		t.Error("an image without the tag counts as revoked")
	}
	for _, want := range []string{"", "false", "CVE-2026-0001"} {
		got, ok := RevokedReason(Image{Tags: map[string]string{"chain:revoked": want}})
		if !ok || got != want {
			t.Errorf("got %q, %v; want %q, true", got, ok, want)
		}
	}
}

func TestImage_Deprecated(t *testing.T) {
	now := time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)
	tests := []struct {
		name string
		in   time.Time
		want bool
	}{
		{name: "never"},
		{name: "later", in: now.Add(time.Second)},
		{name: "now", in: now, want: true},
		{name: "before", in: now.Add(-time.Hour), want: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := (Image{DeprecatedAt: tt.in}).Deprecated(now); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

func TestValidID(t *testing.T) {
	for in, want := range map[string]bool{
		"ami-0a1b2c3d":              true,
		"ami-0a1b2c3d4e5f60718":     true,
		"":                          false,
		"ami-":                      false,
		"ami-0a1b2c3":               false,
		"ami-0a1b2c3d4e5f607189":    false,
		"ami-0A1B2C3D":              false,
		"ami-0a1b2c3*":              false,
		"ami-0a1b2c3d\n":            false,
		"eu-west-1:ami-0a1b2c3d":    false,
		"snap-0a1b2c3d4e5f60718":    false,
		"<unknown>":                 false,
		"ami-0a1b2c3d,ami-0a1b2c3e": false,
	} {
		if got := ValidID(in); got != want {
			t.Errorf("%q: got %v, want %v", in, got, want)
		}
	}
}

func TestCheckTags(t *testing.T) {
	fifty := map[string]string{}
	for c := range 50 {
		fifty["key-"+string(rune('A'+c))] = "v"
	}
	tests := []struct {
		name string
		in   map[string]string
		want []string
	}{
		{name: "none"},
		{name: "good", in: map[string]string{"chain:git-sha": "4f1c9e2", "Größe": "ein halbes Kilo", "empty": ""}},
		{name: "exactly the limits", in: map[string]string{strings.Repeat("ü", 127): strings.Repeat("語", 255)}},
		{name: "fifty", in: fifty},
		{name: "key too long", in: map[string]string{strings.Repeat("k", 128): "v"},
			want: []string{`tag "` + strings.Repeat("k", 128) + `": the key has 128 characters, 127 are allowed`}},
		{name: "value too long", in: map[string]string{"k": strings.Repeat("v", 256)},
			want: []string{`tag "k": the value has 256 characters, 255 are allowed`}},
		{name: "reserved, in any case", in: map[string]string{"aws:x": "", "AWS:y": "", "aws": "aws:ok"},
			want: []string{`tag "AWS:y": keys that begin with "aws:" are reserved for AWS`,
				`tag "aws:x": keys that begin with "aws:" are reserved for AWS`}},
		{name: "every violation", in: map[string]string{"": "a\nb", "a\x00b": "\xff"},
			want: []string{"a tag has an empty key", `tag "": the value has the control character '\n'`,
				`tag "a\x00b": the key has the control character '\x00'`, `tag "a\x00b": the value is not valid UTF-8`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, CheckTags(tt.in)); diff != "" {
				t.Error(diff)
			}
		})
	}
	fifty["one more"] = ""
	if got := CheckTags(fifty); len(got) != 1 || got[0] != "there are 51 tags, EC2 allows 50" {
		t.Errorf("51 tags: got %q", got)
	}
}
