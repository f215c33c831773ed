// SPDX-License-Identifier: MPL-2.0

package registry

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
	"github.com/packer-chain/packer-plugin-chain/internal/store"
	"github.com/packer-chain/packer-plugin-chain/internal/store/storetest/memstore"
)

// tearing is a store whose next reads lose the second half of the body.
type tearing struct {
	store.Store
	torn, reads int
}

func (s *tearing) Get(ctx context.Context, key string) (store.Object, error) {
	object, err := s.Store.Get(ctx, key)
	s.reads++
	if s.torn > 0 {
		s.torn--
		object.Body = object.Body[:len(object.Body)/2]
	}
	return object, err
}

// TestTornReads reads what a store answers that mixes a read with a write. One such answer stopped a build,
// although nothing was wrong with the document.
func TestTornReads(t *testing.T) {
	s := &tearing{Store: memstore.New()}
	reg := New(s)
	req := request(latest, publish(t, reg, fp1, "run1"), "c1", 1)
	_, p := move(t, reg, req)
	for name, call := range map[string]func() error{
		"Manifest": func() error { _, err := reg.Manifest(t.Context(), image, fp1); return err },
		"Pointer":  func() error { _, err := reg.Pointer(t.Context(), image, latest); return err },
		"Pointers": func() error { _, err := reg.Pointers(t.Context(), image, latest); return err },
		"Follow":   func() error { _, err := reg.Follow(t.Context(), p, p.Moves[0]); return err },
		"Publish": func() error {
			_, err := reg.Publish(t.Context(), facts(fp1), []manifest.Entry{entry("run1", "app")}, nil)
			return err
		},
		"Move": func() error { _, err := reg.Move(t.Context(), req, nil); return err },
	} {
		t.Run(name, func(t *testing.T) {
			s.torn, s.reads = 2, 0
			if err := call(); err != nil || s.reads != 3 {
				t.Errorf("after %d reads: %v", s.reads, err)
			}
			s.torn, s.reads = 9, 0
			if err := call(); !errors.Is(err, manifest.ErrCorrupt) || s.reads != 3 {
				t.Errorf("after %d reads, all of them torn: %v", s.reads, err)
			}
			s.torn = 0
		})
	}
}

// silent is a store that does not respond to a read.
type silent struct{ store.Store }

func (silent) Get(ctx context.Context, _ string) (store.Object, error) {
	<-ctx.Done()
	return store.Object{}, ctx.Err()
}

// Reading early only saves time. It used up the time of the publication if the store failed, and the error said nothing
// but that.
func TestReadEarly_slow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		early := New(silent{memstore.New()}).ReadEarly(t.Context(), BuildKey(image, fp1), latest.Key(image))
		if took := time.Since(begun); took != earlyTime || len(early) > 0 {
			t.Errorf("%d documents after %s", len(early), took)
		}
	})
}
