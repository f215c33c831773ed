// SPDX-License-Identifier: MPL-2.0

// Package storetest holds every store to the same promises. [Run] is the suite; [Append] and
// [CheckLog] are its means, for tests that race in other ways, such as several processes.
package storetest

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/packer-chain/packer-plugin-chain/internal/store"
)

// Run runs the suite. Each call of open returns an empty store.
func Run(t *testing.T, open func(t *testing.T) store.Store) {
	tests := []struct {
		name string
		test func(*testing.T, store.Store)
	}{
		{"absent", testAbsent},
		{"create", testCreate},
		{"create_again", testCreateAgain},
		{"swap", testSwap},
		{"swap_stale", testSwapStale},
		{"swap_absent", testSwapAbsent},
		{"back_to_earlier_content", testBackToEarlierContent},
		{"size", testSize},
		{"keys", testKeys},
		{"bad_keys", testBadKeys},
		{"cancelled", testCancelled},
		{"race_to_create", testRaceToCreate},
		{"race_to_update", testRaceToUpdate},
		{"lost_answers", testLostAnswers},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { tt.test(t, open(t)) })
	}
}

func testAbsent(t *testing.T, s store.Store) {
	_, err := s.Get(t.Context(), "a/absent.json")
	wantErr(t, err, store.ErrNotFound)
	if address := s.Address("a/absent.json"); err != nil && !strings.Contains(err.Error(), address) {
		t.Errorf("the error does not name the address %s: %v", address, err)
	}
}

func testCreate(t *testing.T, s store.Store) {
	tag := mustPut(t, s, "a/b.json", `{"seq":1}`, "")
	wantObject(t, s, "a/b.json", `{"seq":1}`, tag)
}

func testCreateAgain(t *testing.T, s store.Store) {
	tag := mustPut(t, s, "b.json", `{"seq":1}`, "")
	// The same bytes too: who created it is not known from them.
	for _, body := range []string{`{"seq":2}`, `{"seq":1}`} {
		_, err := s.Put(t.Context(), "b.json", []byte(body), "")
		wantErr(t, err, store.ErrConflict)
	}
	wantObject(t, s, "b.json", `{"seq":1}`, tag)
}

func testSwap(t *testing.T, s store.Store) {
	first := mustPut(t, s, "b.json", `{"seq":1}`, "")
	second := mustPut(t, s, "b.json", `{"seq":2}`, first)
	if first == second {
		t.Errorf("two contents have one tag, %s", first)
	}
	wantObject(t, s, "b.json", `{"seq":2}`, second)
	object, err := s.Get(t.Context(), "b.json")
	if err != nil {
		t.Fatal(err)
	}
	mustPut(t, s, "b.json", `{"seq":3}`, object.ETag)
}

func testSwapStale(t *testing.T, s store.Store) {
	first := mustPut(t, s, "b.json", `{"seq":1}`, "")
	second := mustPut(t, s, "b.json", `{"seq":2}`, first)
	_, err := s.Put(t.Context(), "b.json", []byte(`{"seq":2,"other":true}`), first)
	wantErr(t, err, store.ErrConflict)
	wantObject(t, s, "b.json", `{"seq":2}`, second)
}

// testSwapAbsent allows ErrConflict besides ErrVanished: some buckets return 412 instead of 404.
func testSwapAbsent(t *testing.T, s store.Store) {
	tag := mustPut(t, s, "other.json", `{"seq":1}`, "")
	_, err := s.Put(t.Context(), "absent.json", []byte(`{"seq":2}`), tag)
	if !errors.Is(err, store.ErrVanished) && !errors.Is(err, store.ErrConflict) {
		t.Errorf("swap of an absent object: %v, want ErrVanished or ErrConflict", err)
	}
	_, err = s.Get(t.Context(), "absent.json")
	wantErr(t, err, store.ErrNotFound)
}

// testBackToEarlierContent goes from A to B and back to A. A tag may be a hash of the bytes, so
// this is safe only because every write has its own write id.
func testBackToEarlierContent(t *testing.T, s store.Store) {
	stale := mustPut(t, s, "ref.json", `{"to":"A","seq":1,"write_id":"k3"}`, "")
	tag := mustPut(t, s, "ref.json", `{"to":"B","seq":2,"write_id":"p8"}`, stale)
	tag = mustPut(t, s, "ref.json", `{"to":"A","seq":3,"write_id":"x1"}`, tag)
	_, err := s.Put(t.Context(), "ref.json", []byte(`{"to":"C","seq":2,"write_id":"z5"}`), stale)
	wantErr(t, err, store.ErrConflict)
	wantObject(t, s, "ref.json", `{"to":"A","seq":3,"write_id":"x1"}`, tag)
}

func testSize(t *testing.T, s store.Store) {
	largest := string(bytes.Repeat([]byte("x"), store.MaxSize))
	tag := mustPut(t, s, "largest.json", largest, "")
	wantObject(t, s, "largest.json", largest, tag)
	_, err := s.Put(t.Context(), "larger.json", []byte(largest+"x"), "")
	wantErr(t, err, store.ErrTooLarge)
	_, err = s.Get(t.Context(), "larger.json")
	wantErr(t, err, store.ErrNotFound)
}

func testKeys(t *testing.T, s store.Store) {
	keys := []string{
		"a", "a.json", "with space/and+plus.json", "per%20cent/%2F.json", "é/ü.json", "日本/画像.json",
		"-dash/_under.json", "...", ".hidden", "a/..b/c..", "q?x=1&y#z", "'quote'/(round)/[square]",
		"tilde~/@at!",
	}
	if testing.Short() || !oddFileNames {
		keys = keys[:6]
	}
	for _, key := range keys {
		mustPut(t, s, key+".x", key, "")
	}
	for _, key := range keys {
		object, err := s.Get(t.Context(), key+".x")
		if err != nil || string(object.Body) != key {
			t.Errorf("key %q: read %q, %v", key, object.Body, err)
		}
	}
}

func testBadKeys(t *testing.T, s store.Store) {
	keys := []string{
		"", "/a", "a/", "a//b", ".", "..", "../a", "a/../b", `a\b`, "c:a", "a\x00b", "a\nb", "\xff",
	}
	for _, key := range keys {
		_, err := s.Get(t.Context(), key)
		wantErr(t, err, store.ErrBadKey)
		_, err = s.Put(t.Context(), key, []byte("{}"), "")
		wantErr(t, err, store.ErrBadKey)
	}
}

func testCancelled(t *testing.T, s store.Store) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := s.Get(ctx, "a.json")
	wantErr(t, err, context.Canceled)
	_, err = s.Put(ctx, "a.json", []byte("{}"), "")
	wantErr(t, err, context.Canceled)
	_, err = s.Get(t.Context(), "a.json")
	wantErr(t, err, store.ErrNotFound)
}

func mustPut(t *testing.T, s store.Store, key, body, tag string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	tag, err := s.Put(ctx, key, []byte(body), tag)
	if err != nil {
		t.Fatal(err)
	}
	if tag == "" {
		t.Fatalf("write %s: the tag is empty", s.Address(key))
	}
	return tag
}

func wantObject(t *testing.T, s store.Store, key, body, tag string) {
	t.Helper()
	object, err := s.Get(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	if string(object.Body) != body || object.ETag != tag {
		t.Errorf("read %s: %d bytes with tag %s, want %d with %s",
			s.Address(key), len(object.Body), object.ETag, len(body), tag)
	}
}

func wantErr(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("error %v, want %v", err, want)
	}
}
