// SPDX-License-Identifier: MPL-2.0

// Package text makes text that others wrote fit to be shown: names of files, values of the
// environment, and whatever a document in a bucket holds. Otherwise it could control the terminal.
package text

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"unicode"
)

// Keep returns the characters of s for which keep is true, at most limit of them.
func Keep(s string, limit int, keep func(rune) bool) string {
	kept := []rune(strings.Map(func(r rune) rune {
		if !keep(r) {
			return -1
		}
		return r
	}, s))
	return string(kept[:min(len(kept), limit)])
}

// Clip returns the printable characters of s. If there are more than limit, it cuts them off and
// adds an ellipsis.
func Clip(s string, limit int) string {
	kept := Keep(s, len(s), unicode.IsPrint)
	if cut := Keep(kept, limit, unicode.IsPrint); cut != kept {
		return cut + "…"
	}
	return kept
}

// OneLine returns s printable, on one line, and cut to 200 characters.
func OneLine(s string) string {
	visible := func(r rune) bool { return unicode.IsPrint(r) || unicode.IsSpace(r) }
	words := strings.Fields(Keep(s, len(s), visible))
	return Keep(strings.Join(words, " "), 200, visible)
}

// List returns the names on one line, each as in [OneLine].
func List(names []string) string {
	lines := make([]string, len(names))
	for i, name := range names {
		lines[i] = OneLine(name)
	}
	return strings.Join(lines, ", ")
}

// File returns the name of a file, in quotes if it would not show as it is, or if a CI system would
// take the line for a command, such as "::error::".
func File(name string) string {
	if quoted := strconv.Quote(name); quoted != `"`+name+`"` || strings.HasPrefix(name, ":") {
		return quoted
	}
	return name
}

// Names returns names on one line, each as in [File]: the first ones, and how many more there are.
func Names(names []string, limit int) string {
	var shown []string
	for _, name := range names[:min(len(names), limit)] {
		shown = append(shown, File(name))
	}
	list := strings.Join(shown, ", ")
	if more := len(names) - limit; more > 0 {
		list += fmt.Sprintf(" and %d more", more)
	}
	return list
}

// SHA256 returns the hash of s in lower-case hex.
func SHA256[T ~string | ~[]byte](s T) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

// Because returns a reason as the end of a sentence, such as ": leaked", or "". The reason may be
// anything: it comes from a tag or a document.
func Because(reason string) string {
	if reason = OneLine(reason); reason == "" {
		return ""
	}
	return ": " + reason
}
