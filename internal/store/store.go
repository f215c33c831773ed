// SPDX-License-Identifier: MPL-2.0

// Package store keeps small documents and replaces them by compare-and-swap. It is what the
// registry needs of a bucket, and no more: it knows nothing of images, manifests or refs.
package store

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// MaxSize is the largest body that is read or written, in bytes.
const MaxSize = 1 << 20

var (
	// ErrNotFound means that no object with that key exists.
	ErrNotFound = errors.New("not found")
	// ErrConflict means that another writer came first: nothing was written.
	ErrConflict = errors.New("changed by another writer")
	// ErrVanished means that the object was deleted between the read and the write.
	ErrVanished = errors.New("deleted by someone else while it was being changed")
	// ErrUnknown means that the response was lost: the write may have landed or not.
	ErrUnknown = errors.New("outcome unknown")
	// ErrTransient means that nothing was written, and that the same call may succeed a little later:
	// after throttling, an overloaded server or a broken connection.
	ErrTransient = errors.New("not available at the moment")
	// ErrDenied means that the credentials lack a right.
	ErrDenied = errors.New("access denied")
	// ErrTooLarge means that a body is over [MaxSize].
	ErrTooLarge = errors.New("larger than 1 MiB")
)

// LaterError is an error after which the store asks to wait.
type LaterError struct {
	After time.Duration
	Err   error
}

func (e *LaterError) Error() string {
	return fmt.Sprintf("%s (the store asks to wait %s)", e.Err, e.After)
}

func (e *LaterError) Unwrap() error { return e.Err }

// Object is a body and the tag that names exactly these bytes.
type Object struct {
	Body []byte
	// ETag is opaque, and never empty.
	ETag string
}

// Store reads and replaces objects. Its errors wrap the sentinels above and name the full address.
// An error that wraps none of them is permanent: a retry does not help.
type Store interface {
	// Get reads an object. It returns [ErrNotFound] only if the object certainly does not exist. It
	// retries a few times before it returns [ErrTransient].
	Get(ctx context.Context, key string) (Object, error)
	// Put writes body if the object still has that etag or, with an empty etag, if it does not exist
	// yet. It returns the new tag, or [ErrConflict], [ErrVanished] or [ErrUnknown].
	// Only after [ErrUnknown] may the write have landed nevertheless. Put sends the body once and
	// never retries: a retry after a lost response would fail against its own write.
	Put(ctx context.Context, key string, body []byte, etag string) (string, error)
	// Address returns the full address of a key, as a user would write it.
	Address(key string) string
}
