// SPDX-License-Identifier: MPL-2.0

// Package artifact reads which machine images are in the artifact of a builder, any builder: from its id,
// and from its state. All of that is untrusted; anything that is not an image is left out.
package artifact

import (
	"github.com/mitchellh/mapstructure"

	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
)

// described is what is read of an image in the state of an artifact. The names are those of
// packer-plugin-sdk/packer/registry/image.Image, in which builders describe their images.
type described struct {
	ImageID        string
	ProviderName   string
	ProviderRegion string
	SourceImageID  string
}

// FromState reads the state par.artifact.metadata of an artifact: one image or a list of them. Over RPC
// they arrive as maps.
func FromState(state any) []manifest.Image {
	var decoded []described
	decoder, err := mapstructure.NewDecoder(&mapstructure.DecoderConfig{Result: &decoded, WeaklyTypedInput: true})
	if err != nil || state == nil {
		return nil
	}
	// An element that is not an image fails, and leaves the others as they are.
	_ = decoder.Decode(state)
	var found []manifest.Image
	for _, image := range decoded {
		isAMI := manifest.IsAMI(image.ImageID) && manifest.IsRegion(image.ProviderRegion)
		if image.ImageID == "" || (image.ProviderName == manifest.ProviderAWS && !isAMI) {
			continue
		}
		found = append(found, manifest.Image{
			Provider: image.ProviderName, Region: image.ProviderRegion, ID: image.ImageID, SourceID: image.SourceImageID})
	}
	return found
}

// SourceAMI reads the id of the AMI that an image was built on from the state generated_data of an
// artifact, which comes over RPC as a map of some kind. It returns "" if the builder does not say.
func SourceAMI(data any) string {
	var value any
	switch m := data.(type) {
	case map[string]any:
		value = m["SourceAMI"]
	case map[any]any:
		value = m["SourceAMI"]
	case map[string]string:
		value = m["SourceAMI"]
	}
	id, _ := value.(string)
	if !manifest.IsAMI(id) {
		return ""
	}
	return id
}
