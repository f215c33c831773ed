// SPDX-License-Identifier: MPL-2.0

//go:build unix

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// organisation is the first part of the integration's identifier in .web-docs/metadata.hcl.
const organisation = "packer-chain"

// kinds are the folders under docs, and what the integrations site calls them.
var kinds = map[string]string{
	"builders":        "builder",
	"datasources":     "data-source",
	"post-processors": "post-processor",
	"provisioners":    "provisioner",
}

// convert turns the rendered pages into .web-docs/components/<kind>/<slug>/README.md, and README.md
// into .web-docs/README.md. It deletes the old components first.
func convert(pages, webDocs string) error {
	if err := os.RemoveAll(filepath.Join(webDocs, "components")); err != nil {
		return err
	}
	return filepath.WalkDir(pages, func(file string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		name, err := filepath.Rel(pages, file)
		if err != nil {
			return err
		}
		target, err := target(filepath.ToSlash(name))
		if err != nil || target == "" {
			return err
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		body, err := page(string(text))
		if err != nil {
			return fmt.Errorf("convert docs/%s: %w", filepath.ToSlash(name), err)
		}
		target = filepath.Join(webDocs, target)
		if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
			return err
		}
		return os.WriteFile(target, []byte(body), 0o644)
	})
}

// target returns where a page goes, relative to .web-docs, or "" if the site has no place for it.
func target(name string) (string, error) {
	if name == "README.md" {
		return name, nil
	}
	folder, file := path.Split(name)
	if slices.Contains([]string{"", "tasks/"}, folder) &&
		slices.Contains([]string{".md", ".json", ".png"}, path.Ext(file)) {
		return "", nil // a page about all components, for readers of the repository, or what it shows
	}
	slug, ok := strings.CutSuffix(file, ".mdx")
	kind := kinds[strings.TrimSuffix(folder, "/")]
	switch {
	case !ok || kind == "":
		return "", fmt.Errorf("convert docs/%s: a page is [tasks/]<name>.md or <kind>/<slug>.mdx", name)
	case slug == "index":
		return "", nil
	}
	return path.Join("components", kind, slug, "README.md"), nil
}

// page returns a page without its front matter and title, which the site makes of the metadata, and
// with mended links.
func page(text string) (string, error) {
	if rest, ok := strings.CutPrefix(text, "---\n"); ok {
		_, body, ok := strings.Cut(rest, "\n---\n")
		if !ok {
			return "", errors.New("the front matter has no end")
		}
		title, body, _ := strings.Cut(strings.TrimLeft(body, "\n"), "\n")
		if !strings.HasPrefix(title, "# ") {
			return "", fmt.Errorf("want a title after the front matter, got %q", title)
		}
		text = strings.TrimLeft(body, "\n")
	}
	text = links.ReplaceAllStringFunc(text, link)
	return strings.TrimRight(text, "\n") + "\n", nil
}

// links are the addresses of plugin pages on the site that documents Packer itself.
var links = regexp.MustCompile(
	`/packer/plugins/(builders|datasources|post-processors|provisioners)/([\w-]+)(?:/([\w-]+))?`)

// repository is where the pages of this plugin can be read. Such an address works on the
// integrations site and on the code host alike.
const repository = "https://github.com/" + organisation + "/packer-plugin-chain/blob/main/.web-docs"

// link returns the address of /packer/plugins/<kind>/<plugin>[/<slug>]: of a page of this plugin in
// its repository, and of another's on the integrations site.
func link(old string) string {
	parts := links.FindStringSubmatch(old)
	kind, plugin, slug := kinds[parts[1]], parts[2], parts[3]
	switch {
	case plugin == "chain" && slug != "":
		return repository + "/" + path.Join("components", kind, slug, "README.md")
	case plugin == "chain":
		return repository + "/README.md"
	}
	address := "/packer/integrations/hashicorp/" + plugin
	if slug != "" {
		address += "/latest/components/" + kind + "/" + slug
	}
	return address
}
