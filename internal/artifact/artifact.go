// SPDX-License-Identifier: MPL-2.0

// Package artifact reads the machine images in the artifact of any builder from its state, and
// makes the artifact of an image that exists already. The state is untrusted; anything in it that
// is not an image is left out.
package artifact

import (
	"github.com/mitchellh/mapstructure"

	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
)

// described is an image in the state of an artifact. The fields are those of the SDK's type
// packer/registry/image.Image, in which builders describe their images.
type described struct {
	ImageID        string
	ProviderName   string
	ProviderRegion string
	SourceImageID  string
}

// FromState returns the images in the state par.artifact.metadata of an artifact: one image or a
// list. Over RPC they arrive as maps.
func FromState(state any) []manifest.Image {
	var decoded []described
	// An element that is not an image fails, and leaves the others as they are.
	_ = mapstructure.WeakDecode(state, &decoded)
	var found []manifest.Image
	for _, image := range decoded {
		isAMI := manifest.IsAMI(image.ImageID) && manifest.IsRegion(image.ProviderRegion)
		if image.ImageID == "" || (image.ProviderName == manifest.ProviderAWS && !isAMI) {
			continue
		}
		found = append(found, manifest.Image{
			Provider: image.ProviderName, Region: image.ProviderRegion,
			ID: image.ImageID, SourceID: image.SourceImageID,
		})
	}
	return found
}

// SourceAMI returns the id of the AMI that an image was built on, or "". It reads the state
// generated_data of an artifact.
func SourceAMI(data any) string {
	if id := generated(data, "SourceAMI"); manifest.IsAMI(id) {
		return id
	}
	return ""
}

// Region returns the region that an image was built in, or "", from the same state.
func Region(data any) string {
	if region := generated(data, "BuildRegion"); manifest.IsRegion(region) {
		return region
	}
	return ""
}

// generated returns a text of the state generated_data, which arrives over RPC as a map of some
// kind.
func generated(data any, name string) string {
	var value any
	switch m := data.(type) {
	case map[string]any:
		value = m[name]
	case map[any]any:
		value = m[name]
	case map[string]string:
		value = m[name]
	}
	text, _ := value.(string)
	return text
}
