// SPDX-License-Identifier: MPL-2.0

package image

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/packer-chain/packer-plugin-chain/internal/fingerprint"
	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
	"github.com/packer-chain/packer-plugin-chain/internal/text"
)

const (
	reasonUnchanged   = "unchanged"
	reasonUnpublished = "unchanged, built by an earlier run that could not publish it"
)

// decision says whether the image has to be built.
type decision struct {
	needed         bool
	reason         string
	missingRegions []string
	// entries are the image that exists; none where it has to be built.
	entries []manifest.Entry
}

// decide is the whole decision; it asks nobody.
func decide(c Config, facts manifest.Facts, s existing, now time.Time) decision {
	required := s.required(c.Sources)
	missing, why := s.check(required)
	v := decision{needed: true, missingRegions: missing}
	switch {
	case c.Force:
		v.reason = "forced"
	case s.manifest == nil:
		v.reason = changes(c.Image, facts, s.newest)
	case s.manifest.Chain.Revoked != "":
		v.reason = "revoked: " + text.OneLine(s.manifest.Chain.Revoked)
	case !sameSources(s.manifest.Chain.Sources, c.Sources):
		v.reason = fmt.Sprintf("sources: %s -> %s", listed(s.manifest.Chain.Sources), listed(c.Sources))
	case len(s.manifest.MissingSources()) > 0:
		v.reason = "not complete: " + strings.Join(s.manifest.MissingSources(), ", ") + " is not built"
	case len(required) == 0:
		v.reason = "all of its builds are revoked"
	case len(why) > 0:
		v.reason = strings.Join(why, "; ")
	case s.olderThan(c.MaxAge, required, now):
		v.reason = fmt.Sprintf("older than %s", shortDuration(c.MaxAge))
	case s.unpublished:
		return decision{reason: reasonUnpublished, entries: s.good(c.MaxAge, now)}
	default:
		return decision{reason: reasonUnchanged, entries: s.good(c.MaxAge, now)}
	}
	return v
}

// changes says what differs from the newest build of the image.
func changes(image string, facts manifest.Facts, newest *manifest.Chain) string {
	if newest == nil {
		return "first build of " + image
	}
	diff := fingerprint.Diff(newest.Components, facts.Components)
	if len(newest.Components) == 0 || len(diff) == 0 {
		return fmt.Sprintf("no build of %.12s in the registry", facts.Fingerprint)
	}
	return strings.Join(diff, "; ")
}

// sameSources tells whether two lists name the same sources. The list is no part of the fingerprint, so the one in the
// template may change while the one in the manifest stays.
func sameSources(stored, wanted []string) bool { return slices.Equal(sorted(stored), sorted(wanted)) }

func listed(sources []string) string {
	if len(sources) == 0 {
		return "any"
	}
	return text.OneLine(strings.Join(sorted(sources), ", "))
}

func sorted(sources []string) []string { return slices.Compact(slices.Sorted(slices.Values(sources))) }

// shortDuration writes 168h, and not 168h0m0s, as the user did.
func shortDuration(d time.Duration) string {
	text := d.String()
	for _, nothing := range []string{"m0s", "h0m"} {
		if strings.HasSuffix(text, nothing) {
			text = text[:len(text)-2]
		}
	}
	return text
}
