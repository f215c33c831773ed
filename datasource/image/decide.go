// SPDX-License-Identifier: MPL-2.0

package image

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/packer-chain/packer-plugin-chain/internal/ami"
	"github.com/packer-chain/packer-plugin-chain/internal/fingerprint"
	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
	"github.com/packer-chain/packer-plugin-chain/internal/text"
)

const (
	reasonUnchanged   = "unchanged"
	reasonUnpublished = "unchanged, built by an earlier run that could not publish it"
)

// decision is whether the image has to be built, and why.
type decision struct {
	needed         bool
	reason         string
	missingRegions []string
	// entries are the existing image; none if it has to be built.
	entries []manifest.Entry
}

// decide decides whether the image has to be built. It does no I/O.
func decide(c Config, facts manifest.Facts, e existing, now time.Time) decision {
	required := e.required(c.Sources)
	missing, why := e.check(required)
	d := decision{needed: true, missingRegions: missing}
	switch {
	case c.Force:
		d.reason = "forced"
	case e.manifest == nil:
		d.reason = changes(facts, e.newest)
	case e.manifest.Chain.Revoked != "":
		d.reason = "revoked: " + text.OneLine(e.manifest.Chain.Revoked)
	case !sameSources(e.manifest.Chain.Sources, c.Sources):
		d.reason = fmt.Sprintf("sources: %s -> %s", listed(e.manifest.Chain.Sources), listed(c.Sources))
	case len(e.manifest.MissingSources()) > 0:
		d.reason = fmt.Sprintf("incomplete: %s not built", text.List(e.manifest.MissingSources()))
	case len(required) == 0:
		d.reason = "all of its builds are revoked"
	case len(why) > 0:
		d.reason = strings.Join(why, "; ")
	case e.olderThan(c.MaxAge, required, now):
		d.reason = fmt.Sprintf("older than %s", shortDuration(c.MaxAge))
	case e.unpublished:
		return decision{reason: reasonUnpublished, entries: e.usable(c.MaxAge, now)}
	default:
		return decision{reason: reasonUnchanged, entries: e.usable(c.MaxAge, now)}
	}
	return d
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

// sameSources reports whether two lists name the same sources. The list is not part of the
// fingerprint, so the one in the template may change while the one in the manifest stays.
func sameSources(stored, wanted []string) bool {
	return slices.Equal(sorted(stored), sorted(wanted))
}

func listed(sources []string) string {
	if len(sources) == 0 {
		return "any"
	}
	return text.OneLine(strings.Join(sorted(sources), ", "))
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

// current returns the entries that make up the image, or none if it has no manifest.
func (e existing) current() []manifest.Entry {
	if e.manifest == nil {
		return nil
	}
	return e.manifest.Current()
}

// required returns the entries that must be usable for the image to count as existing. Without a
// list of sources only the last run counts, because sources of earlier runs may never be built
// again.
func (e existing) required(sources []string) []manifest.Entry {
	current := e.current()
	ofLastRun := func(entry manifest.Entry) bool {
		return entry.PackerRunUUID == e.manifest.LastRunUUID
	}
	if len(sources) > 0 || !slices.ContainsFunc(current, ofLastRun) {
		return current
	}
	return slices.DeleteFunc(current, func(entry manifest.Entry) bool { return !ofLastRun(entry) })
}

// usable returns the entries that may be passed through. If the image is not needed, those that are
// required are among them.
func (e existing) usable(maxAge time.Duration, now time.Time) []manifest.Entry {
	return slices.DeleteFunc(e.current(), func(entry manifest.Entry) bool {
		alone := []manifest.Entry{entry}
		missing, _ := e.check(alone)
		return len(missing) > 0 || e.olderThan(maxAge, alone, now)
	})
}

// check returns the wanted regions in which an entry's AMI cannot be used, and why.
func (e existing) check(entries []manifest.Entry) (missing, why []string) {
	for _, region := range e.regions {
		problems := e.checkRegion(region, entries)
		if len(problems) > 0 {
			missing = append(missing, region)
			why = append(why, problems...)
		}
	}
	return missing, why
}

func (e existing) checkRegion(region string, entries []manifest.Entry) []string {
	var problems []string
	for _, entry := range entries {
		amis := entry.AMIs()
		if len(amis) == 0 {
			continue
		}
		here := slices.DeleteFunc(slices.Clone(amis), func(image manifest.Image) bool {
			return image.Region != region
		})
		if len(here) == 0 {
			problems = append(problems, "missing in "+region)
		}
		for _, image := range here {
			if problem := problemOf(e.images, image); problem != "" {
				problems = append(problems, problem)
			}
		}
	}
	slices.Sort(problems)
	return slices.Compact(problems)
}

// problemOf returns why an AMI of the manifest cannot be used, or "".
func problemOf(seen map[ami.Address]ami.Image, want manifest.Image) string {
	address := ami.Address{Region: want.Region, ID: want.ID}
	image, ok := seen[address]
	if !ok {
		return fmt.Sprintf("%s is gone", address)
	}
	if problem := ami.Problem(image); problem != "" {
		return fmt.Sprintf("%s %s", address, text.OneLine(problem))
	}
	if reason, revoked := ami.RevokedReason(image); revoked {
		return strings.TrimSuffix(fmt.Sprintf("%s is revoked: %s", address, text.OneLine(reason)), ": ")
	}
	return ""
}

// olderThan reports whether the oldest of the entries is older than maxAge. 0 means no limit.
func (e existing) olderThan(maxAge time.Duration, entries []manifest.Entry, now time.Time) bool {
	if maxAge == 0 {
		return false
	}
	var oldest time.Time
	for _, entry := range entries {
		built := time.Unix(entry.BuildTime, 0)
		if entry.BuildTime > 0 && (oldest.IsZero() || built.Before(oldest)) {
			oldest = built
		}
	}
	if oldest.IsZero() {
		oldest = e.manifest.Chain.UpdatedAt
	}
	return now.Sub(oldest) > maxAge
}
