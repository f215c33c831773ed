// SPDX-License-Identifier: MPL-2.0

// Package registry keeps the builds and refs of images in a store. Builds are documents, one for
// each fingerprint; refs are named pointers to them, as in git:
//
//	<image>/builds/<fingerprint>.json
//	<image>/refs/<name>.json
//
// Nothing is listed and no index grows, so a look-up costs the same however long the history is.
package registry

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
	"github.com/packer-chain/packer-plugin-chain/internal/store"
	"github.com/packer-chain/packer-plugin-chain/internal/text"
)

// ErrNotFound means that the registry has no such build or ref.
var ErrNotFound = store.ErrNotFound

// Registry is a registry over a store.
type Registry struct {
	// Notify, where set, is told what a write waits for, once in a while.
	Notify func(msg string)

	store *store.Ahead
	now   func() time.Time
	newID func() string
}

// New is the registry in a store.
func New(s store.Store) *Registry {
	return &Registry{store: &store.Ahead{Store: s}, now: func() time.Time { return time.Now().UTC().Truncate(time.Second) }, newID: rand.Text}
}

// Stored is a manifest as it lies in the registry.
type Stored struct {
	Manifest *manifest.Manifest
	Body     []byte
	SHA256   string
	URI      string
}

// Manifest reads the build of an image with that fingerprint. The error is [ErrNotFound] when there
// is none, and [manifest.ErrCorrupt] when it is damaged or another's.
func (r *Registry) Manifest(ctx context.Context, image, fingerprint string) (stored Stored, err error) {
	err = unlessTorn(func() error {
		stored, err = r.manifest(ctx, image, fingerprint)
		return err
	})
	return stored, err
}

func (r *Registry) manifest(ctx context.Context, image, fingerprint string) (Stored, error) {
	object, err := r.store.Get(ctx, buildKey(image, fingerprint))
	if err != nil {
		return Stored{}, err
	}
	return r.stored(object.Body, image, fingerprint)
}

// unlessTorn runs fn again while what it reads is damaged: some stores answer a read that meets a write with
// parts of both. What is damaged three times in a row is damaged.
func unlessTorn(fn func() error) (err error) {
	for range 3 {
		if err = fn(); !errors.Is(err, manifest.ErrCorrupt) {
			break
		}
	}
	return err
}

// ReadAhead reads a build and refs of an image before they are needed, beside other work. Nothing of it
// is believed without a check: a write of what has changed since is repeated.
func (r *Registry) ReadAhead(ctx context.Context, image, fingerprint string, refs ...string) {
	keys := []string{buildKey(image, fingerprint)}
	for _, name := range refs {
		keys = append(keys, refKey(image, name))
	}
	r.store.Read(ctx, keys...)
}

// ManifestURI is the address of a build, whether it exists or not.
func (r *Registry) ManifestURI(image, fingerprint string) string {
	return r.store.Address(buildKey(image, fingerprint))
}

// RefURI is the address of a ref, whether it exists or not.
func (r *Registry) RefURI(image, name string) string { return r.store.Address(refKey(image, name)) }

// Ref reads a ref of an image. The error is [ErrNotFound] when there is none, and [manifest.ErrCorrupt] when
// it is damaged or another's.
func (r *Registry) Ref(ctx context.Context, image, name string) (ref *Ref, err error) {
	err = unlessTorn(func() error {
		ref, err = r.ref(ctx, image, name)
		return err
	})
	return ref, err
}

func (r *Registry) ref(ctx context.Context, image, name string) (*Ref, error) {
	key := refKey(image, name)
	object, err := r.store.Get(ctx, key)
	if err != nil {
		return nil, err
	}
	ref, err := parseRef(object.Body, image, name)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", r.store.Address(key), err)
	}
	return ref, nil
}

// Follow reads the build that a ref points at, and checks that it is the one. The manifest may be
// newer than the ref says, by a merge whose move of the ref is still to come; never older.
func (r *Registry) Follow(ctx context.Context, ref *Ref) (stored Stored, err error) {
	err = unlessTorn(func() error {
		stored, err = r.follow(ctx, ref)
		return err
	})
	return stored, err
}

func (r *Registry) follow(ctx context.Context, ref *Ref) (Stored, error) {
	stored, err := r.manifest(ctx, ref.Image, ref.Fingerprint)
	if errors.Is(err, ErrNotFound) {
		return Stored{}, fmt.Errorf("read %s: %w: ref %s points at it, but it is not there",
			r.ManifestURI(ref.Image, ref.Fingerprint), manifest.ErrCorrupt, ref.Name)
	}
	if err != nil {
		return Stored{}, err
	}
	seq := stored.Manifest.Chain.Seq
	if seq < ref.ManifestSeq || (seq == ref.ManifestSeq && stored.SHA256 != ref.ManifestSHA256) {
		return Stored{}, fmt.Errorf("read %s: %w: it is not the manifest that ref %s points at (SHA-256 %s, expected %s)",
			stored.URI, manifest.ErrCorrupt, ref.Name, stored.SHA256, ref.ManifestSHA256)
	}
	return stored, nil
}

// Publish merges entries into the build of an image, or begins it. It tries until ctx ends.
func (r *Registry) Publish(ctx context.Context, entries []manifest.Entry, facts manifest.Chain) (Stored, error) {
	writeID := r.newID()
	body, err := r.update(ctx, buildKey(facts.Image, facts.Fingerprint), func(current []byte) ([]byte, error) {
		var old *manifest.Manifest
		if current != nil {
			stored, err := r.stored(current, facts.Image, facts.Fingerprint)
			if err != nil {
				return nil, err
			}
			old = stored.Manifest
		}
		merged, changed := manifest.Merge(old, entries, facts, r.now(), writeID)
		if !changed {
			return nil, store.ErrUnchanged
		}
		return r.encode(merged, facts.Image, facts.Fingerprint)
	})
	if err != nil {
		return Stored{}, err
	}
	return r.stored(body, facts.Image, facts.Fingerprint)
}

// encodePruned encodes a manifest, without its oldest entries where all do not fit.
func encodePruned(m *manifest.Manifest) ([]byte, error) {
	for {
		body, err := manifest.Encode(m)
		if !errors.Is(err, manifest.ErrTooLarge) {
			return body, err
		}
		smaller, pruned := manifest.Prune(m)
		if !pruned {
			return nil, err
		}
		m = smaller
	}
}

// Move points a ref of an image at a build. It tries until ctx ends, and
// answers what became of the ref.
func (r *Registry) Move(ctx context.Context, image, name string, to Target, rule Rule, by string) (Moved, error) {
	move := Move{Fingerprint: to.Fingerprint, Commit: to.Commit, MovedAt: r.now(), MovedBy: by, WriteID: r.newID()}
	var moved Moved
	_, err := r.update(ctx, refKey(image, name), func(current []byte) ([]byte, error) {
		var old *Ref
		if current != nil {
			var err error
			if old, err = parseRef(current, image, name); err != nil {
				return nil, fmt.Errorf("read %s: %w", r.RefURI(image, name), err)
			}
		}
		if landed, found := old.hasMove(move.WriteID); found {
			// The answer got lost. What was there before it is known from the edit that made it.
			moved.Seq = landed
			return nil, store.ErrUnchanged
		}
		var after *Ref
		if after, moved = old.next(r.newest(ctx, old, to), rule, move); after == nil {
			return nil, store.ErrUnchanged
		}
		after.Image, after.Name = image, name
		return r.encodeRef(after)
	})
	return moved, err
}

// MoveBack points a ref at what it pointed at before a move, unless someone moved it since. A move whose
// answer was lost cannot land after that. A ref that the move created stays: nothing is ever deleted.
func (r *Registry) MoveBack(ctx context.Context, image, name string, moved Moved) error {
	if !moved.Moved || moved.Before == nil {
		return nil
	}
	writeID := r.newID()
	_, err := r.update(ctx, refKey(image, name), func(current []byte) ([]byte, error) {
		if current == nil {
			return nil, store.ErrUnchanged
		}
		ref, err := parseRef(current, image, name)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", r.RefURI(image, name), err)
		}
		// Before its write has landed, a ref is older; another write makes the condition of that one fail.
		landed, pending := ref.WriteID == moved.WriteID, ref.Seq < moved.Seq
		if !landed && !pending {
			return nil, store.ErrUnchanged
		}
		return r.encodeRef(ref.pointAt(*moved.Before, Move{
			Fingerprint: moved.Before.Fingerprint, Commit: moved.Before.Commit,
			MovedAt: r.now(), MovedBy: ref.MovedBy, WriteID: writeID,
		}))
	})
	return err
}

// Withdraw takes entries out of the build of an image. One that holds nothing else that counts is marked
// as revoked instead, so that nothing stands on it. It answers whether the entries were there.
func (r *Registry) Withdraw(ctx context.Context, image, fingerprint string, entries []manifest.Entry) (found bool, err error) {
	writeID := r.newID()
	_, err = r.update(ctx, buildKey(image, fingerprint), func(current []byte) ([]byte, error) {
		if current == nil {
			return nil, store.ErrUnchanged
		}
		stored, err := r.stored(current, image, fingerprint)
		if err != nil {
			return nil, err
		}
		m, changed := manifest.Withdraw(stored.Manifest, entries, r.now(), writeID)
		found = found || changed
		if !changed || stored.Manifest.Chain.WriteID == writeID {
			return nil, store.ErrUnchanged
		}
		return r.encode(m, image, fingerprint)
	})
	return found, err
}

// encode is the body of a manifest. One that could not be read again is never written: it would stay
// in the way of everybody.
func (r *Registry) encode(m *manifest.Manifest, image, fingerprint string) ([]byte, error) {
	body, err := encodePruned(m)
	if err != nil {
		return nil, fmt.Errorf("write %s: %w\n\nIt was left as it is. The sources of one image do not fit into one manifest: "+
			"make several images of it.", r.ManifestURI(image, fingerprint), err)
	}
	if _, err = manifest.Read(body, image, fingerprint); err != nil {
		return nil, fmt.Errorf("write %s: it would be unreadable: %w", r.ManifestURI(image, fingerprint), err)
	}
	return body, nil
}

// encodeRef is the body of a ref, which can be read again.
func (r *Registry) encodeRef(ref *Ref) ([]byte, error) {
	body, err := manifest.Encode(ref)
	if err == nil {
		_, err = parseRef(body, ref.Image, ref.Name)
	}
	if err != nil {
		return nil, fmt.Errorf("write %s: it would be unreadable: %w", r.RefURI(ref.Image, ref.Name), err)
	}
	return body, nil
}

func (r *Registry) update(ctx context.Context, key string, edit func([]byte) ([]byte, error)) (body []byte, err error) {
	err = unlessTorn(func() error {
		body, err = store.Updater{Store: r.store, Notify: r.Notify}.Update(ctx, key, edit)
		return err
	})
	return body, err
}

func (r *Registry) stored(body []byte, image, fingerprint string) (Stored, error) {
	uri := r.ManifestURI(image, fingerprint)
	m, err := manifest.Read(body, image, fingerprint)
	if err != nil {
		return Stored{}, fmt.Errorf("read %s: %w", uri, err)
	}
	return Stored{Manifest: m, Body: body, SHA256: text.SHA256(body), URI: uri}, nil
}

func buildKey(image, fingerprint string) string { return image + "/builds/" + fingerprint + ".json" }

func refKey(image, name string) string { return image + "/refs/" + name + ".json" }
