// SPDX-License-Identifier: MPL-2.0

package artifact

import (
	"encoding/json"
	"testing"

	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
)

// FuzzState reads what a builder says about its images and its data, which comes over RPC as maps and
// lists of anything. An AMI that is taken is one.
func FuzzState(f *testing.F) {
	for _, seed := range []string{
		`null`, `[]`, `{}`, `[null]`, `5`, `"x"`,
		`[{"ImageID":"ami-0a1b2c3d4e5f60718","ProviderName":"aws","ProviderRegion":"eu-west-1","SourceImageID":"ami-0b1b2c3d4e5f60718"}]`,
		`{"ImageID":"ami-0a1b2c3d4e5f60718\n","ProviderName":"aws","ProviderRegion":"eu-west-1"}`,
		`[{"imageid":7,"ProviderName":["aws"]},{"ImageID":"x","Labels":{"a":1}}]`,
		`{"SourceAMI":"ami-0a1b2c3d4e5f60718"}`, `{"SourceAMI":{"a":"b"}}`, `{"BuildRegion":"eu-west-1\n"}`, `[[[[{"ImageID":[{}]}]]]]`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var state any
		if json.Unmarshal(body, &state) != nil {
			return
		}
		for _, image := range FromState(state) {
			isAMI := manifest.IsAMI(image.ID) && manifest.IsRegion(image.Region)
			if image.ID == "" || (image.Provider == manifest.ProviderAWS && !isAMI) {
				t.Errorf("%s became %+v", body, image)
			}
		}
		if region := Region(state); region != "" && !manifest.IsRegion(region) {
			t.Errorf("%s has the region %q", body, region)
		}
		if id := SourceAMI(state); id != "" && !manifest.IsAMI(id) {
			t.Errorf("%s has the source AMI %q", body, id)
		}
	})
}
