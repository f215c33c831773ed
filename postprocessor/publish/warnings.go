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

// turns warns of an image that has left the regions that it was in. If two jobs build one template,
// each for its own region, the newest entry is always the other's.
func turns(entries, stored []manifest.Entry) []string {
	var found []string
	for _, entry := range entries {
		before, now := regionsOf(previous(stored, entry)), regionsOf(entry)
		stays := slices.ContainsFunc(now, func(region string) bool {
			return slices.Contains(before, region)
		})
		if len(before) == 0 || len(now) == 0 || stays {
			continue
		}
		found = append(found, fmt.Sprintf("%s was in %s and is in %s now: jobs that build it for other "+
			"regions take turns, and each run builds again. Make the AMIs of all regions in one build, "+
			"with ami_regions or copies, or give each region its own image name",
			text.OneLine(entry.Source()), strings.Join(before, ", "), strings.Join(now, ", ")))
	}
	return found
}

// previous returns the newest entry of another run for the same source that is not revoked. It is
// empty if there is none.
func previous(stored []manifest.Entry, entry manifest.Entry) manifest.Entry {
	for _, other := range slices.Backward(stored) {
		if other.Source() == entry.Source() && other.Revoked == nil &&
			other.PackerRunUUID != entry.PackerRunUUID {
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

// lost warns of what an earlier run built and never published. It is called before the local
// manifest of that run is replaced: nobody will publish it then.
func lost(local, stored *manifest.Manifest) []string {
	if !local.Unpublished() {
		return nil
	}
	var found []string
	for _, entry := range stored.Missing(local.Builds) {
		found = append(found, fmt.Sprintf("%s was built by an earlier run and never published; "+
			"nothing refers to it any more", artifactOf(entry)))
	}
	return found
}

// artifactOf returns the id of what was built, for the terminal: the entry may come from a file
// that anybody wrote.
func artifactOf(entry manifest.Entry) string {
	var amis []string
	for _, image := range entry.AMIs() {
		amis = append(amis, image.Region+":"+image.ID)
	}
	return cmp.Or(strings.Join(amis, ","), text.OneLine(entry.ArtifactID), "an artifact of unknown id")
}
