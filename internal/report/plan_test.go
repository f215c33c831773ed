// SPDX-License-Identifier: MPL-2.0

package report_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
)

// TestMake_circle checks that a circle is named at its images, and not at those that are built on it.
func TestMake_circle(t *testing.T) {
	w := newWorld(t)
	a := w.run(build{image: "a"})
	b := w.run(build{image: "b", parents: []manifest.Parent{a}})
	w.run(build{image: "a", parents: []manifest.Parent{b}})
	w.run(build{image: "app", parents: []manifest.Parent{b}})
	var got []string
	for _, image := range w.report().Images {
		got = append(got, fmt.Sprint(image.Name, " ", image.Level, " ", image.Problems))
	}
	const circle = " is built on itself, by its manifest]"
	if diff := cmp.Diff([]string{"a 0 [a" + circle, "b 0 [b" + circle, "app 1 []"}, got); diff != "" {
		t.Errorf("levels (-want +got):\n%s", diff)
	}
}

// TestMake_manyWays checks that time does not grow with the ways through the chain: there are 2^40
// from the bottom to the top.
func TestMake_manyWays(t *testing.T) {
	w := newWorld(t)
	var parents []manifest.Parent
	for layer := range 41 {
		var next []manifest.Parent
		for _, side := range []string{"a", "b"} {
			parent := w.run(build{image: fmt.Sprintf("%s%d", side, layer), parents: parents})
			parent.Ancestors = nil // how many there are is beside the point
			next = append(next, parent)
		}
		parents = next
	}
	images := w.report().Images
	if last := images[len(images)-1]; last.Name != "b40" || last.Level != 40 {
		t.Errorf("the last image is %s at level %d", last.Name, last.Level)
	}
}

// TestMake_sameResult builds images that are no AMIs again, which changes nothing in them. Then
// nothing on top of them is out of date: their templates would find them unchanged.
func TestMake_sameResult(t *testing.T) {
	for name, tt := range map[string]struct {
		sameBase, sameMiddle bool
	}{
		"at the bottom": {true, false},
		"in the middle": {false, true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			base := w.run(build{image: "base", isFile: true, result: "1"})
			middle := w.run(build{image: "middle", isFile: true, result: "1", parents: []manifest.Parent{base}})
			w.run(build{image: "app", isFile: true, parents: []manifest.Parent{middle}})
			again := build{image: "base", isFile: true, template: "2", result: "1"}
			if !tt.sameBase {
				again.result = "2"
			}
			base = w.run(again)
			if tt.sameMiddle {
				w.run(build{image: "middle", isFile: true, result: "1", parents: []manifest.Parent{base}})
			}
			want := []string{"base: current: unchanged", "middle: current: unchanged", "app: current: unchanged"}
			if diff := cmp.Diff(want, lines(w.report())); diff != "" {
				t.Errorf("statuses (-want +got):\n%s", diff)
			}
		})
	}
}
