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
func output(c Config, id identity, s seen, v verdict) (DatasourceOutput, error) {
	out := DatasourceOutput{
		Needed: v.needed, Reason: v.reason, Fingerprint: id.fingerprint, Short: id.fingerprint[:12],
		GitSHA: id.git.SHA, Commit: id.git.Commit, Branch: id.git.Branch, Dirty: id.git.Dirty,
		Tags: builderTags(c, id), AMIs: map[string]string{}, MissingRegions: append([]string{}, v.missingRegions...),
	}
	rec := record.Record{
		Registry: c.Registry, Image: c.Image, Fingerprint: id.fingerprint, Needed: v.needed, Reason: v.reason,
		Git: id.git, Components: id.components, Parents: id.parents, Sources: c.Sources, Tags: out.Tags,
		LocalManifest: c.LocalManifest, Regions: c.Regions,
	}
	if !v.needed {
		rec.Entries, rec.Unpublished = v.entries, s.unpublished
		out.AMIs = manifest.AMIMap(rec.Entries)
		out.ID = firstID(rec.Entries, s.regions)
	}
	components, err := json.Marshal(id.components)
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
func builderTags(c Config, id identity) map[string]string {
	all := map[string]string{
		tags.Image: c.Image, tags.Fingerprint: id.fingerprint, tags.Commit: id.git.Commit}
	if id.git.Name != "" {
		all[tags.GitSHA] = id.git.Name
	}
	var parents []string
	for _, parent := range id.parents {
		if parent.AMI != "" {
			parents = append(parents, parent.AMI)
		}
	}
	if len(parents) > 0 {
		all[tags.Parent] = tags.Value(strings.Join(parents, " "))
	}
	return all
}
