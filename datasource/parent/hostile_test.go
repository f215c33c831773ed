// SPDX-License-Identifier: MPL-2.0

package parent

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/packer-chain/packer-plugin-chain/internal/ami/amitest"
	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
	"github.com/packer-chain/packer-plugin-chain/internal/manifest/manifesttest"
)

// TestHostile has the documents of the registry replaced by someone else. None is taken for a
// parent, nor for one that is missing, and each is left as it is.
func TestHostile(t *testing.T) {
	offline(t)
	good, err := os.ReadFile(filepath.Join(published(t, chain(print1)), "base", "builds", print1+".json"))
	check(t, err)
	for _, doc := range manifesttest.Manifests(good, "base", print1) {
		t.Run("manifest, "+doc.Name, func(t *testing.T) {
			wantHostile(t, doc, "builds/"+print1+".json", `fingerprint = "`+print1+`"`)
			wantHostile(t, doc, "builds/"+print1+".json", "")
		})
	}
	for _, doc := range manifesttest.Pointers("base", "latest", print1) {
		t.Run("channel, "+doc.Name, func(t *testing.T) { wantHostile(t, doc, "channels/latest.json", "") })
	}
}

func wantHostile(t *testing.T, doc manifesttest.Document, name, options string) {
	t.Helper()
	dir := published(t, chain(print1))
	path := filepath.Join(dir, "base", filepath.FromSlash(name))
	check(t, os.WriteFile(path, doc.Body, 0o644))
	var d Datasource
	if errs := configure(t, &d, fmt.Sprintf("image = \"base\"\nkind = \"artifact\"\nregistry = %q\non_missing = \"empty\"\n%s", dir, options)); errs != nil {
		t.Fatal(errs)
	}
	_, err := d.Execute()
	var newer *manifest.SchemaError
	tooLarge := len(doc.Body) > manifest.MaxSize && err != nil && strings.Contains(err.Error(), "larger than 1 MiB")
	if errors.As(err, &newer) != doc.Newer || (errors.Is(err, manifest.ErrCorrupt) == doc.Newer && !tooLarge) {
		t.Errorf("got %v", err)
	}
	if err != nil && (len(err.Error()) > 2000 || strings.Contains(err.Error(), "bug in the chain plugin") || strings.ContainsRune(err.Error(), 0)) {
		t.Errorf("the error is not fit to be shown: %.3000q", err)
	}
	if after, _ := os.ReadFile(path); string(after) != string(doc.Body) {
		t.Errorf("%s was changed", path)
	}
}

// TestHostile_foreignAMI has a channel that pins an AMI of someone else, and a good manifest. Even
// if EC2 shows that AMI, nothing is built on it: the manifest does not have it.
func TestHostile_foreignAMI(t *testing.T) {
	offline(t)
	foreign := amitest.Describe(amitest.Image{ID: manifesttest.ForeignAMI})
	for name, channel := range map[string][]byte{
		"of no build":     manifesttest.Pointer("base", "latest", print1),
		"of a good build": manifesttest.Pointer("base", "latest", print1, "amazon-ebs.x", "amazon-ebs.image", "run1", "run"),
	} {
		t.Run(name, func(t *testing.T) {
			dir := publishedAMI(t)
			check(t, os.WriteFile(filepath.Join(dir, "base", "channels", "latest.json"), channel, 0o644))
			// Whether EC2 is asked before the manifest is read, is left to chance.
			server := amitest.Serve(map[string][]amitest.Step{here: amitest.Times(5, foreign)})
			defer server.Close()
			id, err := fromServer(t, server.URL, fmt.Sprintf("registry = %q\non_missing = \"empty\"", dir))
			wantParent(t, id, err, []string{print1 + ".json: corrupt: it does not have the builds that channel latest points at"})
		})
	}
}

// TestHostile_manyBuilds resolves a parent whose manifest is as full as it can be.
func TestHostile_manyBuilds(t *testing.T) {
	offline(t)
	dir := published(t, chain(print1))
	path := filepath.Join(dir, "base", "builds", print1+".json")
	good, err := os.ReadFile(path)
	check(t, err)
	body, _ := manifesttest.ManyBuilds(good, manifest.MaxSize)
	check(t, os.WriteFile(path, body, 0o644))
	var d Datasource
	if errs := configure(t, &d, fmt.Sprintf("image = \"base\"\nkind = \"artifact\"\nregistry = %q\nfingerprint = %q", dir, print1)); errs != nil {
		t.Fatal(errs)
	}
	if _, err := d.Execute(); err != nil {
		t.Error(err)
	}
}
