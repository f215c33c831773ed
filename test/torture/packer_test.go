// SPDX-License-Identifier: MPL-2.0

package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestReadTests(t *testing.T) {
	for name, tt := range map[string]struct {
		in   string
		want Result
	}{
		"nothing": {"ok  	acceptance	0.1s [no tests to run]\n", Result{}},
		"figures": {"    x_test.go:1: torture: tried=4 lost=0 duplicated=1\n--- FAIL: TestAccA (1s)\n" +
			"    x_test.go:1: torture: tried=16 lost=2 duplicated=0\n--- FAIL: TestAccB (1s)\n",
			Result{Tried: 20, Lost: 2, Duplicated: 1}},
		"tests": {"--- PASS: TestAccA (1s)\n--- FAIL: TestAccB (1s)\n    --- PASS: TestAccB/one (0s)\n" +
			"    --- FAIL: TestAccB/two (0s)\n--- SKIP: TestAccC (0s)\n", Result{Tried: 3, Lost: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, readTests(tt.in)); diff != "" {
				t.Error(diff)
			}
		})
	}
}
