// SPDX-License-Identifier: MPL-2.0

package publish

import (
	"slices"
	"testing"
	"time"

	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
	"github.com/packer-chain/packer-plugin-chain/internal/manifest/manifesttest"
)

// TestTurns has two jobs build one template, each for its own region: neither finds its AMI in what
// the other published.
func TestTurns(t *testing.T) {
	in := func(regions ...string) []manifest.Image {
		var images []manifest.Image
		for _, region := range regions {
			images = append(images, manifest.Image{Provider: manifest.ProviderAWS, Region: region, ID: ami1})
		}
		return images
	}
	const text = "file.image was in eu-west-1 and is in us-east-1 now: jobs that build it for other regions take turns, " +
		"and each run builds again. Make the AMIs of all regions in one build, with ami_regions or copies, or give each region " +
		"its own image name"
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
			entry := func(run string, images []manifest.Image) manifest.Entry {
				return manifest.Entry{Name: "image", BuilderType: "file", PackerRunUUID: run, Images: images}
			}
			before, now := entry("before", tt.before), entry("run", tt.now)
			if tt.revoked != "" {
				before.Revoked = manifesttest.Revoked(tt.revoked, time.Now())
			}
			if got := turns([]manifest.Entry{now}, []manifest.Entry{before, now}); !slices.Equal(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
