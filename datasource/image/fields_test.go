// SPDX-License-Identifier: MPL-2.0

package image

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/packer-chain/packer-plugin-chain/internal/access"
	"github.com/packer-chain/packer-plugin-chain/internal/ami/amitest"
	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
	"github.com/packer-chain/packer-plugin-chain/internal/manifest/manifesttest"
	"github.com/packer-chain/packer-plugin-chain/internal/option/optiontest"
	"github.com/packer-chain/packer-plugin-chain/internal/record"
)

// TestFields changes every field of every document, one at a time: it is refused, or nothing of it
// reaches an output. The record is JSON for other components, and no text.
func TestFields(t *testing.T) {
	optiontest.Offline(t)
	for kind, made := range map[string]manifest.Entry{"AMI": built("app", here, ami1), "file": entry("1", now)} {
		t.Run(kind, func(t *testing.T) {
			dir := newRepo(t, app)
			first := looked(t, "", "first build of app")
			publish(t, first, made)
			steps := amitest.Times(10_000, amitest.Describe(amitest.Image{ID: ami1}))
			for i := range steps {
				steps[i].Want = nil
			}
			server := amitest.Serve(map[string][]amitest.Step{here: steps})
			defer server.Close()
			look := looker(t, server.URL)
			folder := filepath.Join(filepath.Dir(dir), "registry", "app")
			for _, path := range []string{
				filepath.Join(folder, "builds", first.Fingerprint+".json"), filepath.Join(folder, "channels", "latest.json")} {
				good := read(t, path)
				for _, doc := range manifesttest.Fields(good) {
					replace(t, path, doc.Body)
					wantHarmless(t, look, doc)
				}
				replace(t, path, good)
			}
			local(t, record.Record{Facts: first.Facts, LocalManifest: first.LocalManifest}, new(bool), entry("2", now))
			for _, doc := range manifesttest.Fields(read(t, first.LocalManifest)) {
				replace(t, first.LocalManifest, doc.Body)
				wantHarmless(t, look, doc)
			}
		})
	}
}

// looker returns a function that does all that the data source does but asking git, once for all.
func looker(t *testing.T, url string) func() (DatasourceOutput, error) {
	t.Helper()
	var d Datasource
	in := "image = \"app\"\nregistry = \"../registry\"\npath = \"app\"\nregion = \"" + here + "\"\n" +
		"access_key = \"AKIDEXAMPLE\"\nsecret_key = \"secret\"\ncustom_endpoint_ec2 = \"" + url + "\""
	if errs := optiontest.Texts(d.Configure(optiontest.Decode(t, &Datasource{}, in))); errs != nil {
		t.Fatal(errs)
	}
	id, err := identify(t.Context(), d.config, os.Getenv)
	if err != nil {
		t.Fatal(err)
	}
	return func() (DatasourceOutput, error) {
		conn := access.Open(t.Context(), &d.config.Config, d.config.Registry, nil)
		found, err := lookUp(t.Context(), conn, d.config, id)
		if err != nil {
			return DatasourceOutput{}, err
		}
		return output(d.config, here, id, found, decide(d.config, id.facts, found, now))
	}
}

func wantHarmless(t *testing.T, look func() (DatasourceOutput, error), doc manifesttest.Document) {
	t.Helper()
	out, err := look()
	if err != nil {
		if strings.Contains(err.Error(), "bug in the chain plugin") || strings.ContainsAny(err.Error(), "\x1b\x00") {
			t.Errorf("%s: %q", doc.Name, err)
		}
		return
	}
	// A reason quotes what it is about, without what would make more than words of it.
	if !strings.ContainsAny(out.Reason, "$`\"'<\x1b\n") {
		out.Reason = ""
	}
	out.Record = ""
	if text := fmt.Sprintf("%+v", out); manifesttest.Leaks(text) {
		t.Errorf("%s: it reaches %s", doc.Name, text)
	}
	if manifest.IsAMI(out.ID) && out.ID != ami1 {
		t.Errorf("%s: got %s", doc.Name, out.ID)
	}
}
