// SPDX-License-Identifier: MPL-2.0

// Package localmanifest reads and writes manifests in local files. Each run leaves one beside its
// template: a copy of the registry's manifest, or what could not be published. The package also
// reads the files of Packer's own manifest post-processor.
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
	"github.com/packer-chain/packer-plugin-chain/internal/registry"
	"github.com/packer-chain/packer-plugin-chain/internal/text"
)

const (
	// folder holds the local manifests of the templates beside it. It carries its own .gitignore, so
	// that git never takes them for files of the image.
	folder = ".chain"

	// lockWait is how long to wait between two attempts to take a lock.
	lockWait = 20 * time.Millisecond
)

// Default returns the file of an image's local manifest, if the template names no other: in the
// folder .chain in the image's folder, with a folder for each registry. If path is a file, .chain
// is beside it.
func Default(path, location, image string) string {
	if info, err := os.Stat(path); err == nil && !info.IsDir() {
		path = filepath.Dir(path)
	}
	return filepath.Join(path, folder, registryFolder(location), "manifest-"+image+".json")
}

// registryFolder returns the folder of a registry: bucket and prefix, or a hash of the path of a
// local one. No bucket has an underscore in its name.
func registryFolder(location string) string {
	at, err := registry.ParseLocation(location)
	switch {
	case err != nil:
		return ""
	case at.S3():
		return filepath.Join(at.Bucket, filepath.FromSlash(at.Prefix))
	}
	return fmt.Sprintf("folder_%.12s", text.SHA256(at.Dir))
}

// Read returns a manifest and its bytes. The error is [fs.ErrNotExist] if the file does not exist.
// It does not always name the path.
func Read(path string) (*manifest.Manifest, []byte, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, fs.ErrNotExist
	}
	if err != nil {
		return nil, nil, err
	}
	// To read a pipe or a device may never end, and a wrong path may lead to a disk image.
	if !info.Mode().IsRegular() || info.Size() > manifest.MaxSize {
		return nil, nil, fmt.Errorf(
			"not a manifest: a file of at most %d bytes is expected", manifest.MaxSize)
	}
	body, err := os.ReadFile(path)
	if err != nil {
		return nil, nil, err
	}
	m, err := manifest.Parse(body)
	return m, body, err
}

// Replace changes a local manifest under a lock, and by a rename, so that no reader ever sees a
// part of it. edit gets the present manifest, or an empty one, and returns nil to leave it as it
// is. A file that is not a manifest of this plugin is not replaced: the option may name the wrong
// one.
func Replace(
	ctx context.Context, path string, edit func(*manifest.Manifest) ([]byte, error),
) error {
	locked := lockOf(path)
	for _, dir := range []string{filepath.Dir(path), filepath.Dir(locked)} {
		if err := makeFolder(dir); err != nil {
			return fmt.Errorf("write %s: %w", path, err)
		}
	}
	// It stays: whoever removes a lock takes it away from the one who waits for it.
	lock := flock.New(locked, flock.SetPermissions(0o644))
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
		return fmt.Errorf(
			"replace %s: %w\n\nRemove the file, or set local_manifest to another.", path, err)
	}
	body, err := edit(have)
	if err != nil || body == nil {
		return err
	}
	return write(path, body)
}

// lockOf returns the file that a local manifest is locked by. It is in a folder .chain in any case,
// where it is no uncommitted file of the image.
func lockOf(path string) string {
	dir, name := filepath.Split(path)
	if chainFolder(filepath.Clean(dir)) == "" {
		dir = filepath.Join(dir, folder)
	}
	return filepath.Join(dir, name+".lock")
}

// makeFolder makes the folder of a local manifest. If that is in one called .chain, it gets a
// .gitignore first, so that nothing in it is ever an uncommitted file.
func makeFolder(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	root := chainFolder(dir)
	if root == "" {
		return nil
	}
	ignore := filepath.Join(root, ".gitignore")
	if _, err := os.Stat(ignore); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return write(ignore, []byte("*\n"))
}

// write replaces a file by a rename, and makes it readable for everybody.
func write(path string, body []byte) error {
	if err := atomic.WriteFile(path, bytes.NewReader(body)); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return os.Chmod(path, 0o644)
}

// Unpublished returns the entries of a local manifest that are still to be published. It leaves out
// those whose source the image no longer has, those of which the registry has the same or a newer
// entry, and those that were built before another one was revoked: they may have the same flaw.
// stored is the manifest in the registry, nil if there is none.
func Unpublished(stored, local *manifest.Manifest) []manifest.Entry {
	if !local.Unpublished() {
		return nil
	}
	newest := map[string]int64{}
	if stored != nil {
		for _, entry := range stored.Builds {
			newest[entry.Source()] = max(newest[entry.Source()], entry.BuildTime)
			if entry.Revoked != nil {
				newest[entry.Source()] = max(newest[entry.Source()], entry.Revoked.At.Unix())
			}
		}
	}
	sources := local.Chain.Sources
	return slices.DeleteFunc(stored.Missing(local.Builds), func(e manifest.Entry) bool {
		counts := len(sources) == 0 || slices.Contains(sources, e.Source())
		return !counts || newest[e.Source()] > e.BuildTime
	})
}
