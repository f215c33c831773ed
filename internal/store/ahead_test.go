// SPDX-License-Identifier: MPL-2.0

package store_test

import (
	"context"
	"errors"
	"testing"

	"github.com/packer-chain/packer-plugin-chain/internal/store"
	"github.com/packer-chain/packer-plugin-chain/internal/store/storetest"
	"github.com/packer-chain/packer-plugin-chain/internal/store/storetest/memstore"
)

func TestAhead(t *testing.T) {
	storetest.Run(t, func(*testing.T) store.Store { return &store.Ahead{Store: memstore.New()} })
}

// TestAhead_stale has another writer come between what was read ahead and the write.
func TestAhead_stale(t *testing.T) {
	behind := memstore.New()
	ahead := &store.Ahead{Store: behind}
	ahead.Read(t.Context(), "a.json", "b.json")
	for _, key := range []string{"a.json", "b.json"} {
		if _, err := (store.Updater{Store: behind}).Update(t.Context(), key, storetest.Append("other")); err != nil {
			t.Fatal(err)
		}
		if _, err := ahead.Get(t.Context(), key); !errors.Is(err, store.ErrNotFound) {
			t.Fatalf("what was read ahead is not answered: %v", err)
		}
	}
	ahead.Read(t.Context(), "a.json")
	if _, err := (store.Updater{Store: behind}).Update(t.Context(), "a.json", storetest.Append("third")); err != nil {
		t.Fatal(err)
	}
	body, err := store.Updater{Store: ahead}.Update(t.Context(), "a.json", storetest.Append("ours"))
	if err != nil {
		t.Fatal(err)
	}
	if err := storetest.CheckLog(body, []string{"other", "third", "ours"}); err != nil {
		t.Error(err)
	}
}

// TestAhead_late has an answer come when nobody waits for it any more. It was kept, and told a later reader
// that an object written meanwhile was not there.
func TestAhead_late(t *testing.T) {
	behind := memstore.New()
	ctx, cancel := context.WithCancel(t.Context())
	ahead := &store.Ahead{Store: impatient{behind, cancel}}
	ahead.Read(ctx, "a.json")
	if _, err := (store.Updater{Store: behind}).Update(t.Context(), "a.json", storetest.Append("ours")); err != nil {
		t.Fatal(err)
	}
	if _, err := ahead.Get(t.Context(), "a.json"); err != nil {
		t.Errorf("got %v, want what is there now", err)
	}
}

// impatient is a store whose reader gives up while the answer is on its way.
type impatient struct {
	*memstore.Store
	giveUp func()
}

func (s impatient) Get(ctx context.Context, key string) (store.Object, error) {
	object, err := s.Store.Get(ctx, key)
	s.giveUp()
	return object, err
}
