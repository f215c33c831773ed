// SPDX-License-Identifier: MPL-2.0

//go:build unix

package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestPage(t *testing.T) {
	for _, tt := range []struct{ name, in, want, wantErr string }{
		{
			name: "front matter and title go",
			in:   "---\npage_title: Chain\n---\n\n# Chain\n\nText.\n\n## More\n",
			want: "Text.\n\n## More\n",
		},
		{
			name: "nothing is lost without empty lines",
			in:   "---\na: b\n---\n# Chain\nText.\n---\nmore\n",
			want: "Text.\n---\nmore\n",
		},
		{
			name: "a page without front matter stays",
			in:   "# Chain\n\nText.\n\n\n",
			want: "# Chain\n\nText.\n",
		},
		{
			name: "links",
			in:   "[a](/packer/plugins/datasources/chain/image#needed) [b](/packer/plugins/builders/chain#c) /packer/docs",
			want: "[a](https://github.com/packer-chain/packer-plugin-chain/blob/main/.web-docs/components/data-source/image/README.md#needed) " +
				"[b](https://github.com/packer-chain/packer-plugin-chain/blob/main/.web-docs/README.md#c) /packer/docs\n",
		},
		{
			name: "links to another plugin",
			in:   "/packer/plugins/builders/amazon/ebs",
			want: "/packer/integrations/hashicorp/amazon/latest/components/builder/ebs\n",
		},
		{name: "no title", in: "---\na: b\n---\n\nText.\n", wantErr: `want a title after the front matter, got "Text."`},
		{name: "no end", in: "---\na: b\n\n# Chain\n", wantErr: "the front matter has no end"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := page(tt.in)
			if tt.wantErr != "" {
				if err == nil || err.Error() != tt.wantErr {
					t.Fatalf("error %v, want %s", err, tt.wantErr)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestConvert(t *testing.T) {
	pages, webDocs := t.TempDir(), t.TempDir()
	write := func(dir, name, text string) {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write(pages, "README.md", "Chains.\n")
	write(pages, "datasources/index.mdx", "nowhere")
	write(pages, "tasks/build.md", "for readers of the repository")
	write(pages, "datasources/image.mdx", "---\n---\n\n# Build\n\nText.\n")
	write(pages, "post-processors/chain.mdx", "---\na: b\n---\n\n# Chain\n\nText.\n")
	write(webDocs, "metadata.hcl", "kept")
	write(webDocs, "components/builder/gone/README.md", "old")

	err := convert(pages, webDocs)
	if err == nil || !strings.Contains(err.Error(), "convert docs/datasources/image.mdx: the front matter has no end") {
		t.Fatalf("error %v for a page without front matter", err)
	}
	write(pages, "datasources/image.mdx", "---\na: b\n---\n\n# Build\n\nText.\n")
	if err := convert(pages, webDocs); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"metadata.hcl":                              "kept",
		"README.md":                                 "Chains.\n",
		"components/data-source/image/README.md":    "Text.\n",
		"components/post-processor/chain/README.md": "Text.\n",
	}
	if diff := cmp.Diff(want, tree(t, webDocs)); diff != "" {
		t.Error(diff)
	}

	write(pages, "commands/chain.mdx", "")
	if err := convert(pages, webDocs); err == nil {
		t.Error("a page of an unknown kind was accepted")
	}
}

func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	texts := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		name, _ := filepath.Rel(dir, path)
		texts[filepath.ToSlash(name)] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return texts
}
