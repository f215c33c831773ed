// SPDX-License-Identifier: MPL-2.0

package registry

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/packer-chain/packer-plugin-chain/internal/crash"
	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
	"github.com/packer-chain/packer-plugin-chain/internal/store"
)

// maxReaders is how many pointers are read at once.
const maxReaders = 16

// Revoke marks the builds of a target as revoked. Those that are already keep their mark. It
// retries until ctx ends.
func (r *Registry) Revoke(
	ctx context.Context, image string, of Target, mark manifest.Revocation,
) (Stored, error) {
	mark.At = r.now()
	return r.mark(ctx, image, of, &mark, nil)
}

// Restore takes the mark from the builds of a target, if it still is as it was seen in the manifest
// before its AMIs were restored. It retries until ctx ends.
func (r *Registry) Restore(
	ctx context.Context, image string, of Target, seen Stored,
) (Stored, error) {
	return r.mark(ctx, image, of, nil, func(now []manifest.Entry) error {
		before, complete := of.Entries(seen.Manifest)
		for i, entry := range now {
			if mark := entry.Revoked; mark != nil && (!complete || !mark.Same(before[i].Revoked)) {
				return errors.New("it was revoked again meanwhile\n\nRun it again.")
			}
		}
		return nil
	})
}

func (r *Registry) mark(
	ctx context.Context, image string, of Target, mark *manifest.Revocation,
	check func(now []manifest.Entry) error,
) (Stored, error) {
	writeID := r.newID()
	key := BuildKey(image, of.Fingerprint)
	body, err := r.update(ctx, key, nil, func(current []byte) ([]byte, error) {
		if current == nil {
			return nil, fmt.Errorf("%w: it does not exist", manifest.ErrCorrupt)
		}
		stored, err := r.stored(current, image, of.Fingerprint)
		if err != nil {
			return nil, err
		}
		entries, complete := of.Entries(stored.Manifest)
		if !complete {
			return nil, fmt.Errorf("%s no longer has the builds that were found", stored.URI)
		}
		if check != nil {
			if err := check(entries); err != nil {
				return nil, err
			}
		}
		marked, changed := stored.Manifest.Mark(of.Has, mark, writeID)
		if !changed {
			return nil, store.ErrUnchanged
		}
		return r.encode(marked, image, of.Fingerprint)
	})
	if err != nil {
		return Stored{}, err
	}
	return r.stored(body, image, of.Fingerprint)
}

// ChannelsAt returns the channels of an image that are on one of a target's builds, by name. It
// lists the channels, and reads them concurrently.
func (r *Registry) ChannelsAt(ctx context.Context, image string, of Target) ([]*Pointer, error) {
	names, all, err := r.Channels(ctx, image)
	if err != nil {
		return nil, err
	}
	if !all {
		return nil, fmt.Errorf("%s has %d channels or more", image, store.MaxListed)
	}
	var mu sync.Mutex
	var at []*Pointer
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(maxReaders)
	for _, name := range names {
		group.Go(crash.Guard("read channel "+name, func() error {
			p, err := r.Pointer(ctx, image, Name{Kind: Channel, Name: name})
			if errors.Is(err, ErrNotFound) {
				return nil
			}
			if err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			if p.Current().Overlaps(of) {
				at = append(at, p)
			}
			return nil
		}))
	}
	err = group.Wait()
	slices.SortFunc(at, func(a, b *Pointer) int { return strings.Compare(a.Name, b.Name) })
	return at, err
}
