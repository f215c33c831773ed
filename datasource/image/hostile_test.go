// SPDX-License-Identifier: MPL-2.0

package image

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
	"github.com/packer-chain/packer-plugin-chain/internal/manifest/manifesttest"
	"github.com/packer-chain/packer-plugin-chain/internal/option/optiontest"
)

// TestHostile has the documents of the registry replaced by someone else. None makes an image
// needed, which would end in a build whose manifest cannot be written, and none makes it unchanged.
func TestHostile(t *testing.T) {
	optiontest.Offline(t)
	dir := newRepo(t, app)
	first := looked(t, "", "first build of app")
	publish(t, first, entry("1", now))
	folder := filepath.Join(filepath.Dir(dir), "registry", "app")
	build := filepath.Join(folder, "builds", first.Fingerprint+".json")
	latest, line := filepath.Join(folder, "channels", "latest.json"), filepath.Join(folder, "lines", "main.json")
	good, goodLatest, goodLine := read(t, build), read(t, latest), read(t, line)

	for _, doc := range manifesttest.Manifests(good, "app", first.Fingerprint) {
		t.Run("manifest, "+doc.Name, func(t *testing.T) { wantHostile(t, doc, build) })
	}
	replace(t, build, good)
	for _, doc := range manifesttest.Pointers("app", "latest", first.Fingerprint) {
		t.Run("channel, "+doc.Name, func(t *testing.T) { wantHostile(t, doc, latest) })
	}
	replace(t, latest, goodLatest)
	for _, doc := range manifesttest.Form(string(goodLine)) {
		t.Run("line, "+doc.Name, func(t *testing.T) { wantHostile(t, doc, line) })
	}
	replace(t, line, goodLine)
	looked(t, "", "unchanged")
	for _, doc := range manifesttest.Manifests(good, "app", first.Fingerprint) {
		t.Run("local manifest, "+doc.Name, func(t *testing.T) {
			path := first.LocalManifest
			replace(t, path, doc.Body)
			looked(t, "", "unchanged")
			if string(read(t, path)) != string(doc.Body) {
				t.Error("the local manifest was changed")
			}
		})
	}
}

func wantHostile(t *testing.T, doc manifesttest.Document, path string) {
	t.Helper()
	replace(t, path, doc.Body)
	_, err := execute(t, "")
	var newer *manifest.SchemaError
	tooLarge := len(doc.Body) > manifest.MaxSize && err != nil && strings.Contains(err.Error(), "larger than 1 MiB")
	if errors.As(err, &newer) != doc.Newer || (errors.Is(err, manifest.ErrCorrupt) == doc.Newer && !tooLarge) {
		t.Errorf("got %v", err)
	}
	if err != nil && (len(err.Error()) > 2000 || strings.Contains(err.Error(), "bug in the chain plugin")) {
		t.Errorf("the error is not fit to be shown: %.3000q", err)
	}
	if string(read(t, path)) != string(doc.Body) {
		t.Errorf("%s was changed", path)
	}
}

// TestHostile_manyBuilds has both the manifest and the local manifest as full as they can be. It
// took minutes when each entry was compared with each other.
func TestHostile_manyBuilds(t *testing.T) {
	optiontest.Offline(t)
	dir := newRepo(t, app)
	first := looked(t, "", "first build of app")
	publish(t, first, entry("1", now))
	path := filepath.Join(filepath.Dir(dir), "registry", "app", "builds", first.Fingerprint+".json")
	body, _ := manifesttest.ManyBuilds(read(t, path), manifest.MaxSize)
	replace(t, path, body)
	unpublished := strings.Replace(string(body), `"schema": 1`, `"schema": 1, "published": false`, 1)
	replace(t, first.LocalManifest, []byte(unpublished))
	started := time.Now()
	_, err := execute(t, "")
	if took := time.Since(started); took > time.Minute {
		t.Errorf("it took %s", took)
	}
	if err != nil && !strings.Contains(err.Error(), "the limit is") {
		t.Error(err)
	}
}

// TestHostile_times has a build from the end of time, and from before its beginning.
func TestHostile_times(t *testing.T) {
	optiontest.Offline(t)
	for _, at := range []int64{1<<63 - 1, -1 << 63, 253402300800} {
		t.Run(fmt.Sprint(at), func(t *testing.T) {
			newRepo(t, app)
			first := looked(t, "", "first build of app")
			e := entry("1", now)
			e.BuildTime = at
			publish(t, first, e)
			if _, err := execute(t, `max_age = "1h"`); err != nil {
				t.Error(err)
			}
		})
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	body, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

func replace(t *testing.T, path string, body []byte) {
	t.Helper()
	err := os.MkdirAll(filepath.Dir(path), 0o755)
	if err == nil {
		err = os.WriteFile(path, body, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}
