// SPDX-License-Identifier: MPL-2.0

package build

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/packer-chain/packer-plugin-chain/internal/ami"
	"github.com/packer-chain/packer-plugin-chain/internal/fingerprint"
	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
)

const (
	reasonUnchanged   = "unchanged"
	reasonUnpublished = "unchanged, built by an earlier run that could not publish it"
)

// verdict says whether the image has to be built.
type verdict struct {
	needed         bool
	reason         string
	missingRegions []string
}

// decide is the whole decision; it asks nobody.
func decide(c Config, id identity, s seen, now time.Time) verdict {
	missing, gone := check(s)
	v := verdict{needed: true, missingRegions: missing}
	switch {
	case c.Force:
		v.reason = "forced"
	case s.manifest == nil:
		v.reason = changes(c.Image, id, s.newest)
	case s.manifest.Chain.Revoked != "":
		v.reason = "revoked: " + oneLine(s.manifest.Chain.Revoked)
	case len(s.manifest.Unbuilt(c.Builds)) > 0:
		v.reason = "not complete: " + strings.Join(s.manifest.Unbuilt(c.Builds), ", ") + " is not built"
	case len(gone) > 0:
		v.reason = strings.Join(gone, "; ")
	case c.MaxAge > 0 && now.Sub(oldest(s)) > c.MaxAge:
		v.reason = fmt.Sprintf("older than %s", shortDuration(c.MaxAge))
	case s.unpublished:
		return verdict{reason: reasonUnpublished}
	default:
		return verdict{reason: reasonUnchanged}
	}
	return v
}

// changes says what differs from the newest build of the image.
func changes(image string, id identity, newest *manifest.Chain) string {
	if newest == nil {
		return "first build of " + image
	}
	diff := fingerprint.Diff(newest.Components, id.components)
	if len(newest.Components) == 0 || len(diff) == 0 {
		return fmt.Sprintf("no build of %.12s in the registry", id.fingerprint)
	}
	return strings.Join(diff, "; ")
}

// check looks, for each wanted region, whether each source's AMI is there. It answers the regions
// where one is not, and why, in words.
func check(s seen) (missing, why []string) {
	if s.manifest == nil {
		return nil, nil
	}
	for _, region := range s.regions {
		problems := checkRegion(s, region)
		if len(problems) > 0 {
			missing = append(missing, region)
			why = append(why, problems...)
		}
	}
	return missing, why
}

func checkRegion(s seen, region string) []string {
	var problems []string
	for _, entry := range s.manifest.Current() {
		amis := entry.AMIs()
		if len(amis) == 0 {
			continue
		}
		here := slices.DeleteFunc(slices.Clone(amis), func(i manifest.Image) bool { return i.Region != region })
		if len(here) == 0 {
			problems = append(problems, "missing in "+region)
		}
		for _, image := range here {
			if problem := problemOf(s.images, image); problem != "" {
				problems = append(problems, problem)
			}
		}
	}
	slices.Sort(problems)
	return slices.Compact(problems)
}

func problemOf(there map[ami.Address]ami.Image, want manifest.Image) string {
	address := ami.Address{Region: want.Region, ID: want.ID}
	image, ok := there[address]
	if !ok {
		return fmt.Sprintf("%s is gone", address)
	}
	if problem := ami.Problem(image); problem != "" {
		return fmt.Sprintf("%s %s", address, oneLine(problem))
	}
	if reason, revoked := ami.RevokedReason(image); revoked {
		return strings.TrimSuffix(fmt.Sprintf("%s is revoked: %s", address, oneLine(reason)), ": ")
	}
	return ""
}

// oldest is when the oldest part of the image was made.
func oldest(s seen) time.Time {
	var at time.Time
	earlier := func(t time.Time) {
		if at.IsZero() || t.Before(at) {
			at = t
		}
	}
	for _, entry := range s.manifest.Current() {
		if entry.BuildTime > 0 {
			earlier(time.Unix(entry.BuildTime, 0))
		}
	}
	if at.IsZero() {
		return s.manifest.Chain.UpdatedAt
	}
	return at
}

// shortDuration writes 168h, and not 168h0m0s, as the user did.
func shortDuration(d time.Duration) string {
	text := d.String()
	text = strings.TrimSuffix(text, "0s")
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// oneLine makes a text from a document fit into the reason.
func oneLine(text string) string {
	return manifest.OneLine(text)
}
