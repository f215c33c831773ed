// SPDX-License-Identifier: MPL-2.0

package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/packer-chain/packer-plugin-chain/internal/store"
)

const (
	rounds  = 10
	writers = 8
	// updates is how many entries each writer adds.
	updates = 10
	patient = 2 * time.Minute
)

func testRaceToCreate(t *testing.T, s store.Store) {
	for round := range rounds {
		key := fmt.Sprintf("race/%d.json", round)
		var won atomic.Int32
		together(writers, func(writer int) {
			_, err := s.Put(t.Context(), key, fmt.Appendf(nil, `{"writer":%d}`, writer), "")
			switch {
			case err == nil:
				won.Add(1)
			case !errors.Is(err, store.ErrConflict):
				t.Errorf("create %s: %v", key, err)
			}
		})
		if won.Load() != 1 {
			t.Errorf("%d of %d writers created %s, want 1", won.Load(), writers, key)
		}
	}
}

// testLostAnswers loses every third response after the write has landed.
func testLostAnswers(t *testing.T, s store.Store) {
	lossy := &Lossy{Store: s, Lose: func(put int) bool { return put%3 == 0 }}
	ctx, cancel := context.WithTimeout(t.Context(), patient)
	defer cancel()
	var ids []string
	for i := range 6 {
		ids = append(ids, fmt.Sprintf("only-%d", i))
		_, err := store.Updater{Store: lossy}.Update(ctx, "log.json", nil, Append(ids[i]))
		if err != nil {
			t.Fatal(err)
		}
	}
	wantLog(t, s, ids)
	if lossy.Lost() == 0 {
		t.Error("no response was lost, so nothing was tested")
	}
}

// testRaceToUpdate lets all writers append to one document at once, and wants every entry once.
func testRaceToUpdate(t *testing.T, s store.Store) {
	ctx, cancel := context.WithTimeout(t.Context(), patient)
	defer cancel()
	together(writers, func(writer int) {
		for i := range updates {
			id := fmt.Sprintf("%d-%d", writer, i)
			_, err := store.Updater{Store: s}.Update(ctx, "log.json", nil, Append(id))
			if err != nil {
				t.Errorf("append %s: %v", id, err)
			}
		}
	})
	var ids []string
	for i := range writers * updates {
		ids = append(ids, fmt.Sprintf("%d-%d", i/updates, i%updates))
	}
	wantLog(t, s, ids)
}

func wantLog(t *testing.T, s store.Store, ids []string) {
	t.Helper()
	object, err := s.Get(t.Context(), "log.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := CheckLog(object.Body, ids); err != nil {
		t.Errorf("read %s: %v", s.Address("log.json"), err)
	}
}

// together runs n calls of do concurrently, and waits for them.
func together(n int, do func(i int)) {
	start := make(chan struct{})
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			<-start
			do(i)
		})
	}
	close(start)
	all.Wait()
}
