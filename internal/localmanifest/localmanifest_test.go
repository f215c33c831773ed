// SPDX-License-Identifier: MPL-2.0

package localmanifest

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
)

func TestUnpublished(t *testing.T) {
	entry := func(run, source string, at int64) manifest.Entry {
		return manifest.Entry{Name: source, BuilderType: "amazon-ebs", PackerRunUUID: run, ArtifactID: run + source, BuildTime: at}
	}
	no, yes := false, true
	local := func(published *bool, entries ...manifest.Entry) *manifest.Manifest {
		return &manifest.Manifest{Builds: entries, Chain: &manifest.Chain{Published: published}}
	}
	stored := local(nil, entry("1", "amd64", 100))
	unwanted := local(&no, entry("2", "amd64", 101), entry("2", "debug", 101))
	unwanted.Chain.Sources = []string{"amazon-ebs.amd64"}
	for name, tt := range map[string]struct {
		stored, local *manifest.Manifest
		want          []string
	}{
		"nothing in the registry": {nil, local(&no, entry("1", "amd64", 100)), []string{"1amd64"}},
		"Packer's own":            {nil, &manifest.Manifest{Builds: []manifest.Entry{{}}}, nil},
		"published":               {nil, local(nil, entry("1", "amd64", 100)), nil},
		"published, it says":      {nil, local(&yes, entry("1", "amd64", 100)), nil},
		"published since":         {stored, local(&no, entry("1", "amd64", 100)), nil},
		"newer":                   {stored, local(&no, entry("2", "amd64", 101)), []string{"2amd64"}},
		"built anew since":        {stored, local(&no, entry("0", "amd64", 99)), nil},
		// It was published with no entry of that source in the end, and so found again by every later run.
		"of a source that does not count": {nil, unwanted, []string{"2amd64"}},
		"of another source":               {stored, local(&no, entry("0", "arm64", 99), entry("0", "amd64", 99)), []string{"0arm64"}},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, e := range Unpublished(tt.stored, tt.local) {
				got = append(got, e.ArtifactID)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}
