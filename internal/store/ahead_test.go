// SPDX-License-Identifier: MPL-2.0

package store_test

import (
	"errors"
	"testing"

	"github.com/packer-chain/packer-plugin-chain/internal/store"
	"github.com/packer-chain/packer-plugin-chain/internal/store/memstore"
	"github.com/packer-chain/packer-plugin-chain/internal/store/storetest"
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
