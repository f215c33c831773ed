// SPDX-License-Identifier: MPL-2.0

package fingerprint

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
)

func TestDiff_changes(t *testing.T) {
	_, old := Compute(example())
	for _, tt := range changes {
		t.Run(tt.name, func(t *testing.T) {
			p := example()
			tt.change(&p)
			_, new := Compute(p)
			if diff := cmp.Diff(tt.want, Diff(old, new)); diff != "" {
				t.Error(diff)
			}
		})
	}
	if got := Diff(old, slices.Clone(old)); len(got) != 0 {
		t.Errorf("nothing changed, but %q", got)
	}
}

// pairs makes components of name, value, name, value, ...
func pairs(s ...string) []manifest.Component {
	var list []manifest.Component
	for i := 0; i < len(s); i += 2 {
		list = append(list, manifest.Component{Name: s[i], Value: s[i+1]})
	}
	return list
}

func TestDiff(t *testing.T) {
	tests := []struct {
		name     string
		old, new []manifest.Component
		want     []string
	}{
		{name: "both empty"},
		{name: "first build", new: pairs("schema", "1", "salt", "x", "uncommitted changes", "y"),
			want: []string{"schema added", "salt added", "uncommitted changes"}},
		{name: "schema", old: pairs("schema", "1"), new: pairs("schema", "2"), want: []string{"schema: 1 -> 2"}},
		{name: "architecture", old: pairs("architecture", "arm64"), new: pairs("architecture", "x86_64"),
			want: []string{"architecture: arm64 -> x86_64"}},
		{name: "a parent twice", old: pairs("parent a", "ami-1", "parent a", "ami-2"),
			new: pairs("parent a", "ami-1", "parent a", "ami-3"), want: []string{"parent a: ami-2 -> ami-3"}},
		{name: "unknown component of a newer plugin", old: pairs("builder", "s1"), new: pairs("builder", "s2"),
			want: []string{"builder"}},
		{name: "no object id", old: pairs("template", tree1+"0"), new: pairs("template", strings.ToUpper(tree1)),
			want: []string{"template: " + tree1 + "0 -> " + strings.ToUpper(tree1)}},
		{name: "SHA-256 object id", old: pairs("extra a", strings.Repeat("ab", 32)), new: pairs("extra a", tree2),
			want: []string{"extra a: abababa -> 98aa01b"}},
		{name: "executable bit", old: pairs("extra a", tree1), new: pairs("extra a", tree1+" 100755"),
			want: []string{"extra a: 4f1c9e2 -> 4f1c9e2 100755"}},
		{name: "long text behind an object id", old: pairs("extra a", tree1+" "+strings.Repeat("x", 100)), new: pairs("extra a", "y"),
			want: []string{"extra a: 4f1c9e2 " + strings.Repeat("x", 72) + "… -> y"}},
		{name: "control characters", old: pairs("parent a\r\n\x1b[31m", "ami-1\nERROR"),
			new:  pairs("parent a\r\n\x1b[31m", "\u202eami-2\x00\xff"),
			want: []string{"parent a[31m: ami-1ERROR -> ami-2\ufffd"}},
		{name: "long", old: pairs("parent "+strings.Repeat("ä", 200), strings.Repeat("x", 1<<20)),
			new:  pairs("parent "+strings.Repeat("ä", 200), ""),
			want: []string{"parent " + strings.Repeat("ä", 93) + "…: " + strings.Repeat("x", 80) + "… -> "}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, Diff(tt.old, tt.new)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestDiff_many(t *testing.T) {
	var old []manifest.Component
	for i := range 25 {
		old = append(old, pairs(fmt.Sprintf("input %02d", i), "x")...)
	}
	got := Diff(old, nil)
	if len(got) != 21 || got[19] != "input 19 removed" || got[20] != "and 5 more" {
		t.Errorf("got %q", got)
	}
}

// Whatever is in a bucket, each line is one short printable line, and none only for equal lists.
func FuzzDiff(f *testing.F) {
	f.Add("parent a", "ami-1", "parent a", "ami-2", "parent a", "ami-3")
	f.Add("template\n", "\x1b[2J", "\u2028", "\xff", "", "")
	f.Fuzz(func(t *testing.T, a, b, c, d, e, g string) {
		old, new := pairs(a, b, c, d), pairs(e, g, a, d)
		lines := Diff(old, new)
		if (len(lines) == 0) != slices.Equal(old, new) {
			t.Errorf("%q for %q and %q", lines, old, new)
		}
		for _, line := range lines {
			bad := strings.ContainsFunc(line, func(r rune) bool { return !unicode.IsPrint(r) })
			if bad || len([]rune(line)) > 280 {
				t.Errorf("line %q", line)
			}
		}
	})
}
