// SPDX-License-Identifier: MPL-2.0

package report_test

import (
	"bytes"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
	"github.com/packer-chain/packer-plugin-chain/internal/manifest/manifesttest"
	"github.com/packer-chain/packer-plugin-chain/internal/registry"
	"github.com/packer-chain/packer-plugin-chain/internal/report"
)

// loadSchema returns the published schema of chain.json. Here it refuses what it does not describe.
func loadSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	file, err := os.Open("../../docs/chain.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	doc, err := jsonschema.UnmarshalJSON(file)
	if err != nil {
		t.Fatal(err)
	}
	var strict func(at any)
	strict = func(at any) {
		node, ok := at.(map[string]any)
		if !ok {
			return
		}
		if _, described := node["properties"]; described && node["type"] == "object" {
			node["additionalProperties"] = false
		}
		for _, below := range node {
			strict(below)
		}
	}
	strict(doc)
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	if err := compiler.AddResource("chain.json", doc); err != nil {
		t.Fatal(err)
	}
	schema, err := compiler.Compile("chain.json")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// checkJSON checks that chain.json of a report is as its schema says.
func checkJSON(t *testing.T, schema *jsonschema.Schema, r report.Report) {
	t.Helper()
	body, err := report.JSON(r)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if err := schema.Validate(doc); err != nil {
		t.Errorf("%v in\n%s", err, body)
	}
}

func TestJSON(t *testing.T) {
	schema := loadSchema(t)
	checkJSON(t, schema, sample(30, 4))
	checkJSON(t, schema, report.Make(report.Contents{Registry: "/srv/chain", At: sampleTime}, report.Options{}))
	for name, tt := range statusTests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			tt.given(w)
			checkJSON(t, schema, w.report())
		})
	}
}

// TestHostile checks that no document of someone else makes anything but a report.
func TestHostile(t *testing.T) {
	schema := loadSchema(t)
	w := newWorld(t)
	base := w.run(build{image: "base", regions: []string{eu, us}})
	runtime := w.run(build{image: "runtime", parents: []manifest.Parent{base},
		sources: []string{"amazon-ebs.amd64", "amazon-ebs.arm64"}})
	w.revoke(runtime, "leaked")
	w.see()
	key := registry.BuildKey("runtime", runtime.Fingerprint)
	for _, document := range []string{key, "runtime/channels/latest.json"} {
		good, err := w.store.Get(t.Context(), document)
		if err != nil {
			t.Fatal(err)
		}
		all := manifesttest.Fields(good.Body)
		if len(all) < 100 {
			t.Fatalf("%d documents only", len(all))
		}
		for _, bad := range all {
			w.put(document, string(bad.Body))
			r := w.report()
			checkJSON(t, schema, r)
			if err := report.HTML(io.Discard, r); err != nil {
				t.Errorf("%s: %s: %v", document, bad.Name, err)
			}
			if len(r.Images) != 2 {
				t.Errorf("%s: %s: got %d images", document, bad.Name, len(r.Images))
			}
			if drawn := report.Mermaid(r); manifesttest.Leaks(drawn) {
				t.Errorf("%s: %s: got %s", document, bad.Name, drawn)
			}
			for _, image := range r.Images {
				for _, line := range append([]string{image.Reason, image.Origin}, image.Problems...) {
					if strings.ContainsAny(line, "\x1b\n\r") {
						t.Errorf("%s: %s: got %q", document, bad.Name, line)
					}
				}
			}
		}
		w.put(document, string(good.Body))
	}
}
