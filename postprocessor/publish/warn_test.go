// SPDX-License-Identifier: MPL-2.0

package publish

import (
	"slices"
	"testing"

	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
)

// TestWarn_turns has two jobs build one template, each for a region of its own: neither finds its AMI in what
// the other published.
func TestWarn_turns(t *testing.T) {
	in := func(regions ...string) []manifest.Image {
		var images []manifest.Image
		for _, region := range regions {
			images = append(images, manifest.Image{Provider: manifest.ProviderAWS, Region: region, ID: ami1})
		}
		return images
	}
	const text = "warning: file.image was in eu-west-1 and is in us-east-1 now: jobs that build it for other regions take turns, " +
		"and each run builds again. Make the AMIs of all regions in one build, with ami_regions or copies, or give each region " +
		"an image of its own name"
	for name, tt := range map[string]struct {
		before, now []manifest.Image
		revoked     string
		want        []string
	}{
		"first build":     {nil, in("us-east-1"), "", nil},
		"same region":     {in("eu-west-1"), in("eu-west-1"), "", nil},
		"one more":        {in("eu-west-1"), in("eu-west-1", "us-east-1"), "", nil},
		"one less":        {in("eu-west-1", "us-east-1"), in("us-east-1"), "", nil},
		"other region":    {in("eu-west-1"), in("us-east-1"), "", []string{text}},
		"revoked before":  {in("eu-west-1"), in("us-east-1"), "bad kernel", nil},
		"no AMI any more": {in("eu-west-1"), nil, "", nil},
	} {
		t.Run(name, func(t *testing.T) {
			j := sibling(t, t.TempDir(), "image")
			before := sibling(t, t.TempDir(), "image").entries[0]
			before.PackerRunUUID, before.Images, before.Revoked = "before", tt.before, tt.revoked
			j.entries[0].Images = tt.now
			j.stored.Manifest = &manifest.Manifest{Builds: append([]manifest.Entry{before}, j.entries...)}
			j.warnOfTurns()
			if ui := j.ui.(*screen); !slices.Equal(ui.red, tt.want) {
				t.Errorf("got %q, want %q", ui.red, tt.want)
			}
		})
	}
}
