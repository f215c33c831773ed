// SPDX-License-Identifier: MPL-2.0

package report_test

import (
	"math"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// TestHTML_contrast checks that each text of the stylesheet can be read on what is below it.
func TestHTML_contrast(t *testing.T) {
	source, err := os.ReadFile("chain.css")
	if err != nil {
		t.Fatal(err)
	}
	light, dark, _ := strings.Cut(string(source), "prefers-color-scheme: dark")
	for theme, css := range map[string]string{"light": light, "dark": dark} {
		colours := map[string]string{}
		for _, m := range regexp.MustCompile(`--([a-z-]+): #([0-9a-f]{6})`).FindAllStringSubmatch(css, -1) {
			colours[m[1]] = m[2]
		}
		check := func(text, below string, least float64) {
			a, b := luminance(t, colours[text]), luminance(t, colours[below])
			if ratio := (max(a, b) + 0.05) / (min(a, b) + 0.05); ratio < least {
				t.Errorf("%s: %s on %s has a contrast of %.1f", theme, text, below, ratio)
			}
		}
		for _, below := range []string{"page", "sheet"} {
			for _, text := range []string{"text", "soft", "link", "outdated", "revoked"} {
				check(text, below, 4.5)
			}
			check("edge", below, 3)
		}
		for _, status := range []string{"current", "unknown", "outdated", "incomplete", "revoked"} {
			check(status, status+"-pale", 4.5)
			check("text", status+"-pale", 4.5)
		}
		check("soft", "shade", 4.5)
	}
}

// luminance returns the relative luminance of a colour as WCAG 2 defines it.
func luminance(t *testing.T, colour string) float64 {
	t.Helper()
	rgb, err := strconv.ParseUint(colour, 16, 24)
	if err != nil {
		t.Fatalf("a colour is missing: %v", err)
	}
	linear := func(channel uint64) float64 {
		c := float64(channel&255) / 255
		if c <= 0.04045 {
			return c / 12.92
		}
		return math.Pow((c+0.055)/1.055, 2.4)
	}
	return 0.2126*linear(rgb>>16) + 0.7152*linear(rgb>>8) + 0.0722*linear(rgb)
}
