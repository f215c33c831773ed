// SPDX-License-Identifier: MPL-2.0

// Package dirstore is a store in a local folder: one file for each key. It may be used by several
// goroutines and processes at once, on Windows too. A reader never sees half a file, and a process
// that dies leaves the old file or the new one.
package dirstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/packer-chain/packer-plugin-chain/internal/store"
	"github.com/packer-chain/packer-plugin-chain/internal/text"
)

// maxReads is how often a file is read if Windows refuses that while the file is being replaced.
const maxReads = 10

var _ store.Store = (*Store)(nil)

// Store is a store in a folder. Use [New].
type Store struct{ dir string }

// New returns the store in a folder. The first write makes the folder.
func New(dir string) *Store {
	if abs, err := filepath.Abs(dir); err == nil {
		dir = abs
	}
	return &Store{dir: dir}
}

// Address returns the absolute path of the file that holds the key.
func (s *Store) Address(key string) string { return filepath.Join(s.dir, filepath.FromSlash(key)) }

// Get reads the file of a key. Its ETag is the SHA-256 of the bytes, in hex.
func (s *Store) Get(ctx context.Context, key string) (store.Object, error) {
	if err := check(ctx, key); err != nil {
		return store.Object{}, fmt.Errorf("read %q in %s: %w", key, s.dir, err)
	}
	for attempt := 1; ; attempt++ {
		body, err := read(s.Address(key))
		if err == nil {
			return store.Object{Body: body, ETag: text.SHA256(body)}, nil
		}
		// To Windows, nothing exists below a file. A store that is a file is not an empty one.
		if info, statErr := os.Stat(s.dir); errors.Is(err, store.ErrNotFound) && statErr == nil &&
			!info.IsDir() {
			err = fmt.Errorf("%s is not a directory", s.dir)
		}
		if !errors.Is(err, store.ErrTransient) || attempt == maxReads ||
			(store.Backoff{}).Wait(ctx, 1, err) != nil {
			return store.Object{}, fmt.Errorf("read %s: %w", s.Address(key), err)
		}
	}
}

// Put writes the file of a key if it still has that tag or, with an empty tag, if it does not
// exist. It makes the folders that it needs. Its outcome is always known.
func (s *Store) Put(ctx context.Context, key string, body []byte, tag string) (string, error) {
	if err := check(ctx, key); err != nil {
		return "", fmt.Errorf("write %q in %s: %w", key, s.dir, err)
	}
	if len(body) > store.MaxSize {
		return "", fmt.Errorf("write %s: %w", s.Address(key), store.ErrTooLarge)
	}
	if err := s.replace(ctx, s.Address(key), body, tag); err != nil {
		return "", fmt.Errorf("write %s: %w", s.Address(key), err)
	}
	return text.SHA256(body), nil
}

func check(ctx context.Context, key string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := store.CheckKey(key); err != nil {
		return err
	}
	first, _, _ := strings.Cut(key, "/")
	// IsLocal also knows the device names of Windows, such as NUL.
	if !filepath.IsLocal(filepath.FromSlash(key)) || strings.EqualFold(first, lockName) {
		return fmt.Errorf("%w: %q cannot be the name of a file here", store.ErrBadKey, key)
	}
	return nil
}

func read(path string) ([]byte, error) {
	// A pipe would be waited for, and nothing ends that.
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return nil, errors.New("it is not a file")
	}
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, store.ErrNotFound
	}
	if err != nil {
		return nil, busy(err)
	}
	defer file.Close()
	body, err := io.ReadAll(io.LimitReader(file, store.MaxSize+1))
	if err != nil {
		return nil, busy(err)
	}
	if len(body) > store.MaxSize {
		return nil, store.ErrTooLarge
	}
	return body, nil
}
