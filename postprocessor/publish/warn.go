// SPDX-License-Identifier: MPL-2.0

package publish

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
	"github.com/packer-chain/packer-plugin-chain/internal/text"
)

// warnOfSources says when what was built is no part of the image, by the list of its sources.
func (j *publication) warnOfSources() {
	for _, entry := range j.entries {
		if len(j.rec.Sources) > 0 && !slices.Contains(j.rec.Sources, entry.Source()) {
			j.ui.Error(fmt.Sprintf("warning: %s is not among the sources of data \"chain-image\" (%s), so it does not count: "+
				"the next run will build again", text.OneLine(entry.Source()), text.List(j.rec.Sources)))
		}
	}
}

// warnOfRegions says when the image is not where data "chain-image" will look for it: each run would
// build it again. ids maps the regions that the image is in to its AMIs.
func (j *publication) warnOfRegions(ids map[string][]string, session string) {
	wanted := j.rec.Regions
	if len(wanted) == 0 {
		wanted = []string{session}
	}
	for _, region := range wanted {
		if len(ids[region]) == 0 {
			j.ui.Error(fmt.Sprintf("warning: the image has no AMI in %s, where data \"chain-image\" looks for it: the next run "+
				"will build again. Set its region or regions to where the builder makes the AMI", region))
		}
	}
}

// warnOfTurns says when the image has left the regions that it was in. With two jobs that build one template,
// each for a region of its own, the newest entry is always the other's.
func (j *publication) warnOfTurns() {
	for _, entry := range j.entries {
		before, now := regionsOf(j.before(entry)), regionsOf(entry)
		stays := slices.ContainsFunc(now, func(region string) bool { return slices.Contains(before, region) })
		if len(before) == 0 || len(now) == 0 || stays {
			continue
		}
		j.ui.Error(fmt.Sprintf("warning: %s was in %s and is in %s now: jobs that build it for other regions take turns, and each "+
			"run builds again. Make the AMIs of all regions in one build, with ami_regions or copies, or give each region an image "+
			"of its own name",
			text.OneLine(entry.Source()), strings.Join(before, ", "), strings.Join(now, ", ")))
	}
}

// before is the newest entry of another run for the same source; empty where none counts.
func (j *publication) before(entry manifest.Entry) manifest.Entry {
	for _, other := range slices.Backward(j.stored.Manifest.Builds) {
		if other.Source() == entry.Source() && other.PackerRunUUID != entry.PackerRunUUID && other.Revoked == "" {
			return other
		}
	}
	return manifest.Entry{}
}

func regionsOf(entry manifest.Entry) []string {
	var regions []string
	for _, image := range entry.AMIs() {
		regions = append(regions, image.Region)
	}
	return regions
}

// warnOfLost names what an earlier run built and never published, before the copy that says so is replaced.
// Nobody will publish it now.
func (j *publication) warnOfLost(have *manifest.Manifest) {
	if !have.Unpublished() {
		return
	}
	for _, entry := range j.stored.Manifest.Unknown(have.Builds) {
		j.ui.Error(fmt.Sprintf("warning: %s was built by an earlier run and never published; nothing refers to it any more",
			artifactOf(entry)))
	}
}

// artifactOf is the id of what was built, for the terminal: the entry may come from a file that anybody wrote.
func artifactOf(entry manifest.Entry) string {
	var amis []string
	for _, image := range entry.AMIs() {
		amis = append(amis, image.Region+":"+image.ID)
	}
	return cmp.Or(strings.Join(amis, ","), text.OneLine(entry.ArtifactID), "an artifact of unknown id")
}
