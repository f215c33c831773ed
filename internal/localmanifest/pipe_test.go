// SPDX-License-Identifier: MPL-2.0

//go:build unix

package localmanifest

import (
	"path/filepath"
	"syscall"
	"testing"
)

// TestRead_pipe must come to an end.
func TestRead_pipe(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o644); err != nil {
		t.Skip(err)
	}
	if _, _, err := Read(pipe); err == nil {
		t.Error("a pipe is read as a manifest")
	}
}
