// SPDX-License-Identifier: MPL-2.0

package parent

import (
	"context"
	"errors"
	"fmt"
	"log"
	"maps"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/packer-chain/packer-plugin-chain/internal/ami"
	"github.com/packer-chain/packer-plugin-chain/internal/crash"
	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
	"github.com/packer-chain/packer-plugin-chain/internal/registry"
	"github.com/packer-chain/packer-plugin-chain/internal/store"
	"github.com/packer-chain/packer-plugin-chain/internal/text"
)

// ancestorBuild names the manifest of an ancestor, and ancestorChannel the channel that it came
// from.
type (
	ancestorBuild   struct{ image, fingerprint string }
	ancestorChannel struct{ image, channel string }
)

// ancestry is what the registry says of ancestors. What it does not have is missing.
type ancestry struct {
	builds   map[ancestorBuild]*manifest.Manifest
	channels map[ancestorChannel]*registry.Pointer
}

// ancestorsAt returns the ancestors of what a move leads to, if the pointer knows them: they are
// asked about while the manifest is read. Otherwise the manifest names them.
func (s search) ancestorsAt(pointer *registry.Pointer, move registry.Move) []manifest.Ancestor {
	bad := func(a manifest.Ancestor) bool { return a.Check() != nil }
	if !move.Same(pointer.Current()) ||
		slices.ContainsFunc(pointer.Ancestors, bad) {
		return nil
	}
	return pointer.Ancestors
}

// unasked returns the ancestors of a candidate that nobody has been asked about yet.
func (s search) unasked(found candidate) []manifest.Ancestor {
	return slices.DeleteFunc(slices.Clone(found.facts.Ancestors), func(a manifest.Ancestor) bool {
		return slices.ContainsFunc(found.asked, func(b manifest.Ancestor) bool {
			return a.Image == b.Image && a.Fingerprint == b.Fingerprint && a.Channel == b.Channel &&
				maps.Equal(a.AMIs, b.AMIs)
		})
	})
}

// suspects returns the ancestors that EC2 is asked about: all, unless revoked ones are accepted.
func (s search) suspects(ancestors []manifest.Ancestor) []manifest.Ancestor {
	if s.config.AllowRevoked {
		return nil
	}
	return ancestors
}

func hasAMIs(ancestors []manifest.Ancestor) bool {
	return slices.ContainsFunc(ancestors, func(a manifest.Ancestor) bool { return len(a.AMIs) > 0 })
}

// below returns the AMIs of ancestors in some regions, by region. Whoever revokes an image tags it
// in every region: where an ancestor has none in these, those of all of its regions count.
func below(ancestors []manifest.Ancestor, regions []string) map[string][]string {
	ids := map[string][]string{}
	for _, a := range ancestors {
		all := ami.Addresses(a.AMIs)
		near := slices.DeleteFunc(slices.Clone(all), func(at ami.Address) bool {
			return !slices.Contains(regions, at.Region)
		})
		if len(near) == 0 {
			near = all
		}
		for _, at := range near {
			ids[at.Region] = append(ids[at.Region], at.ID)
		}
	}
	return ids
}

// inRegions returns what a map of regions has of some of them.
func inRegions(ids map[string][]string, regions []string) map[string][]string {
	some := map[string][]string{}
	for _, region := range regions {
		some[region] = ids[region]
	}
	return some
}

func merge(a, b map[string][]string) map[string][]string {
	both := maps.Clone(a)
	for region, ids := range b {
		both[region] = slices.Concat(both[region], ids)
	}
	return both
}

// readAncestors reads the manifests of ancestors, and the channels that they came from,
// concurrently. A document that this registry does not have, or that may not be read, says nothing:
// the ancestor may be kept elsewhere.
func (s search) readAncestors(
	ctx context.Context, ancestors []manifest.Ancestor,
) (ancestry, error) {
	read := ancestry{map[ancestorBuild]*manifest.Manifest{}, map[ancestorChannel]*registry.Pointer{}}
	if s.config.Registry == "" || len(ancestors) == 0 {
		return read, nil
	}
	reg, err := s.conn.Registry()
	if err != nil {
		return read, err
	}
	var mu sync.Mutex
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(ami.MaxRegions)
	for _, a := range s.suspects(ancestors) {
		if a.Fingerprint == "" {
			continue
		}
		group.Go(crash.Guard("read the ancestor "+a.Image, func() error {
			stored, err := reg.Manifest(ctx, a.Image, a.Fingerprint)
			switch {
			case errors.Is(err, registry.ErrNotFound):
				return nil
			case errors.Is(err, store.ErrDenied):
				log.Printf("[WARN] is the ancestor %s revoked? %s", a.Image, err)
				return nil
			case err != nil:
				return fmt.Errorf("find out whether the ancestor %s is revoked: %w", a.Image, err)
			}
			mu.Lock()
			defer mu.Unlock()
			read.builds[ancestorBuild{a.Image, a.Fingerprint}] = stored.Manifest
			return nil
		}))
	}
	for _, a := range ancestors {
		if a.Channel == "" {
			continue
		}
		group.Go(crash.Guard("read a channel of "+a.Image, func() error {
			name := registry.Name{Kind: registry.Channel, Name: a.Channel}
			pointer, err := reg.Pointer(ctx, a.Image, name)
			if err != nil {
				// Without it, the image may be up to date or not.
				log.Printf("[WARN] where is %s of %s? %s", name, a.Image, err)
				return nil
			}
			mu.Lock()
			defer mu.Unlock()
			read.channels[ancestorChannel{a.Image, a.Channel}] = pointer
			return nil
		}))
	}
	return read, group.Wait()
}

// revokedBelow returns which of the ancestors is revoked and why, or "". One that EC2 does not
// show, because it belongs to another account, does not count as revoked.
func revokedBelow(
	ancestors []manifest.Ancestor, seen map[ami.Address]ami.Image,
	builds map[ancestorBuild]*manifest.Manifest,
) string {
	for _, a := range ancestors {
		for _, at := range ami.Addresses(a.AMIs) {
			if reason, revoked := ami.RevokedReason(seen[at]); revoked {
				return fmt.Sprintf("its ancestor %s, %s, is revoked%s", a.Image, at, text.Because(reason))
			}
		}
		build := builds[ancestorBuild{a.Image, a.Fingerprint}]
		if mark := build.RevokedAs(a); mark != nil {
			return fmt.Sprintf("its ancestor %s is revoked%s", a.Image, text.Because(mark.Reason))
		}
	}
	return ""
}
