// SPDX-License-Identifier: MPL-2.0

// Package interrupt ends the work of a data source when the user presses Ctrl-C. Packer gives a
// data source no context, but a terminal sends the signal to Packer's plugins too.
package interrupt

import (
	"context"
	"os"
	"os/signal"
	"time"
)

// grace is how long an interrupted data source delays its return. When a data source fails, Packer
// removes its signal handler. If the data source returns before Packer sees the signal, the signal
// kills Packer, and the process around it takes that for success and exits with 0 (realMain in
// Packer's main.go, Wrap in mitchellh/panicwrap).
const grace = 250 * time.Millisecond

// Context returns a context that ends on SIGINT and after timeout. The caller must call stop before
// it returns to Packer.
func Context(timeout time.Duration) (ctx context.Context, stop func()) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		select {
		case <-signals:
			cancel()
			time.Sleep(grace)
		case <-ctx.Done():
		}
	}()
	return ctx, func() {
		cancel()
		<-ended
		signal.Stop(signals)
	}
}
