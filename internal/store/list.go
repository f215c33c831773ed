// SPDX-License-Identifier: MPL-2.0

package store

import (
	"context"
	"errors"
	"fmt"
)

// MaxListed is how many names [List] returns at most.
const MaxListed = 1000

// ErrNoList means that a store cannot list its keys.
var ErrNoList = errors.New("cannot list")

// lister is a store that can list its keys.
type lister interface {
	// List returns keys with a prefix, in one request. A key that has the delimiter after the prefix
	// is cut off behind it, and listed once.
	List(ctx context.Context, prefix, delimiter string) ([]string, error)
}

// List returns keys of a store that begin with a prefix, sorted, each up to and with the delimiter
// after it: at most [MaxListed]. Only an error may list, to say what there is instead; the
// credentials of a build need not allow it.
func List(ctx context.Context, s Store, prefix, delimiter string) ([]string, error) {
	l, ok := s.(lister)
	if !ok {
		return nil, fmt.Errorf("list %s: %w", s.Address(prefix), ErrNoList)
	}
	return l.List(ctx, prefix, delimiter)
}
