// SPDX-License-Identifier: MPL-2.0

// Package localcopy is the manifest in a local file: the copy that each run leaves in its folder, and
// what a run leaves there that could not publish. It also reads the files of Packer's own manifest
// post-processor.
package localmanifest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/gofrs/flock"
	"github.com/natefinch/atomic"

	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
	"github.com/packer-chain/packer-plugin-chain/internal/text"
)

// lockWait is how often a lock that another process holds is asked for again.
const lockWait = 20 * time.Millisecond

// Read reads a manifest and its bytes. The error is [fs.ErrNotExist] when there is no such file. It
// names no path.
func Read(path string) (*manifest.Manifest, []byte, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, fs.ErrNotExist
	}
	if err != nil {
		return nil, nil, err
	}
	// A pipe or a device has no size, and reading it may never end; a wrong path may lead to a disk image.
	if !info.Mode().IsRegular() || info.Size() > manifest.MaxSize {
		return nil, nil, fmt.Errorf("not a manifest: a file of at most %d bytes is expected", manifest.MaxSize)
	}
	body, err := os.ReadFile(path)
	if err != nil {
		return nil, nil, err
	}
	m, err := manifest.Parse(body)
	return m, body, err
}

// Replace changes a local manifest under a lock, and by a rename, so that no reader ever sees a part of
// it. edit gets what is there, or an empty manifest; it answers nil to leave it. A file that is no
// manifest of this plugin is not replaced: the option may name the wrong one.
func Replace(ctx context.Context, path string, edit func(*manifest.Manifest) ([]byte, error)) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	// The lock lies elsewhere: a file beside the copy would be an uncommitted file of the image.
	name := fmt.Sprintf("packer-chain-%d-%.16s.lock", os.Getuid(), text.SHA256(path))
	lock := flock.New(filepath.Join(os.TempDir(), name))
	if _, err := lock.TryLockContext(ctx, lockWait); err != nil {
		return fmt.Errorf("write %s: wait for another build that writes it: %w", path, err)
	}
	defer lock.Unlock()
	have, _, err := Read(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		have, err = &manifest.Manifest{}, nil
	case err == nil && have.Chain == nil:
		err = errors.New("it was not written by the chain plugin")
	}
	if err != nil {
		return fmt.Errorf("replace %s: %w\n\nRemove the file, or set local_manifest to another", path, err)
	}
	body, err := edit(have)
	if err != nil || body == nil {
		return err
	}
	if err := atomic.WriteFile(path, bytes.NewReader(body)); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return os.Chmod(path, 0o644)
}

// Unpublished are the entries of a local manifest that are still to be published. It answers none for a
// copy of something that was published, and leaves out each entry whose source does not count, or has an
// entry in the registry that is newer, or the same one. stored is the manifest in the registry, nil where
// there is none.
func Unpublished(stored, local *manifest.Manifest) []manifest.Entry {
	if !local.Unpublished() {
		return nil
	}
	newest := map[string]int64{}
	if stored != nil {
		for _, entry := range stored.Builds {
			newest[entry.Source()] = max(newest[entry.Source()], entry.BuildTime)
		}
	}
	sources := local.Chain.Sources
	return slices.DeleteFunc(slices.Clone(stored.Unknown(local.Builds)), func(e manifest.Entry) bool {
		counts := len(sources) == 0 || slices.Contains(sources, e.Source())
		return !counts || newest[e.Source()] > e.BuildTime
	})
}
