// SPDX-License-Identifier: MPL-2.0

package image

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/packer-chain/packer-plugin-chain/internal/ami"
	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
	"github.com/packer-chain/packer-plugin-chain/internal/text"
)

// current are the entries that make up the image; none where there is no manifest.
func (s existing) current() []manifest.Entry {
	if s.manifest == nil {
		return nil
	}
	return s.manifest.Current()
}

// required are the entries that have to be good, or the image is needed. Where the template names no sources, any run
// makes a complete image, and the last one counts: of what earlier runs left of other sources, nobody knows whether it
// is ever built again.
func (s existing) required(builds []string) []manifest.Entry {
	current := s.current()
	ofLastRun := func(e manifest.Entry) bool { return e.PackerRunUUID == s.manifest.LastRunUUID }
	if len(builds) > 0 || !slices.ContainsFunc(current, ofLastRun) {
		return current
	}
	return slices.DeleteFunc(current, func(e manifest.Entry) bool { return !ofLastRun(e) })
}

// good are the entries that may be handed on. Those that are required are among them, in an image that is not needed.
func (s existing) good(maxAge time.Duration, now time.Time) []manifest.Entry {
	return slices.DeleteFunc(s.current(), func(e manifest.Entry) bool {
		alone := []manifest.Entry{e}
		missing, _ := s.check(alone)
		return len(missing) > 0 || s.olderThan(maxAge, alone, now)
	})
}

// check looks, for each wanted region, whether each entry's AMI is there. It answers the regions
// where one is not, and why, in words.
func (s existing) check(entries []manifest.Entry) (missing, why []string) {
	for _, region := range s.regions {
		problems := s.checkRegion(region, entries)
		if len(problems) > 0 {
			missing = append(missing, region)
			why = append(why, problems...)
		}
	}
	return missing, why
}

func (s existing) checkRegion(region string, entries []manifest.Entry) []string {
	var problems []string
	for _, entry := range entries {
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
		return fmt.Sprintf("%s %s", address, text.OneLine(problem))
	}
	if reason, revoked := ami.RevokedReason(image); revoked {
		return strings.TrimSuffix(fmt.Sprintf("%s is revoked: %s", address, text.OneLine(reason)), ": ")
	}
	return ""
}

// olderThan tells whether the oldest of the entries is older than that. An age of 0 is no limit.
func (s existing) olderThan(maxAge time.Duration, entries []manifest.Entry, now time.Time) bool {
	var oldest time.Time
	for _, entry := range entries {
		if built := time.Unix(entry.BuildTime, 0); entry.BuildTime > 0 && (oldest.IsZero() || built.Before(oldest)) {
			oldest = built
		}
	}
	if oldest.IsZero() {
		oldest = s.manifest.Chain.UpdatedAt
	}
	return maxAge > 0 && now.Sub(oldest) > maxAge
}
