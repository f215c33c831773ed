// SPDX-License-Identifier: MPL-2.0

package store

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxKey is the longest key of S3, in bytes ("Naming Amazon S3 objects" in its user guide).
const maxKey = 1024

// ErrBadKey means that a key is not legal in every store.
var ErrBadKey = errors.New("bad key")

// CheckKey returns [ErrBadKey] unless a key is legal in every store. A key has 1 to 1,024 bytes of
// UTF-8, and consists of parts between single slashes. No part has control characters, a "\" or
// ":", which have a meaning in paths of Windows, or a "." at its end, which Windows drops.
func CheckKey(key string) error {
	switch {
	case key == "":
		return fmt.Errorf("%w: it is empty", ErrBadKey)
	case len(key) > maxKey:
		return fmt.Errorf("%w: it has %d bytes, at most %d are allowed", ErrBadKey, len(key), maxKey)
	case !utf8.ValidString(key):
		return fmt.Errorf("%w: %q is not UTF-8", ErrBadKey, key)
	case strings.ContainsAny(key, `\:`) || strings.ContainsFunc(key, unicode.IsControl):
		return fmt.Errorf(`%w: %q has a control character, "\" or ":"`, ErrBadKey, key)
	}
	for part := range strings.SplitSeq(key, "/") {
		if part == "" || strings.HasSuffix(part, ".") {
			return fmt.Errorf("%w: %q has the part %q", ErrBadKey, key, part)
		}
	}
	return nil
}
