// SPDX-License-Identifier: MPL-2.0

package publish

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
	"github.com/packer-chain/packer-plugin-chain/internal/manifest/manifesttest"
)

// TestHostile publishes where someone else's documents lie. The image is kept, the text says what
// is published, and none of the documents is overwritten.
func TestHostile(t *testing.T) {
	dir := folder(t)
	processed(t, configured(t, "file", newRecord(dir), ""), &fakeArtifact{id: "File"})
	build := filepath.Join("builds", print1+".json")
	good, err := os.ReadFile(filepath.Join(dir, "app", build))
	check(t, err)
	for _, doc := range manifesttest.Manifests(good, "app", print1) {
		t.Run("manifest, "+doc.Name, func(t *testing.T) {
			wantHostile(t, doc, build, "The manifest is not published.", "succeeded: ")
		})
	}
	for _, doc := range manifesttest.Pointers("app", "latest", print1) {
		t.Run("channel, "+doc.Name, func(t *testing.T) {
			wantHostile(t, doc, filepath.Join("channels", "latest.json"), "The manifest is published (", "its channels or the local manifest are incomplete")
		})
	}
	line, err := os.ReadFile(filepath.Join(dir, "app", "lines", "main.json"))
	check(t, err)
	for _, doc := range manifesttest.Form(string(line)) {
		t.Run("line, "+doc.Name, func(t *testing.T) {
			wantHostile(t, doc, filepath.Join("lines", "main.json"), "The manifest is published (", "its channels or the local manifest are incomplete")
		})
	}
	for _, doc := range manifesttest.Manifests(good, "app", print1) {
		t.Run("local manifest, "+doc.Name, func(t *testing.T) {
			dir := folder(t)
			check(t, os.MkdirAll(filepath.Dir(localPath(dir)), 0o755))
			check(t, os.WriteFile(localPath(dir), doc.Body, 0o644))
			ui, err := process(t, configured(t, "file", newRecord(dir), ""), &fakeArtifact{id: "File"})
			check(t, err)
			if text := strings.Join(ui.red, "\n"); replaceable[doc.Name] != (text == "") {
				t.Errorf("in red: %s", text)
			}
			if after, _ := os.ReadFile(localPath(dir)); (string(after) == string(doc.Body)) == replaceable[doc.Name] {
				t.Errorf("replaced, or not: %.200s", after)
			}
		})
	}
}

// TestHostile_text shows what a document says, and fails: the terminal gets words only. Cause: the
// ids of a local manifest and the sources of a manifest were shown as they were.
func TestHostile_text(t *testing.T) {
	const escape = "\x1b[2J\r\n::error::"
	dir := folder(t)
	rec := newRecord(dir)
	rec.Sources = []string{"file.image", "file." + escape}
	rec.Parents = []manifest.Parent{{Image: "base", Identity: escape, FoundBy: escape}}
	rec.Entries = []manifest.Entry{{Name: "image" + escape, BuilderType: "file", ArtifactID: "File" + escape}}
	rec.Unpublished, rec.Pending = true, nil
	rec.Git.Line.Name, rec.NotOnBranch = escape, escape
	ui, err := process(t, configured(t, "chain", rec, ""), &fakeArtifact{id: "File"})
	check(t, err)
	check(t, os.RemoveAll(dir))
	check(t, os.WriteFile(dir, nil, 0o644))
	failed, err := process(t, configured(t, "chain", rec, `on_failure = "keep"`), &fakeArtifact{id: "File"})
	check(t, err)
	lines := slices.Concat(ui.said, ui.red, failed.said, failed.red)
	if text := strings.Join(lines, "\n"); strings.ContainsAny(text, "\x1b\r") || strings.Contains(text, "\n::error::") {
		t.Errorf("got %q", lines)
	}
	if last := failed.red[len(failed.red)-1]; !strings.Contains(last, "The image is kept: File[2J ::error::\n") {
		t.Errorf("got %q", last)
	}
}

// TestArtifactOf names every AMI of an image, in however many regions it is.
func TestArtifactOf(t *testing.T) {
	var entry manifest.Entry
	for i := range 30 {
		entry.Images = append(entry.Images, manifest.Image{Provider: manifest.ProviderAWS, Region: fmt.Sprintf("eu-west-%d", i), ID: ami1})
	}
	if got := artifactOf(entry); strings.Count(got, ami1) != 30 {
		t.Errorf("got %s", got)
	}
}

// replaceable are the documents that may be replaced: an earlier run left them, of another image.
var replaceable = map[string]bool{"of another image": true, "of another fingerprint": true}

func wantHostile(t *testing.T, doc manifesttest.Document, name string, want ...string) {
	t.Helper()
	dir := folder(t)
	path := filepath.Join(dir, "app", name)
	check(t, os.MkdirAll(filepath.Dir(path), 0o755))
	check(t, os.WriteFile(path, doc.Body, 0o644))
	_, failed := process(t, configured(t, "file", newRecord(dir), ""), &fakeArtifact{id: "File"})
	if failed == nil {
		t.Fatal("the build succeeds")
	}
	text := failed.Error()
	for _, part := range append(want, path) {
		if !strings.Contains(text, part) {
			t.Errorf("%q is not in: %s", part, text)
		}
	}
	if len(text) > 3000 || strings.ContainsRune(text, 0) || strings.Contains(text, "bug in the chain plugin") {
		t.Errorf("the text is not fit to be shown: %.3000q", text)
	}
	if after, _ := os.ReadFile(path); string(after) != string(doc.Body) {
		t.Errorf("%s was overwritten", path)
	}
}
