// SPDX-License-Identifier: MPL-2.0

//go:build unix

package dirstore_test

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/packer-chain/packer-plugin-chain/internal/store/dirstore"
)

// TestStore_pipe must come to an end.
func TestStore_pipe(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o644); err != nil {
		t.Fatal(err)
	}
	s := dirstore.New(dir)
	if _, err := s.Get(t.Context(), "pipe"); err == nil || !strings.HasSuffix(err.Error(), "it is not a file") {
		t.Errorf("a pipe is read: %v", err)
	}
	if keys, err := s.List(t.Context(), "pipe/", "/"); len(keys) > 0 || err != nil {
		t.Errorf("a pipe is listed: %q, %v", keys, err)
	}
}
