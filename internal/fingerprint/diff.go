// SPDX-License-Identifier: MPL-2.0

package fingerprint

import (
	"fmt"
	"slices"
	"strings"

	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
	"github.com/packer-chain/packer-plugin-chain/internal/text"
)

// Components come from a bucket that others write to, so what is shown of them is limited.
const (
	maxName  = 100 // characters
	maxValue = 80
	maxLines = 20
	shortID  = 7 // digits of a git object id
)

// Diff returns how two lists of components differ: one line each, in the order of new, then what
// only old has. It is empty only for equal lists. Values that are hashes are not shown. The lists
// are untrusted: names and values are cut to their printable characters, and all lines after the
// first 20 are only counted.
func Diff(old, new []manifest.Component) []string {
	before, after := index(old), index(new)
	var lines []string
	for _, k := range after.keys {
		value, known := before.values[k]
		if !known {
			lines = append(lines, added(k.name))
		} else if value != after.values[k] {
			lines = append(lines, changed(k.name, value, after.values[k]))
		}
	}
	for _, k := range before.keys {
		if _, still := after.values[k]; !still {
			lines = append(lines, display(k.name)+" removed")
		}
	}
	if len(lines) == 0 && !slices.Equal(old, new) {
		return []string{"order of components"}
	}
	if more := len(lines) - maxLines; more > 0 {
		lines = append(lines[:maxLines], fmt.Sprintf("and %d more", more))
	}
	return lines
}

// key distinguishes components of the same name: an image may be a parent twice.
type key struct {
	name string
	nth  int
}

type indexed struct {
	keys   []key
	values map[key]string
}

func index(components []manifest.Component) indexed {
	in := indexed{values: map[key]string{}}
	count := map[string]int{}
	for _, c := range components {
		k := key{c.Name, count[c.Name]}
		count[c.Name]++
		in.keys = append(in.keys, k)
		in.values[k] = c.Value
	}
	return in
}

func added(name string) string {
	if name == nameDirty {
		return name
	}
	return display(name) + " added"
}

// changed shows values only of components that are known not to hold a hash of something secret.
func changed(name, old, new string) string {
	shown := name == nameSchema || name == nameImage || name == nameTemplate || name == nameArch ||
		strings.HasPrefix(name, prefixExtra) || strings.HasPrefix(name, prefixParent)
	if !shown {
		return display(name)
	}
	return fmt.Sprintf("%s: %s -> %s", display(name), displayValue(old), displayValue(new))
}

func display(name string) string { return text.Clip(name, maxName) }

func displayValue(value string) string {
	// The mode of an executable file follows its object id.
	if id, _, _ := strings.Cut(value, " "); manifest.IsGitSHA(id) {
		value = id[:shortID] + value[len(id):]
	}
	return text.Clip(value, maxValue)
}
