// SPDX-License-Identifier: MPL-2.0

package store

import (
	"context"
	"errors"
	"sync"

	"github.com/packer-chain/packer-plugin-chain/internal/crash"
)

// Ahead is a store whose objects can be read before they are needed, beside other work. What was read is
// answered once; a write whose object has changed since is a lost race like any other.
type Ahead struct {
	Store

	mu   sync.Mutex
	read map[string]early
}

type early struct {
	object Object
	err    error
}

// preparer is a store that has something to read before its first write.
type preparer interface {
	Prepare(ctx context.Context) error
}

// Read reads objects concurrently, and keeps what it learned: that one exists, or certainly does
// not. A store that has to prepare its first write does so meanwhile.
func (a *Ahead) Read(ctx context.Context, keys ...string) {
	var all sync.WaitGroup
	if s, ok := a.Store.(preparer); ok {
		all.Go(func() {
			_ = crash.Guard("prepare writing", func() error { return s.Prepare(ctx) })()
		})
	}
	for _, key := range keys {
		// Its error is passed over: whoever needs the object will see it, or a better answer.
		all.Go(func() { _ = crash.Guard("read "+key, func() error { return a.readOne(ctx, key) })() })
	}
	all.Wait()
}

func (a *Ahead) readOne(ctx context.Context, key string) error {
	object, err := a.Store.Get(ctx, key)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	// Nobody waits for it any more: by now the object may have been read, and written.
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if a.read == nil {
		a.read = map[string]early{}
	}
	a.read[key] = early{object, err}
	return nil
}

// Get answers what was read ahead, if it was, and reads the object otherwise.
func (a *Ahead) Get(ctx context.Context, key string) (Object, error) {
	a.mu.Lock()
	known, ok := a.read[key]
	delete(a.read, key)
	a.mu.Unlock()
	if ok {
		return known.object, known.err
	}
	return a.Store.Get(ctx, key)
}
