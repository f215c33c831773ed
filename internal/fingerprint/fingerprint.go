// SPDX-License-Identifier: MPL-2.0

// Package fingerprint computes the identity of an image, and how two images differ. It does no I/O:
// the caller finds the parts.
//
// A fingerprint is the SHA-256 of a text with one line for each component, in order:
//
//	<bytes of name>:<name> <bytes of value>:<value>\n
//
// The counts make the text unambiguous. From the components in a manifest, a shell recomputes it:
//
//	jq -r '.chain.components[] |
//	  "\(.name|utf8bytelength):\(.name) \(.value|utf8bytelength):\(.value)"' |
//	  sha256sum
package fingerprint

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
	"github.com/packer-chain/packer-plugin-chain/internal/text"
)

// Version is the version of the canonical text. It is its own component, so a new version
// builds every image once more.
const Version = 1

// Names of components. A prefix is followed by the name of an image, a path or an input.
const (
	nameSchema   = "schema"
	nameImage    = "image"
	nameTemplate = "template"
	prefixExtra  = "extra "
	prefixInput  = "input "
	prefixParent = "parent "
	nameArch     = "architecture"
	nameSalt     = "salt"
	nameDirty    = "uncommitted changes"
)

// Parts are what an image is made from.
type Parts struct {
	// Image is the name of the image.
	Image string
	// TemplateSHA is the git object id of the image's folder as it is on disk.
	TemplateSHA string
	// Extra maps the paths outside of that folder, relative to the repository, to object ids. For an
	// executable file, a space and git's mode follow the id.
	Extra map[string]string
	// Inputs are hashed together with their keys. That hides a value from whoever reads a manifest,
	// but not a short one from whoever guesses.
	Inputs map[string]string
	// Parents are the images below, of which only name and identity count. Their order counts too.
	Parents []manifest.Parent
	// Architecture, if set, is that of the image's AMIs.
	Architecture string
	// Salt, if set, gives the same parts another fingerprint. It is hashed as well.
	Salt string
	// DirtyHash stands for uncommitted content that no object id names: that of submodules and nested
	// repositories. It is usually empty.
	DirtyHash string
}

// Compute returns the fingerprint, in lower-case hex, and what it is made of: schema, image,
// template, extra paths and inputs by name, parents as given, and if set architecture, salt and
// uncommitted changes.
func Compute(p Parts) (fingerprint string, components []manifest.Component) {
	add := func(name, value string) {
		components = append(components, manifest.Component{Name: name, Value: value})
	}
	add(nameSchema, strconv.Itoa(Version))
	add(nameImage, jsonText(p.Image))
	add(nameTemplate, jsonText(p.TemplateSHA))
	for _, path := range slices.Sorted(maps.Keys(p.Extra)) {
		add(prefixExtra+jsonText(path), jsonText(p.Extra[path]))
	}
	for _, key := range slices.Sorted(maps.Keys(p.Inputs)) {
		// With the key in the hash, nobody sees that two inputs have the same value.
		add(prefixInput+jsonText(key), inputHash(key, p.Inputs[key]))
	}
	for _, parent := range p.Parents {
		add(prefixParent+jsonText(parent.Image), jsonText(parent.Identity))
	}
	if p.Architecture != "" {
		add(nameArch, p.Architecture)
	}
	if p.Salt != "" {
		add(nameSalt, text.SHA256("salt\x00"+p.Salt))
	}
	if p.DirtyHash != "" {
		add(nameDirty, jsonText(p.DirtyHash))
	}
	return text.SHA256(canonical(components)), components
}

// Renew returns components with what now says of the template and the extra paths, and with its
// parents, which must be as many as before. Without a TemplateSHA, the files stay as they are.
// Inputs and all the rest stay in any case.
func Renew(components []manifest.Component, now Parts) []manifest.Component {
	files := now.TemplateSHA != ""
	var renewed []manifest.Component
	parents := now.Parents
	for _, c := range components {
		path, isExtra := extraPath(c)
		switch {
		case c.Name == nameDirty && files:
			continue
		case c.Name == nameTemplate && files:
			c.Value = jsonText(now.TemplateSHA)
		case isExtra && files:
			c.Value = jsonText(now.Extra[path])
		case strings.HasPrefix(c.Name, prefixParent) && len(parents) > 0:
			c.Value, parents = jsonText(parents[0].Identity), parents[1:]
		}
		renewed = append(renewed, c)
	}
	if files && now.DirtyHash != "" {
		renewed = append(renewed, manifest.Component{Name: nameDirty, Value: jsonText(now.DirtyHash)})
	}
	return renewed
}

// ExtraPaths returns the paths outside of the image's folder that are among the components.
func ExtraPaths(components []manifest.Component) []string {
	var paths []string
	for _, c := range components {
		if path, isExtra := extraPath(c); isExtra {
			paths = append(paths, path)
		}
	}
	return paths
}

func extraPath(c manifest.Component) (path string, isExtra bool) {
	path, isExtra = strings.CutPrefix(c.Name, prefixExtra)
	if unquoted, err := strconv.Unquote(path); err == nil {
		path = unquoted
	}
	return path, isExtra
}

func inputHash(key, value string) string { return text.SHA256("input\x00" + key + "\x00" + value) }

// IsInput reports whether a component is an input with that value.
func IsInput(component manifest.Component, value string) bool {
	key, isInput := strings.CutPrefix(component.Name, prefixInput)
	if unquoted, err := strconv.Unquote(key); err == nil {
		key = unquoted
	}
	return isInput && component.Value == inputHash(key, value)
}

func canonical(components []manifest.Component) string {
	var b strings.Builder
	counted := func(s string) {
		b.WriteString(strconv.Itoa(len(s)))
		b.WriteByte(':')
		b.WriteString(s)
	}
	for _, c := range components {
		counted(c.Name)
		b.WriteByte(' ')
		counted(c.Value)
		b.WriteByte('\n')
	}
	return b.String()
}

// jsonText returns s so that it survives JSON, which replaces bytes that are not UTF-8: a string
// with such bytes is quoted as in Go. So is one that starts with a quote, or the two could be the
// same.
func jsonText(s string) string {
	if utf8.ValidString(s) && !strings.HasPrefix(s, `"`) {
		return s
	}
	return strconv.Quote(s)
}
