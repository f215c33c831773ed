// SPDX-License-Identifier: MPL-2.0

//go:build unix

package interrupt

import (
	"context"
	"errors"
	"syscall"
	"testing"
	"time"
)

// TestContext_interrupted holds the answer back until Packer had time to see the signal too.
func TestContext_interrupted(t *testing.T) {
	ctx, stop := Context(time.Minute)
	defer stop()
	began := time.Now()
	if err := syscall.Kill(syscall.Getpid(), syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	<-ctx.Done()
	if !errors.Is(ctx.Err(), context.Canceled) {
		t.Errorf("after SIGINT: %v", ctx.Err())
	}
	stop()
	if took := time.Since(began); took < grace {
		t.Errorf("answered %s after SIGINT, want at least %s", took, grace)
	}
}

func TestContext_stopped(t *testing.T) {
	ctx, stop := Context(time.Minute)
	if ctx.Err() != nil {
		t.Errorf("at first: %v", ctx.Err())
	}
	stop()
	if !errors.Is(ctx.Err(), context.Canceled) {
		t.Errorf("after stop: %v", ctx.Err())
	}
	stop()
}

func TestContext_timeout(t *testing.T) {
	ctx, stop := Context(time.Nanosecond)
	defer stop()
	<-ctx.Done()
	if !errors.Is(ctx.Err(), context.DeadlineExceeded) {
		t.Errorf("after the timeout: %v", ctx.Err())
	}
}
