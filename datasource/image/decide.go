// SPDX-License-Identifier: MPL-2.0

package image

import (
	"cmp"
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

// decision is what has to be built, and why.
type decision struct {
	// pending are the sources that have to be built; none if the image exists.
	pending        []string
	reason         string
	missingRegions []string
	// entries are what exists: those of each source that is not pending. Unpublished is true if some
	// are in the local manifest only.
	entries     []manifest.Entry
	unpublished bool
}

// decide decides which sources have to be built. It does no I/O.
func decide(c Config, facts manifest.Facts, e existing, now time.Time) decision {
	sources := wantedSources(c)
	all := decision{pending: sources}
	e.now, e.amiSources = now, e.sourcesOfAMIs()
	switch {
	case e.none():
		all.reason = changes(facts, e.newest)
		return all
	case e.revokedBelow() != "":
		all.reason = e.revokedBelow()
		return all
	}
	d := e.each(c, sources)
	if d.unpublished || c.Force {
		return d
	}
	found, whole, why := e.pinned(c, sources)
	switch {
	case whole:
		return found
	case why != "" && len(d.pending) == 0:
		d.reason += ", but another build counts now: " + why
	}
	return d
}

// wantedSources returns the sources of the image, or its name if the template lists none.
func wantedSources(c Config) []string {
	if len(c.Sources) == 0 {
		return []string{c.Image}
	}
	return sorted(c.Sources)
}

// pinned returns the image that a pointer pins, if all of it is good. That is what the last run
// passed on, so this one does the same. Otherwise why says what is wrong with the first of them.
func (e existing) pinned(c Config, sources []string) (found decision, whole bool, why string) {
	if e.published == nil {
		return decision{}, false, ""
	}
	for _, target := range e.preferred {
		all, good := target.Entries(e.published)
		good = good && (len(c.Sources) > 0 || len(all) == 1)
		var entries []manifest.Entry
		for _, source := range sources {
			// Of each source, a pointer pins one build.
			of := ofSource(all, c, source)
			good = good && len(of) == 1 && of[0].Revoked == nil
			if len(of) > 0 {
				problems := e.problems(c, of[0])
				good = good && len(problems) == 0
				why = cmp.Or(why, strings.Join(problems, "; "))
			}
			entries = append(entries, of...)
		}
		if good {
			return decision{reason: reasonUnchanged, entries: entries}, true, ""
		}
	}
	return decision{}, false, why
}

// each decides for each source: what was built and not published comes first, then the newest good
// entry.
func (e existing) each(c Config, sources []string) decision {
	d := decision{reason: reasonUnchanged}
	var reasons []string
	for _, source := range sources {
		entry, fresh, why := e.choose(c, source)
		if why == "" {
			d.entries = append(d.entries, entry)
			d.unpublished = d.unpublished || fresh
			continue
		}
		d.pending = append(d.pending, source)
		if len(c.Sources) > 0 && !c.Force {
			why = text.OneLine(source) + ": " + why
		}
		reasons = append(reasons, why)
	}
	switch {
	case len(reasons) > 0:
		d.reason = strings.Join(slices.Compact(reasons), "; ")
		d.missingRegions = e.missingRegions(c, d.pending)
	case d.unpublished:
		d.reason = reasonUnpublished
	}
	return d
}

// choose returns the entry of a source that exists: fresh is true if it is still to be published.
// Otherwise why says why the source has to be built.
func (e existing) choose(
	c Config, source string,
) (entry manifest.Entry, fresh bool, why string) {
	for _, entry := range slices.Backward(ofSource(e.unpublished, c, source)) {
		if len(e.problems(c, entry)) == 0 {
			return entry, true, ""
		}
	}
	if c.Force {
		return manifest.Entry{}, false, "forced"
	}
	for _, entry := range slices.Backward(ofSource(e.live(), c, source)) {
		problems := e.problems(c, entry)
		if len(problems) == 0 {
			return entry, false, ""
		}
		if why == "" {
			// The newest entry explains best.
			why = strings.Join(problems, "; ")
		}
	}
	if all := ofSource(e.all(), c, source); why == "" && len(all) > 0 {
		why = "revoked" + text.Because(all[len(all)-1].Revoked.Reason)
	}
	return manifest.Entry{}, false, cmp.Or(why, "not built yet")
}

// ofSource returns the entries of a source, oldest first. If the template lists no sources, the
// image has exactly one: that of the newest entry.
func ofSource(entries []manifest.Entry, c Config, source string) []manifest.Entry {
	if len(c.Sources) == 0 && len(entries) > 0 {
		source = entries[len(entries)-1].Source()
	}
	return slices.DeleteFunc(slices.Clone(entries), func(entry manifest.Entry) bool {
		return entry.Source() != source
	})
}

// changes returns what differs from the newest build of the image.
func changes(facts manifest.Facts, newest *manifest.Chain) string {
	if newest == nil {
		return "first build of " + facts.Image
	}
	diff := fingerprint.Diff(newest.Components, facts.Components)
	if len(newest.Components) == 0 || len(diff) == 0 {
		return fmt.Sprintf("no build of %.12s in the registry", facts.Fingerprint)
	}
	return strings.Join(diff, "; ")
}

func sorted(sources []string) []string {
	return slices.Compact(slices.Sorted(slices.Values(sources)))
}

// shortDuration returns a duration as a user writes it: 168h, not 168h0m0s.
func shortDuration(d time.Duration) string {
	short := d.String()
	for _, zero := range []string{"m0s", "h0m"} {
		if strings.HasSuffix(short, zero) {
			short = short[:len(short)-2]
		}
	}
	return short
}
