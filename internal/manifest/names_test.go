// SPDX-License-Identifier: MPL-2.0

package manifest

import (
	"strings"
	"testing"
)

func TestCheckImage(t *testing.T) {
	for _, good := range []string{"a", "baseline-ubuntu", "app_1.2", "0", strings.Repeat("a", 128)} {
		if err := CheckImage(good); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	bad := map[string]string{
		"":                       "is required",
		strings.Repeat("a", 129): "must have at most 128 characters, got 129",
		"a..b":                   `must not contain "..", got "a..b"`,
		"a.":                     `must not end with ".", got "a."`,
	}
	for _, name := range []string{"..", ".", "-a", "A", "a/b", "/a", "a/", "a b", "a\x00", "a\n", "é", "e\u0301", "🙂", "_a"} {
		bad[name] = "must be lower-case letters"
	}
	for name, want := range bad {
		if err := CheckImage(name); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: got %v, want %s", name, err, want)
		}
	}
}

// A channel may have any name. There are no refs any more that it could be mistaken for.
func TestCheckChannel(t *testing.T) {
	for _, good := range []string{"production", "git-4f1c9e2", "commit-1", "pr-42"} {
		if err := CheckChannel(good); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	for _, bad := range []string{"", "../x", "a/b", "A", "x\n"} {
		if CheckChannel(bad) == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

func TestCheckSource(t *testing.T) {
	for source, ok := range map[string]bool{
		"amazon-ebs.arm64": true, "docker.x_1": true, "arm64": false, "amazon-ebs.": false, "a.b.c": false, "a.b/c": false,
	} {
		if got := CheckSource(source) == nil; got != ok {
			t.Errorf("%q: got %v", source, got)
		}
	}
}

func TestIsAMI(t *testing.T) {
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
		if got := IsAMI(in); got != want {
			t.Errorf("%q: got %v, want %v", in, got, want)
		}
	}
}
