// SPDX-License-Identifier: MPL-2.0

package image

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/packer-chain/packer-plugin-chain/internal/ami"
	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
	"github.com/packer-chain/packer-plugin-chain/internal/text"
)

// problems returns why an entry does not count as an existing image, or nothing.
func (e existing) problems(c Config, entry manifest.Entry) []string {
	if why := e.unproven(c, entry); why != "" {
		return []string{why}
	}
	var problems []string
	for _, region := range e.regions {
		problems = append(problems, e.problemsIn(region, c, entry)...)
	}
	if len(problems) == 0 && e.olderThan(c.MaxAge, entry) {
		problems = append(problems, "older than "+shortDuration(c.MaxAge))
	}
	return problems
}

func (e existing) problemsIn(region string, c Config, entry manifest.Entry) []string {
	amis := entry.AMIs()
	if len(amis) == 0 {
		return nil
	}
	here := slices.DeleteFunc(slices.Clone(amis), func(image manifest.Image) bool {
		return image.Region != region
	})
	if len(here) == 0 {
		return []string{"missing in " + region}
	}
	var problems []string
	for _, image := range here {
		problem := e.problemOf(c, image)
		have := e.images[ami.Address{Region: image.Region, ID: image.ID}].Architecture
		if problem == "" && c.Architecture != "" && have != c.Architecture {
			problem = fmt.Sprintf("%s in %s is for %s, not for %s",
				image.ID, image.Region, text.OneLine(have), c.Architecture)
		}
		if problem != "" {
			problems = append(problems, problem)
		}
	}
	return problems
}

// missingRegions returns the wanted regions in which a source was built, and has no AMI that can be
// used.
func (e existing) missingRegions(c Config, sources []string) []string {
	return slices.DeleteFunc(slices.Clone(e.regions), func(region string) bool {
		return !slices.ContainsFunc(sources, func(source string) bool {
			built := ofSource(e.entries(), c, source)
			return len(built) > 0 && !slices.ContainsFunc(built, func(entry manifest.Entry) bool {
				return len(e.problemsIn(region, c, entry)) == 0
			})
		})
	})
}

// problemOf returns why an AMI of the manifest cannot be used, or "".
func (e existing) problemOf(c Config, want manifest.Image) string {
	address := ami.Address{Region: want.Region, ID: want.ID}
	image, ok := e.images[address]
	if !ok {
		return fmt.Sprintf("%s is gone", address)
	}
	if problem := ami.Problem(image); problem != "" {
		return fmt.Sprintf("%s %s", address, text.OneLine(problem))
	}
	if flaw := ami.Judge(image, e.now, c.AllowDeprecated, false); flaw.Text != "" {
		return fmt.Sprintf("%s %s", address, flaw.Text)
	}
	return ""
}

// olderThan reports whether an entry is older than maxAge, or one of its AMIs is. 0 means no limit.
// An entry without a time is as old as can be.
func (e existing) olderThan(maxAge time.Duration, entry manifest.Entry) bool {
	if maxAge <= 0 {
		return false
	}
	old := func(made time.Time) bool { return e.now.Sub(made) > maxAge }
	return old(time.Unix(entry.BuildTime, 0)) ||
		slices.ContainsFunc(entry.AMIs(), func(image manifest.Image) bool {
			seen := e.images[ami.Address{Region: image.Region, ID: image.ID}]
			return !seen.CreatedAt.IsZero() && old(seen.CreatedAt)
		})
}

// unproven returns why nobody can tell whether an entry that names no AMI exists, or whether it is
// what was built; else "".
func (e existing) unproven(c Config, entry manifest.Entry) string {
	if len(entry.AMIs()) > 0 {
		return ""
	}
	// Without sources, whoever writes the manifest could say that the image is no AMI.
	wantsAMI := len(c.Sources) == 0 && len(c.Regions) > 0
	if wantsAMI || entry.HidesAMI() || e.amiSources[entry.Source()] {
		return "its manifest names no AMI"
	}
	for _, file := range entry.Files {
		if why := e.otherFiles[fileName{file.Name, file.SHA256}]; why != "" {
			return why
		}
	}
	return ""
}

// sourcesOfAMIs returns the sources that made an AMI, by what the manifest or a pointer says.
func (e existing) sourcesOfAMIs() map[string]bool {
	made := map[string]bool{}
	for _, entry := range slices.Concat(e.all(), e.unpublished) {
		if len(entry.AMIs()) > 0 {
			made[entry.Source()] = true
		}
	}
	for _, target := range e.preferred {
		for _, build := range target.Builds {
			if len(build.AMIs) > 0 {
				made[build.Source] = true
			}
		}
	}
	return made
}

// revokedBelow returns which of the images below this one is revoked, or "". One that EC2 does not
// show, because it belongs to another account, does not count.
func (e existing) revokedBelow() string {
	for _, ancestor := range e.ancestors {
		for _, region := range slices.Sorted(maps.Keys(ancestor.AMIs)) {
			image := e.images[ami.Address{Region: region, ID: ancestor.AMIs[region]}]
			if reason, revoked := ami.RevokedReason(image); revoked {
				return fmt.Sprintf("its ancestor %s, %s, is revoked%s",
					ancestor.Image, image, text.Because(reason))
			}
		}
	}
	return ""
}
