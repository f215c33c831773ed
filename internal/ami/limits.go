// SPDX-License-Identifier: MPL-2.0

package ami

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The limits of tags, in Unicode characters. The Amazon EC2 User Guide ("Tag restrictions") allows
// keys of 128 and values of 256; the API Reference ("Tag") allows keys of 127. One less than the
// guide says holds everywhere.
const (
	maxTags        = 50
	maxKeyLength   = 127
	maxValueLength = 255
)

// CheckTags answers every rule that the tags break, sorted by key, in words for the user. It is empty
// for good tags. Values are not repeated in it. Characters are refused only where EC2 cannot keep
// them or nobody could read them: control characters, and bytes that are not UTF-8.
func CheckTags(tags map[string]string) []string {
	var broken []string
	if len(tags) > maxTags {
		broken = append(broken, fmt.Sprintf("there are %d tags, EC2 allows %d", len(tags), maxTags))
	}
	for _, key := range sortedKeys(tags) {
		if key == "" {
			broken = append(broken, "a tag has an empty key")
		}
		if strings.HasPrefix(strings.ToLower(key), "aws:") {
			broken = append(broken, fmt.Sprintf(`tag %q: keys that begin with "aws:" are reserved for AWS`, key))
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
