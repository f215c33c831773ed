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
	for _, doc := range manifesttest.Refs("base", "latest", print1) {
		t.Run("ref, "+doc.Name, func(t *testing.T) { wantHostile(t, doc, "refs/latest.json", "") })
	}
}

func wantHostile(t *testing.T, doc manifesttest.Document, name, options string) {
	t.Helper()
	dir := published(t, chain(print1))
	path := filepath.Join(dir, "base", filepath.FromSlash(name))
	check(t, os.WriteFile(path, doc.Body, 0o644))
	var d Datasource
	if errs := configure(t, &d, fmt.Sprintf("image = \"base\"\nregistry = %q\non_missing = \"empty\"\n%s", dir, options)); errs != nil {
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

// TestHostile_foreignAMI has a ref that names an AMI of someone else, and a good manifest: what
// counts is the manifest, and what EC2 says.
func TestHostile_foreignAMI(t *testing.T) {
	offline(t)
	dir := publishedAMI(t, false)
	ref := manifesttest.Ref("base", "latest", print1, `"amis": {}`,
		`"amis": {"eu-west-1": "`+manifesttest.ForeignAMI+`", "eu-west-1/x": "ami-1\nrm", "nowhere": "ami-0a1b2c3d4e5f60718", "us-east-1": "x"}`,
		`"manifest_seq": 1`, `"manifest_seq": 0`)
	check(t, os.WriteFile(filepath.Join(dir, "base", "refs", "latest.json"), ref, 0o644))
	id, err := fromEC2(t, fmt.Sprintf("registry = %q", dir), map[string][]amitest.Step{here: {
		lookedFor(manifesttest.ForeignAMI, "self", amitest.Describe()),
		lookedFor(amiHere, "self", amitest.Describe(amitest.Image{ID: amiHere})),
	}})
	wantParent(t, id, err, nil)

	t.Log("EC2 itself returns the foreign AMI: it is not in the manifest")
	id, err = fromEC2(t, fmt.Sprintf("registry = %q", dir), map[string][]amitest.Step{here: {
		lookedFor(manifesttest.ForeignAMI, "self", amitest.Describe(amitest.Image{ID: manifesttest.ForeignAMI})),
		lookedFor(amiHere, "self", amitest.Describe(amitest.Image{ID: amiHere})),
	}})
	wantParent(t, id, err, nil)
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
	if errs := configure(t, &d, fmt.Sprintf("image = \"base\"\nregistry = %q\nfingerprint = %q", dir, print1)); errs != nil {
		t.Fatal(errs)
	}
	if _, err := d.Execute(); err != nil {
		t.Error(err)
	}
}
