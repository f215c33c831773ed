// SPDX-License-Identifier: MPL-2.0

package ami

import (
	"slices"
	"testing"
	"time"
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
		{in: Image{State: "disabled", Tags: map[string]string{"chain:revoked": "CVE-2026-0001"}}, want: "is disabled, and revoked: CVE-2026-0001"},
		{in: Image{State: "disabled", Tags: map[string]string{"chain:revoked": ""}}, want: "is disabled, and revoked"},
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

// Whatever others call an architecture, EC2 knows the word that comes out. Other words stay.
func TestArchitecture(t *testing.T) {
	for in, want := range map[string]string{
		"amd64": "x86_64", "AMD64": "x86_64", "x86-64": "x86_64", "x86_64": "x86_64", "aarch64": "arm64", "arm64": "arm64",
		"i386": "i386", "arm64_mac": "arm64_mac", "": "", "riscv64": "riscv64",
	} {
		got := Architecture(in)
		known := slices.Contains(Architectures, got)
		if got != want || known != (want != "" && want != "riscv64") {
			t.Errorf("%q: got %q, which EC2 knows: %v", in, got, known)
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
