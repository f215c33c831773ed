// SPDX-License-Identifier: MPL-2.0

// Package tags holds the keys of the tags that this plugin writes on AMIs, and the rules of EC2 for
// tags.
package tags

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/packer-chain/packer-plugin-chain/internal/text"
)

// The keys of the tags that this plugin writes. README and docs list them.
const (
	Image       = "chain:image"
	Fingerprint = "chain:fingerprint"
	GitSHA      = "chain:git-sha"
	Commit      = "chain:commit"
	Parent      = "chain:parent"
	Manifest    = "chain:manifest"
	CIBuild     = "chain:ci-build"
	// Revoked is the key of the tag by which a user revokes an image. Its value is the reason.
	Revoked = "chain:revoked"
)

// The limits of tags, in Unicode characters. The Amazon EC2 User Guide ("Tag restrictions") allows
// keys of 128 and values of 256; the API Reference ("Tag") allows keys of 127. One less than the
// guide allows is accepted everywhere.
const (
	// Max is how many tags a resource can have.
	Max            = 50
	maxKeyLength   = 127
	maxValueLength = 255
)

// Check returns every rule that the tags break, sorted by key, in words for the user. It never
// repeats a value, which may be secret. The only characters it refuses are control characters and
// bytes that are not UTF-8.
func Check(tags map[string]string) []string {
	var broken []string
	if len(tags) > Max {
		broken = append(broken, fmt.Sprintf("there are %d tags, EC2 allows %d", len(tags), Max))
	}
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		if key == "" {
			broken = append(broken, "a tag has an empty key")
		}
		if strings.HasPrefix(strings.ToLower(key), "aws:") {
			broken = append(broken,
				fmt.Sprintf(`tag %q: keys that begin with "aws:" are reserved for AWS`, key))
		}
		if problem := checkText(key, maxKeyLength); problem != "" {
			broken = append(broken, fmt.Sprintf("tag %q: the key %s", key, problem))
		}
		if problem := checkText(tags[key], maxValueLength); problem != "" {
			broken = append(broken, fmt.Sprintf("tag %q: the value %s", key, problem))
		}
	}
	return broken
}

func checkText(s string, limit int) string {
	if !utf8.ValidString(s) {
		return "is not valid UTF-8"
	}
	if n := utf8.RuneCountInString(s); n > limit {
		return fmt.Sprintf("has %d characters, %d are allowed", n, limit)
	}
	if i := strings.IndexFunc(s, unicode.IsControl); i >= 0 {
		r, _ := utf8.DecodeRuneInString(s[i:])
		return fmt.Sprintf("has the control character %q", r)
	}
	return ""
}

// CheckKey checks the key of one tag.
func CheckKey(s string) error {
	if broken := Check(map[string]string{s: ""}); len(broken) > 0 {
		return fmt.Errorf("must be the key of a tag: %s", broken[0])
	}
	return nil
}

// Value returns s as it fits into the value of a tag: without what EC2 would refuse, and cut.
func Value(s string) string {
	return text.Keep(s, maxValueLength, func(r rune) bool {
		return !unicode.IsControl(r) && r != utf8.RuneError
	})
}
