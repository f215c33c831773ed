// SPDX-License-Identifier: MPL-2.0

// Package registry keeps the builds of images and the pointers to them in a store. Builds are
// documents, one for each fingerprint. Pointers are channels, which people move, and lines, which
// say what the runs of one branch, pull request or tag left:
//
//	<image>/builds/<fingerprint>.json
//	<image>/channels/<name>.json
//	<image>/lines/<name>.json
//
// Nothing is listed and no index grows, so a lookup costs the same however long the history is.
package registry

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/packer-chain/packer-plugin-chain/internal/crash"
	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
	"github.com/packer-chain/packer-plugin-chain/internal/store"
	"github.com/packer-chain/packer-plugin-chain/internal/text"
)

const (
	schema = manifest.Schema

	// maxReads is how often a damaged document is read.
	maxReads = 3
	// earlyTime limits [Registry.ReadEarly], which only saves time: what takes longer is left to the
	// write, which also finds out why.
	earlyTime = time.Second
)

// ErrNotFound means that the registry has no such build or pointer.
var ErrNotFound = store.ErrNotFound

// Registry is a registry over a store.
type Registry struct {
	// Notify, if set, is called once in a while with what a write is waiting for.
	Notify func(msg string)

	store store.Store
	now   func() time.Time
	newID func() string
}

// clock is a store that knows what time it is there. Runs on several machines share it.
type clock interface{ Now() time.Time }

// New returns the registry in a store.
func New(s store.Store) *Registry {
	now := time.Now
	if c, ok := s.(clock); ok {
		now = c.Now
	}
	return &Registry{store: s, newID: rand.Text, now: func() time.Time {
		return now().UTC().Truncate(time.Second)
	}}
}

// Now returns the time by the store's clock, in whole seconds. Before the first response of the
// store, it is that of this machine.
func (r *Registry) Now() time.Time { return r.now() }

// Stored is a manifest as the registry has it.
type Stored struct {
	Manifest *manifest.Manifest
	Body     []byte
	SHA256   string
	URI      string
}

// Manifest returns the build of an image with that fingerprint. The error is [ErrNotFound] if it
// does not exist, and [manifest.ErrCorrupt] if it is damaged or describes another build.
func (r *Registry) Manifest(ctx context.Context, image, fingerprint string) (Stored, error) {
	return unlessTorn(func() (Stored, error) {
		return r.readManifest(ctx, image, fingerprint)
	})
}

func (r *Registry) readManifest(ctx context.Context, image, fingerprint string) (Stored, error) {
	object, err := r.store.Get(ctx, BuildKey(image, fingerprint))
	if err != nil {
		return Stored{}, err
	}
	return r.stored(object.Body, image, fingerprint)
}

// Pointer returns a channel or a line of an image. The error is [ErrNotFound] if it does not exist,
// and [manifest.ErrCorrupt] if it is damaged or belongs to another image.
func (r *Registry) Pointer(ctx context.Context, image string, name Name) (*Pointer, error) {
	return unlessTorn(func() (*Pointer, error) {
		object, err := r.store.Get(ctx, name.Key(image))
		if err != nil {
			return nil, err
		}
		return r.pointer(object.Body, image, name)
	})
}

// Pointers reads several pointers of an image concurrently. One that does not exist is nil.
func (r *Registry) Pointers(
	ctx context.Context, image string, names ...Name,
) (map[Name]*Pointer, error) {
	var mu sync.Mutex
	found := map[Name]*Pointer{}
	group, ctx := errgroup.WithContext(ctx)
	for _, name := range names {
		group.Go(crash.Guard("read "+name.String(), func() error {
			p, err := r.Pointer(ctx, image, name)
			if err != nil && !errors.Is(err, ErrNotFound) {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			found[name] = p
			return nil
		}))
	}
	return found, group.Wait()
}

// Follow returns the manifest that a move of a pointer leads to, and checks that it is the right
// one, as [CheckFollowed] does.
func (r *Registry) Follow(ctx context.Context, p *Pointer, move Move) (Stored, error) {
	return unlessTorn(func() (Stored, error) {
		stored, err := r.readManifest(ctx, p.Image, move.Fingerprint)
		if errors.Is(err, ErrNotFound) {
			return Stored{}, fmt.Errorf("read %s: %w: %s points at it, but it does not exist",
				r.ManifestURI(p.Image, move.Fingerprint), manifest.ErrCorrupt, p.ID())
		}
		if err == nil {
			err = CheckFollowed(stored, p, move)
		}
		if err != nil {
			return Stored{}, err
		}
		return stored, nil
	})
}

// CheckFollowed returns an error if a manifest is not what a move of a pointer leads to. It must
// have the builds that the move pins. It may be newer than the pointer, if the writer has not moved
// the pointer yet, but never older.
func CheckFollowed(stored Stored, p *Pointer, move Move) error {
	corrupt := func(format string, args ...any) error {
		return fmt.Errorf("read %s: %w: %s",
			stored.URI, manifest.ErrCorrupt, fmt.Sprintf(format, args...))
	}
	if _, complete := move.Entries(stored.Manifest); !complete {
		return corrupt("it does not have the builds that %s points at", p.ID())
	}
	seq := stored.Manifest.Chain.Seq
	same := move.Fingerprint == p.Fingerprint
	if same && (seq < p.ManifestSeq || seq == p.ManifestSeq && stored.SHA256 != p.ManifestSHA256) {
		return corrupt("it is not the manifest that %s points at (SHA-256 %s, expected %s)",
			p.ID(), stored.SHA256, text.OneLine(p.ManifestSHA256))
	}
	return nil
}

// unlessTorn repeats a read that returned a damaged document: in some stores, a read can return a
// mix of two versions while the document is written.
func unlessTorn[T any](read func() (T, error)) (value T, err error) {
	for range maxReads {
		if value, err = read(); !errors.Is(err, manifest.ErrCorrupt) {
			break
		}
	}
	return value, err
}

// Early holds documents that [Registry.ReadEarly] has read, by their key. Nil holds none.
type Early map[string]store.Object

// preparer is a store that has something to read before its first write.
type preparer interface {
	Prepare(ctx context.Context) error
}

// ReadEarly reads documents concurrently, for writes that follow. It leaves out those that it
// cannot read: their writes read them again. A write whose document has changed since is repeated.
func (r *Registry) ReadEarly(ctx context.Context, keys ...string) Early {
	ctx, cancel := context.WithTimeout(ctx, earlyTime)
	defer cancel()
	var mu sync.Mutex
	early := Early{}
	var all sync.WaitGroup
	if s, ok := r.store.(preparer); ok {
		all.Go(func() {
			_ = crash.Guard("prepare writing", func() error { return s.Prepare(ctx) })()
		})
	}
	for _, key := range keys {
		all.Go(func() {
			_ = crash.Guard("read "+key, func() error {
				object, err := r.store.Get(ctx, key)
				if err != nil && !errors.Is(err, ErrNotFound) {
					return err
				}
				mu.Lock()
				defer mu.Unlock()
				early[key] = object
				return nil
			})()
		})
	}
	all.Wait()
	return early
}

// Absent reports whether it was read that a document does not exist.
func (e Early) Absent(key string) bool {
	object, read := e[key]
	return read && object.ETag == ""
}

// first returns the document of a key for the first round of an update, or nil if it was not read.
func (e Early) first(key string) *store.Object {
	object, ok := e[key]
	if !ok {
		return nil
	}
	return &object
}

// Publish merges entries into the build of an image, or creates it. It retries until ctx ends.
func (r *Registry) Publish(
	ctx context.Context, facts manifest.Facts, entries []manifest.Entry, early Early,
) (Stored, error) {
	image, fingerprint, writeID := facts.Image, facts.Fingerprint, r.newID()
	merge := func(current []byte) ([]byte, error) {
		var old *manifest.Manifest
		if current != nil {
			stored, err := r.stored(current, image, fingerprint)
			if err != nil {
				return nil, err
			}
			old = stored.Manifest
			if err := old.Conflict(entries, facts.Sources); err != nil {
				return nil, &ConflictError{err}
			}
		}
		merged, changed := manifest.Merge(old, facts, entries, r.now(), writeID)
		if !changed {
			return nil, store.ErrUnchanged
		}
		return r.encode(merged, image, fingerprint)
	}
	body, err := r.update(ctx, BuildKey(image, fingerprint), early, merge)
	if err != nil {
		return Stored{}, err
	}
	return r.stored(body, image, fingerprint)
}

// doubtful is a store whose success does not always prove that a write stands.
type doubtful interface{ Doubtful() bool }

// Confirm makes sure that the entries of a publication are in the manifest. If the store's answer
// does not prove it, it reads the manifest again, and publishes again what another write has
// replaced.
func (r *Registry) Confirm(
	ctx context.Context, facts manifest.Facts, entries []manifest.Entry, stored Stored,
) (Stored, error) {
	if s, ok := r.store.(doubtful); !ok || !s.Doubtful() {
		return stored, nil
	}
	for {
		now, err := r.Manifest(ctx, facts.Image, facts.Fingerprint)
		switch {
		case err != nil && !errors.Is(err, ErrNotFound):
			return stored, fmt.Errorf("read back what was written: %w", err)
		case err == nil && len(now.Manifest.Missing(entries)) == 0:
			return now, nil
		}
		if stored, err = r.Publish(ctx, facts, entries, nil); err != nil {
			return stored, err
		}
	}
}

// ConflictError means that entries do not belong into the image that they were published into.
type ConflictError struct{ err error }

func (e *ConflictError) Error() string { return e.err.Error() }

// encode returns the body of a manifest. It refuses one that could not be read again, because
// nobody could publish the image any more.
func (r *Registry) encode(m *manifest.Manifest, image, fingerprint string) ([]byte, error) {
	uri := r.ManifestURI(image, fingerprint)
	body, err := manifest.Encode(m)
	if errors.Is(err, manifest.ErrTooLarge) {
		// Old entries must not keep an image from being published.
		m.Builds = m.Current()
		body, err = manifest.Encode(m)
	}
	if err != nil {
		return nil, fmt.Errorf("write %s: %w\n\nNothing was written. The sources of one image do not "+
			"fit into one manifest: make several images of it.", uri, err)
	}
	if _, err = manifest.Read(body, image, fingerprint); err != nil {
		return nil, fmt.Errorf("write %s: it would be unreadable: %w", uri, err)
	}
	return body, nil
}

func (r *Registry) update(
	ctx context.Context, key string, early Early, edit func([]byte) ([]byte, error),
) ([]byte, error) {
	first := early.first(key)
	return unlessTorn(func() ([]byte, error) {
		updater := store.Updater{Store: r.store, Notify: r.Notify}
		body, err := updater.Update(ctx, key, first, edit)
		first = nil
		return body, err
	})
}

func (r *Registry) stored(body []byte, image, fingerprint string) (Stored, error) {
	uri := r.ManifestURI(image, fingerprint)
	m, err := manifest.Read(body, image, fingerprint)
	if err != nil {
		return Stored{}, fmt.Errorf("read %s: %w", uri, err)
	}
	return Stored{Manifest: m, Body: body, SHA256: text.SHA256(body), URI: uri}, nil
}

// ManifestURI returns the address of a build, whether it exists or not.
func (r *Registry) ManifestURI(image, fingerprint string) string {
	return r.store.Address(BuildKey(image, fingerprint))
}

// PointerURI returns the address of a pointer, whether it exists or not.
func (r *Registry) PointerURI(image string, name Name) string {
	return r.store.Address(name.Key(image))
}

// BuildKey returns the key of a build in the store.
func BuildKey(image, fingerprint string) string {
	return image + "/builds/" + fingerprint + ".json"
}
