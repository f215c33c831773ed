// SPDX-License-Identifier: MPL-2.0

package image

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
	"github.com/packer-chain/packer-plugin-chain/internal/record"
	"github.com/packer-chain/packer-plugin-chain/internal/tags"
)

// output is what the data source says of the image.
func output(c Config, facts manifest.Facts, s existing, v decision) (DatasourceOutput, error) {
	out := DatasourceOutput{
		Needed: v.needed, Reason: v.reason, Fingerprint: facts.Fingerprint, Short: facts.Fingerprint[:12],
		GitSHA: facts.Git.SHA, Commit: facts.Git.Commit, Branch: facts.Git.Branch, Dirty: facts.Git.Dirty,
		Tags: builderTags(c, facts), AMIs: map[string]string{}, MissingRegions: append([]string{}, v.missingRegions...),
	}
	rec := record.Record{
		Facts: facts, Registry: c.Registry, Needed: v.needed, Reason: v.reason, Tags: out.Tags,
		LocalManifest: c.LocalManifest, Regions: c.Regions,
	}
	if !v.needed {
		rec.Entries, rec.Unpublished = v.entries, s.unpublished
		out.AMIs = manifest.AMIMap(rec.Entries)
		out.ID = firstID(rec.Entries, s.regions)
	}
	components, err := json.Marshal(facts.Components)
	if err != nil {
		return DatasourceOutput{}, fmt.Errorf("encode components: %w", err)
	}
	out.Components = string(components)
	out.Record, err = rec.Encode()
	return out, err
}

// firstID is the AMI in the first region, or the id of an artifact that is no AMI.
func firstID(entries []manifest.Entry, regions []string) string {
	for _, entry := range entries {
		for _, image := range entry.AMIs() {
			if len(regions) == 0 || image.Region == regions[0] {
				return image.ID
			}
		}
	}
	for _, entry := range entries {
		if len(entry.AMIs()) == 0 {
			return entry.ArtifactID
		}
	}
	return ""
}

// builderTags are those for the builder: few, short, and known before the build.
func builderTags(c Config, facts manifest.Facts) map[string]string {
	all := map[string]string{
		tags.Image: c.Image, tags.Fingerprint: facts.Fingerprint, tags.Commit: facts.Git.Commit}
	if facts.Git.Name != "" {
		all[tags.GitSHA] = facts.Git.Name
	}
	var parents []string
	for _, parent := range facts.Parents {
		if parent.AMI != "" {
			parents = append(parents, parent.AMI)
		}
	}
	if len(parents) > 0 {
		all[tags.Parent] = tags.Value(strings.Join(parents, " "))
	}
	return all
}
