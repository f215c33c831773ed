// SPDX-License-Identifier: MPL-2.0

package crash

import (
	"bytes"
	"errors"
	"log"
	"strings"
	"testing"

	"github.com/packer-chain/packer-plugin-chain/internal/version"
)

func logged(t *testing.T) *bytes.Buffer {
	t.Helper()
	var out bytes.Buffer
	before := log.Writer()
	log.SetOutput(&out)
	t.Cleanup(func() { log.SetOutput(before) })
	return &out
}

func entryPoint(fn func() error) (err error) {
	defer Recover(`data "chain"`, &err)
	return fn()
}

func TestRecover(t *testing.T) {
	out := logged(t)
	var none []int
	err := entryPoint(func() error { return errors.New(string(rune(none[len(out.String())+3]))) })
	want := `data "chain": bug in the chain plugin ` + version.String() + ": runtime error: index out of range [3] with length 0\n\n" +
		"Please report it at https://github.com/packer-chain/packer-plugin-chain/issues, with the output of PACKER_LOG=1 packer build"
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if !strings.Contains(out.String(), `[ERROR] data "chain": runtime error`) || !strings.Contains(out.String(), "crash_test.go") {
		t.Errorf("the log has no stack: %s", out)
	}
}

// TestRecover_error leaves what did not panic alone.
func TestRecover_error(t *testing.T) {
	out := logged(t)
	cause := errors.New("not found")
	if err := entryPoint(func() error { return cause }); !errors.Is(err, cause) || out.Len() > 0 {
		t.Errorf("got %v, log %s", err, out)
	}
	if err := entryPoint(func() error { return nil }); err != nil {
		t.Error(err)
	}
}

// TestGuard has a goroutine panic, which nobody else could recover.
func TestGuard(t *testing.T) {
	logged(t)
	failed := make(chan error)
	go func() { failed <- Guard("read the build", func() error { panic("no such field") })() }()
	if err := <-failed; err == nil || !strings.HasPrefix(err.Error(), "read the build: bug in the chain plugin ") {
		t.Errorf("got %v", err)
	}
	if err := Guard("x", func() error { return nil })(); err != nil {
		t.Error(err)
	}
}
