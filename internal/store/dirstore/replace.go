// SPDX-License-Identifier: MPL-2.0

package dirstore

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"github.com/gofrs/flock"
	"github.com/natefinch/atomic"

	"github.com/packer-chain/packer-plugin-chain/internal/store"
	"github.com/packer-chain/packer-plugin-chain/internal/text"
)

const (
	// lockName is the one lock file of a store, in its root. It stays: to remove it would let two
	// processes hold two different files of that name.
	lockName  = ".chain.lock"
	lockDelay = 5 * time.Millisecond

	fileMode = 0o644
	dirMode  = 0o755
)

// replace writes body to a file of another name and, under the lock, renames it into place.
func (s *Store) replace(ctx context.Context, path string, body []byte, tag string) error {
	if err := os.MkdirAll(filepath.Dir(path), dirMode); err != nil {
		return err
	}
	temporary, err := writeTemporary(filepath.Dir(path), body)
	if err != nil {
		return err
	}
	// After the rename there is nothing left to remove.
	defer os.Remove(temporary)

	lock := flock.New(filepath.Join(s.dir, lockName), flock.SetPermissions(fileMode))
	if _, err := lock.TryLockContext(ctx, lockDelay); err != nil {
		if ctx.Err() != nil {
			return fmt.Errorf("another build has locked %s: %w", lock.Path(), err)
		}
		return fmt.Errorf("lock %s: %w", lock.Path(), err)
	}
	defer lock.Close()
	if err := compare(path, tag); err != nil {
		return err
	}
	if err := atomic.ReplaceFile(temporary, path); err != nil {
		return busy(err)
	}
	syncFolder(filepath.Dir(path))
	return nil
}

// syncFolder makes a rename survive a power cut, if the system can do that. The file is in place
// already, so an error does not fail the write.
func syncFolder(path string) {
	if dir, err := os.Open(path); err == nil {
		_ = dir.Sync()
		_ = dir.Close()
	}
}

func compare(path, tag string) error {
	current, err := read(path)
	switch {
	case errors.Is(err, store.ErrNotFound):
		if tag != "" {
			return store.ErrVanished
		}
		return nil
	case err != nil:
		return err
	case tag != text.SHA256(current):
		return store.ErrConflict
	}
	return nil
}

// writeTemporary makes a hidden file in dir, so that the rename stays within one file system.
func writeTemporary(dir string, body []byte) (path string, err error) {
	path = filepath.Join(dir, ".chain-"+rand.Text()+".tmp")
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, fileMode)
	if err != nil {
		return "", err
	}
	_, err = file.Write(body)
	if err == nil {
		// Without it a power cut may leave an empty file under the final name.
		err = file.Sync()
	}
	if closed := file.Close(); err == nil {
		err = closed
	}
	if err != nil {
		_ = os.Remove(path)
		return "", err
	}
	return path, nil
}

// busy marks the errors that Windows returns while another process has the file open:
// ERROR_ACCESS_DENIED, ERROR_SHARING_VIOLATION and ERROR_LOCK_VIOLATION.
func busy(err error) error {
	var number syscall.Errno
	if runtime.GOOS != "windows" || !errors.As(err, &number) {
		return err
	}
	switch number {
	case 5, 32, 33:
		return fmt.Errorf("%w: %w", store.ErrTransient, err)
	}
	return err
}
