// SPDX-License-Identifier: MPL-2.0

package storetest

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/packer-chain/packer-plugin-chain/internal/store"
)

// Lossy is a store whose writes land but whose responses get lost, as when a connection breaks at
// the wrong moment.
type Lossy struct {
	store.Store
	// Lose reports whether to lose the response to a write. Writes count from 1.
	Lose func(put int) bool

	puts, lost atomic.Int64
}

// Put writes, and returns [store.ErrUnknown] if Lose reports true.
func (l *Lossy) Put(ctx context.Context, key string, body []byte, tag string) (string, error) {
	put := int(l.puts.Add(1))
	tag, err := l.Store.Put(ctx, key, body, tag)
	if err == nil && l.Lose(put) {
		l.lost.Add(1)
		return "", fmt.Errorf("write %s: %w: the response was lost", l.Address(key), store.ErrUnknown)
	}
	return tag, err
}

// Lost returns how many responses were lost.
func (l *Lossy) Lost() int { return int(l.lost.Load()) }
