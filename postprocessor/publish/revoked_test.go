// SPDX-License-Identifier: MPL-2.0

package publish

import (
	"context"
	"strings"
	"testing"

	"github.com/hashicorp/packer-plugin-sdk/common"

	"github.com/packer-chain/packer-plugin-chain/internal/access"
	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
	"github.com/packer-chain/packer-plugin-chain/internal/record"
	"github.com/packer-chain/packer-plugin-chain/internal/registry"
	"github.com/packer-chain/packer-plugin-chain/internal/store/storetest/memstore"
)

// revoking is a store in which somebody revokes an image as soon as a channel is written.
type revoking struct {
	*memstore.Store
	revoke func()
}

func (s *revoking) Put(ctx context.Context, key string, body []byte, tag string) (string, error) {
	if strings.Contains(key, "/channels/") {
		s.revoke()
	}
	return s.Store.Put(ctx, key, body, tag)
}

// TestPromote_revokedMeanwhile: whoever revokes has looked at the channels by then, and seen
// nothing. So the promotion has to look.
func TestPromote_revokedMeanwhile(t *testing.T) {
	for name, allowed := range map[string]bool{"refused": false, "allowed": true} {
		t.Run(name, func(t *testing.T) {
			offline(t)
			s := &revoking{Store: memstore.New()}
			reg := registry.New(s)
			rec := newRecord("registry")
			entry := manifest.Entry{Name: "image", BuilderType: "file", ArtifactID: "File", PackerRunUUID: "run"}
			stored, err := reg.Publish(t.Context(), rec.Facts, []manifest.Entry{entry}, nil)
			check(t, err)
			to := registry.TargetOf(print1, stored.Manifest.Builds)
			s.revoke = func() {
				_, err := registry.New(s.Store).Revoke(t.Context(), "app", to, manifest.Revocation{Change: manifest.Change{Reason: "leaked"}})
				check(t, err)
			}
			rec.Pending, rec.Entries = nil, stored.Manifest.Builds
			rec.Pointer = &record.Pointer{Target: to, AllowRevoked: allowed}
			j := publication{config: Config{Channels: []string{"production"}, PackerConfig: common.PackerConfig{PackerBuilderType: builderType}}, ui: &screen{}, rec: rec, here: main}
			_, err = j.point(t.Context(), &access.Connection{}, reg, progress{stored: stored}, nil)
			if allowed && err != nil || !allowed && (err == nil || !strings.Contains(err.Error(), "was revoked while the channel moved to it: leaked")) {
				t.Errorf("got %v", err)
			}
		})
	}
}
