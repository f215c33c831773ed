// SPDX-License-Identifier: MPL-2.0

package parent

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
	"github.com/packer-chain/packer-plugin-chain/internal/registry"
)

func TestStatus(t *testing.T) {
	on := func(fingerprint string, amis map[string]string) *registry.Pointer {
		return &registry.Pointer{Moves: []registry.Move{{Target: registry.Target{
			Fingerprint: fingerprint, Builds: []registry.Build{{Source: "amazon-ebs.a", AMIs: amis}}}}}}
	}
	old, now := map[string]string{"eu-west-1": ami1}, map[string]string{"eu-west-1": ami2, "us-east-1": ami1}
	base := manifest.Ancestor{Image: "base", Fingerprint: print1, AMIs: old, Channel: "latest"}
	files := manifest.Ancestor{Image: "files", Fingerprint: print1, Channel: "stable"}
	baseLatest, filesStable := ancestorChannel{"base", "latest"}, ancestorChannel{"files", "stable"}
	type channels = map[ancestorChannel]*registry.Pointer
	for name, tt := range map[string]struct {
		way       string
		ancestors []manifest.Ancestor
		channels  channels
		status    string
		outdated  []string
	}{
		"nothing below":           {status: "current"},
		"as it was":               {ancestors: []manifest.Ancestor{base}, channels: channels{baseLatest: on(print1, old)}, status: "current"},
		"built again":             {ancestors: []manifest.Ancestor{base}, channels: channels{baseLatest: on(print1, now)}, status: "outdated", outdated: []string{"base"}},
		"a file as it was":        {ancestors: []manifest.Ancestor{files}, channels: channels{filesStable: on(print1, nil)}, status: "current"},
		"a file of other parts":   {ancestors: []manifest.Ancestor{files}, channels: channels{filesStable: on(print2, nil)}, status: "outdated", outdated: []string{"files"}},
		"no such channel":         {ancestors: []manifest.Ancestor{base}, status: "unknown"},
		"one of two is not known": {ancestors: []manifest.Ancestor{base, files}, channels: channels{baseLatest: on(print1, now)}, status: "outdated", outdated: []string{"base"}},
		"twice the same":          {ancestors: []manifest.Ancestor{base, base}, channels: channels{baseLatest: on(print1, now)}, status: "outdated", outdated: []string{"base"}},
		"found by tag":            {way: wayTag, status: "unknown"},
	} {
		t.Run(name, func(t *testing.T) {
			p := parent{candidate: candidate{way: wayRegistry, channels: tt.channels}}
			if tt.way != "" {
				p.way = tt.way
			}
			p.facts.Ancestors = tt.ancestors
			status, outdated := p.status()
			if diff := cmp.Diff(append([]string{}, tt.outdated...), outdated); diff != "" || status != tt.status {
				t.Errorf("got %s, want %s\n%s", status, tt.status, diff)
			}
		})
	}
}

func TestLacks(t *testing.T) {
	p := parent{}
	p.facts.Ancestors = []manifest.Ancestor{{Image: "runtime"}, {Image: "hardened"}}
	if got := p.lacks([]string{"hardened", "audited"}); !cmp.Equal(got, []string{"audited"}) {
		t.Errorf("got %q", got)
	}
}
