// SPDX-License-Identifier: MPL-2.0

package pages

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// root is the folder of the repository.
const root = "../.."

// host is where a page of the site links to files of the repository.
var host = regexp.MustCompile(
	`^https://(?:github\.com/packer-chain/packer-plugin-chain/(?:blob|tree)|` +
		`raw\.githubusercontent\.com/packer-chain/packer-plugin-chain)/main/`)

var (
	fence     = regexp.MustCompile("(?ms)^ *```.*?^ *```$")
	codeSpan  = regexp.MustCompile("`[^`]*`")
	link      = regexp.MustCompile(`\]\(([^()\s]+)\)`)
	heading   = regexp.MustCompile(`(?m)^#{1,6} +(.+?) *$`)
	linkText  = regexp.MustCompile(`\[([^\]]*)\]\([^)]*\)`)
	noAnchor  = regexp.MustCompile(`[^\p{L}\p{N}_ -]`)
	siteLinks = regexp.MustCompile(`^/packer/`)
)

// TestLinks follows every relative link, and every absolute one into this repository.
func TestLinks(t *testing.T) {
	texts := pages(t)
	if len(texts) < 20 {
		t.Fatalf("only %d pages", len(texts))
	}
	for _, page := range slices.Sorted(maps.Keys(texts)) {
		for _, target := range links(texts[page]) {
			if why := broken(page, target, texts); why != "" {
				t.Errorf("%s links to %s: %s", page, target, why)
			}
		}
	}
}

// TestBroken proves that the test above sees what is wrong.
func TestBroken(t *testing.T) {
	texts := map[string]string{
		"docs/a.md": "# A `b`: c\n\n```sh\n# No heading\n```\n\n## Twice\n\n## Twice\n",
	}
	for target, bad := range map[string]bool{
		"a.md": false, "a.md#a-b-c": false, "#twice": false, "#twice-1": false, "#twice-2": true,
		"a.md#no-heading": true, "gone.md": true, "../README.md": false, "../gone/": true,
		"../../outside.md": true, "https://example.com/gone": false, "/packer/docs": false,
		"https://github.com/packer-chain/packer-plugin-chain/blob/main/docs/a.md#twice": false,
		"https://github.com/packer-chain/packer-plugin-chain/blob/main/docs/gone.md":    true,
	} {
		if why := broken("docs/a.md", target, texts); (why != "") != bad {
			t.Errorf("%s: got %q", target, why)
		}
	}
	got := links("[a](b.md) ![c\nd](e.png) `[f](g.md)`\n\n```md\n[h](i.md)\n```\n")
	if want := []string{"b.md", "e.png"}; !slices.Equal(got, want) {
		t.Errorf("links: got %q, want %q", got, want)
	}
}

// pages are the texts of all pages, by path from the root.
func pages(t *testing.T) map[string]string {
	t.Helper()
	texts := map[string]string{}
	tree := os.DirFS(root)
	err := fs.WalkDir(tree, ".", func(name string, entry fs.DirEntry, err error) error {
		// Partials are parts of the pages in .web-docs.
		if err == nil && entry.IsDir() &&
			slices.Contains([]string{".git", "dist", "docs-partials"}, entry.Name()) {
			return fs.SkipDir
		}
		if err != nil || !entry.Type().IsRegular() || !slices.Contains(
			[]string{".md", ".mdx"}, filepath.Ext(name)) {
			return err
		}
		text, err := fs.ReadFile(tree, name)
		texts[name] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return texts
}

// links are the targets of the links of a page, in its order. A link in a code block is none.
func links(text string) []string {
	prose := codeSpan.ReplaceAllStringFunc(fence.ReplaceAllString(text, ""), blank)
	var targets []string
	for _, match := range link.FindAllStringSubmatch(prose, -1) {
		targets = append(targets, match[1])
	}
	return targets
}

// blank hides what only looks like a link. A code span may be the text of one.
func blank(span string) string { return strings.NewReplacer("](", "", "\n", " ").Replace(span) }

// broken returns why a link of a page leads nowhere, or "".
func broken(page, target string, texts map[string]string) string {
	own := host.ReplaceAllString(target, "")
	switch {
	case own != target:
		own = "/" + own
	case strings.Contains(target, "://") || siteLinks.MatchString(target):
		return "" // of another site: docgen turns the second kind into the first
	}
	name, anchor, _ := strings.Cut(own, "#")
	switch {
	case name == "":
		name = page
	case strings.HasPrefix(name, "/"):
		name = name[1:]
	default:
		name = filepath.ToSlash(filepath.Join(filepath.Dir(page), name))
	}
	name = strings.TrimSuffix(name, "/")
	if !filepath.IsLocal(name) {
		return "it is outside of the repository"
	}
	text, isPage := texts[name]
	if _, err := os.Stat(filepath.Join(root, name)); err != nil && !isPage {
		return "no such file"
	}
	if anchor != "" && !slices.Contains(anchors(text), anchor) {
		return "no such heading"
	}
	return ""
}

// anchors are those of the headings of a page, as code hosts make them.
func anchors(text string) []string {
	seen := map[string]int{}
	var all []string
	for _, match := range heading.FindAllStringSubmatch(fence.ReplaceAllString(text, ""), -1) {
		plain := linkText.ReplaceAllString(match[1], "$1")
		anchor := strings.ReplaceAll(noAnchor.ReplaceAllString(strings.ToLower(plain), ""), " ", "-")
		if n := seen[anchor]; n > 0 {
			all = append(all, fmt.Sprintf("%s-%d", anchor, n))
		} else {
			all = append(all, anchor)
		}
		seen[anchor]++
	}
	return all
}
