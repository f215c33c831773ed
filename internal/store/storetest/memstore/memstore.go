// SPDX-License-Identifier: MPL-2.0

// Package memstore is a store in memory with the semantics of a bucket, for tests of what is built
// on a store. As in a bucket, equal bytes have equal tags, so that a test finds code that writes
// the same bytes twice.
package memstore

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/packer-chain/packer-plugin-chain/internal/store"
)

var _ store.Store = (*Store)(nil)

// Store is a store in memory. Use [New].
type Store struct {
	mu     sync.Mutex
	bodies map[string][]byte
}

// New returns an empty store.
func New() *Store { return &Store{bodies: map[string][]byte{}} }

// Get reads an object.
func (s *Store) Get(ctx context.Context, key string) (store.Object, error) {
	if err := check(ctx, key); err != nil {
		return store.Object{}, fmt.Errorf("read %s: %w", s.Address(key), err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	body, found := s.bodies[key]
	if !found {
		return store.Object{}, fmt.Errorf("read %s: %w", s.Address(key), store.ErrNotFound)
	}
	return store.Object{Body: bytes.Clone(body), ETag: etag(body)}, nil
}

// Put writes an object if it still has that tag or, with an empty tag, if it does not exist.
func (s *Store) Put(ctx context.Context, key string, body []byte, tag string) (string, error) {
	err := check(ctx, key)
	if err == nil && len(body) > store.MaxSize {
		err = store.ErrTooLarge
	}
	if err == nil {
		err = s.swap(key, body, tag)
	}
	if err != nil {
		return "", fmt.Errorf("write %s: %w", s.Address(key), err)
	}
	return etag(body), nil
}

func (s *Store) swap(key string, body []byte, tag string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	current, found := s.bodies[key]
	switch {
	case !found && tag != "":
		return store.ErrVanished
	case found && tag != etag(current):
		return store.ErrConflict
	}
	s.bodies[key] = append([]byte{}, body...)
	return nil
}

// Delete removes an object, if it exists, as somebody else may do in a bucket.
func (s *Store) Delete(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.bodies, key)
}

// List returns keys with a prefix, as [store.List] does.
func (s *Store) List(_ context.Context, prefix, delimiter string) ([]string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var keys []string
	for key := range s.bodies {
		if rest, ok := strings.CutPrefix(key, prefix); ok {
			if name, _, deeper := strings.Cut(rest, delimiter); deeper {
				rest = name + delimiter
			}
			keys = append(keys, prefix+rest)
		}
	}
	slices.Sort(keys)
	return slices.Compact(keys), nil
}

// Address returns memory:// and the key.
func (s *Store) Address(key string) string { return "memory://" + key }

func check(ctx context.Context, key string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return store.CheckKey(key)
}

// etag returns the MD5, which is the tag of an unencrypted object in S3.
func etag(body []byte) string {
	sum := md5.Sum(body)
	return `"` + hex.EncodeToString(sum[:]) + `"`
}
