// SPDX-License-Identifier: MPL-2.0

package ami

import (
	"strings"

	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
)

// FromArtifactID reads the id of an artifact as the Amazon plugin writes it, "region:ami-…" joined by
// commas. It answers nothing for an id of any other form.
func FromArtifactID(id string) []manifest.Image {
	var images []manifest.Image
	for part := range strings.SplitSeq(id, ",") {
		region, ami, ok := strings.Cut(part, ":")
		if !ok || CheckRegion(region) != nil || !ValidID(ami) {
			return nil
		}
		images = append(images, manifest.Image{Provider: manifest.ProviderAWS, Region: region, ID: ami})
	}
	return images
}
