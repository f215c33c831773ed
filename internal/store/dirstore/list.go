// SPDX-License-Identifier: MPL-2.0

package dirstore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/packer-chain/packer-plugin-chain/internal/store"
)

// List returns keys with a prefix, as [store.List] does. The prefix is that of a folder, and the
// delimiter a slash: it reads that one folder.
func (s *Store) List(ctx context.Context, prefix, _ string) ([]string, error) {
	dir := filepath.Join(s.dir, filepath.FromSlash(prefix))
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("list %s: %w", dir, err)
	}
	if prefix != "" && !filepath.IsLocal(filepath.FromSlash(prefix)) {
		return nil, fmt.Errorf("list %s: %w: it leads out of the store", dir, store.ErrBadKey)
	}
	// Opening a pipe would wait for whoever writes to it.
	if info, err := os.Stat(dir); err == nil && !info.IsDir() {
		if prefix == "" { // A store that is a file is not an empty one.
			return nil, fmt.Errorf("list %s: it is not a directory", dir)
		}
		return nil, nil
	}
	folder, err := os.Open(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", dir, err)
	}
	defer folder.Close()
	// What it returns with an error, such as io.EOF for an empty folder, is all there is.
	entries, _ := folder.ReadDir(store.MaxListed + 1) // the lock is one of them
	var keys []string
	for _, entry := range entries {
		name := entry.Name()
		if strings.EqualFold(name, lockName) {
			continue
		}
		if entry.IsDir() || entry.Type() == fs.ModeSymlink && isFolder(filepath.Join(dir, name)) {
			name += "/"
		}
		keys = append(keys, prefix+name)
	}
	slices.Sort(keys)
	return keys[:min(len(keys), store.MaxListed)], nil
}

// isFolder reports whether a link leads to a folder: keys below it can be read.
func isFolder(link string) bool {
	info, err := os.Stat(link)
	return err == nil && info.IsDir()
}
