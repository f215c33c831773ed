// SPDX-License-Identifier: MPL-2.0

package ami

import (
	"strings"
	"testing"
)

// FuzzFromArtifactID reads the ids of artifacts, which any builder may write. What is taken for AMIs is
// the whole id and nothing else.
func FuzzFromArtifactID(f *testing.F) {
	const id = "ami-0a1b2c3d4e5f60718"
	for _, seed := range []string{
		"", "eu-west-1:" + id, "eu-west-1:" + id + ",us-east-1:" + id, "eu-west-1:" + id + ",", "eu-west-1:" + id + "\n",
		"eu-west-1\n:" + id, "sha256:" + strings.Repeat("a", 64), "File", ":", ",,,", "eu-west-1:" + id + ":" + id, "eu-west-1: " + id,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, artifact string) {
		images := FromArtifactID(artifact)
		if len(images) == 0 {
			return
		}
		var parts []string
		for _, image := range images {
			if !ValidID(image.ID) || CheckRegion(image.Region) != nil {
				t.Errorf("%q holds the AMI %q in %q", artifact, image.ID, image.Region)
			}
			parts = append(parts, image.Region+":"+image.ID)
		}
		if again := strings.Join(parts, ","); again != artifact {
			t.Errorf("%q was read as %q", artifact, again)
		}
	})
}

// FuzzTagValue makes tag values of whatever is in a manifest or the environment.
func FuzzTagValue(f *testing.F) {
	f.Add("\x7f\u0085")
	f.Add("https://ci.example.com/1")
	f.Add("a\x00b\n\xff" + strings.Repeat("é", 300))
	f.Fuzz(func(t *testing.T, text string) {
		if broken := CheckTags(map[string]string{"key": TagValue(text)}); len(broken) > 0 {
			t.Errorf("%q became a value that EC2 refuses: %v", text, broken)
		}
	})
}
