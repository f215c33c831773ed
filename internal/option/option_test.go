// SPDX-License-Identifier: MPL-2.0

package option

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestChecker(t *testing.T) {
	short := func(s string) error {
		if len(s) > 3 {
			return errors.New("must be short")
		}
		return nil
	}
	var check Checker
	check.That("a", "long text", short)
	check.That("b", "<unknown>", short)
	// As in "from-${build.ID}". It was refused before its value could be known.
	check.That("b", "from-<unknown>", short)
	check.That("c", "", Required)
	check.That("d", "x", OneOf("y", "z"))
	check.That("e", "", Optional(Required))
	check.List("f", []string{"x", "x", "long text", "<unknown>", "<unknown>", "a-<unknown>", "a-<unknown>"}, short)
	for _, value := range []time.Duration{0, minDuration, time.Hour, maxDuration, unknownDuration} {
		check.Duration("good", value)
	}
	// A nanosecond is a unit that was forgotten: nothing can be published in it, and every image is
	// older.
	for _, value := range []time.Duration{-time.Second, 1, minDuration - 1, maxDuration + 1} {
		check.Duration("g", value)
	}
	check.Duration("h", invalidDuration)
	check.AtMostOne(map[string]string{"i": "1", "k": "2", "l": ""})
	check.AtMostOne(map[string]string{"i": "1", "k": "a-<unknown>", "l": Unknown})
	want := []string{
		"a must be short",
		"c is required",
		`d must be one of y, z, got "x"`,
		`f must not repeat a value, got "x" twice`,
		"f[2] must be short",
		"g must be between 1s and ten years, got -1s",
		"g must be between 1s and ten years, got 1ns",
		"g must be between 1s and ten years, got 999.999999ms",
		"g must be between 1s and ten years, got 87600h0m0.000000001s",
		`h must be a duration, such as "168h" or "90m"`,
		"only one of i, k, l may be set, got i and k",
	}
	var got []string
	for _, err := range check.Errors {
		got = append(got, err.Error())
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
