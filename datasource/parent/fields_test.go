// SPDX-License-Identifier: MPL-2.0

package parent

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/packer-chain/packer-plugin-chain/internal/ami/amitest"
	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
	"github.com/packer-chain/packer-plugin-chain/internal/manifest/manifesttest"
)

// TestFields changes every field of every document, one at a time: it is refused, or nothing of it
// reaches an output. The outputs ref and record are JSON for other components, and
// no text.
func TestFields(t *testing.T) {
	offline(t)
	facts := chain(print1)
	facts.CI = &manifest.CI{Provider: "github-actions", BuildID: "77", BuildURL: "https://github.com/acme/images/actions/runs/77"}
	facts.Git.Commit, facts.Git.Branch, facts.Git.Origin = sha2, "main", "github.com/acme/images//base"
	facts.Ancestors = []manifest.Ancestor{{Image: "deep", Fingerprint: print2}}
	facts.Parents = []manifest.Parent{{Image: "deep", Fingerprint: print2, Identity: "x"}}
	for kind, entry := range map[string]manifest.Entry{
		kindArtifact: fileBuild("image"), kindAMI: baked("run", map[string]string{here: amiHere})} {
		dir := t.TempDir()
		publish(t, dir, facts, entry)
		build := filepath.Join(dir, "base", "builds", print1+".json")
		local := filepath.Join(t.TempDir(), "manifest.json")
		good, err := os.ReadFile(build)
		check(t, err)
		for path, options := range map[string]string{
			build: fmt.Sprintf("registry = %q\nfingerprint = %q\nresolve_by = [\"registry\"]", dir, print1),
			local: fmt.Sprintf("local_manifest = %q", local),
			filepath.Join(dir, "base", "channels", "latest.json"): fmt.Sprintf("registry = %q", dir),
		} {
			before, err := os.ReadFile(path)
			if err != nil {
				before = good
			}
			for _, with := range manifesttest.Fields(before) {
				check(t, os.WriteFile(path, with.Body, 0o644))
				wantHarmless(t, kind, options, with)
			}
			check(t, os.WriteFile(path, before, 0o644))
		}
	}
}

func wantHarmless(t *testing.T, kind, options string, with manifesttest.Document) {
	t.Helper()
	steps := amitest.Times(9, amitest.Describe(amitest.Image{ID: amiHere}))
	for i := range steps {
		steps[i].Want = nil
	}
	server := amitest.Serve(map[string][]amitest.Step{here: steps})
	defer server.Close()
	value, err := valueFrom(t, server.URL, fmt.Sprintf("kind = %q\non_missing = \"empty\"\n%s", kind, options))
	if err != nil {
		if strings.Contains(err.Error(), "bug in the chain plugin") || strings.ContainsAny(err.Error(), "\x1b\x00") {
			t.Errorf("%s: %q", with.Name, err)
		}
		return
	}
	for name, output := range value.AsValueMap() {
		text := output.GoString()
		opaque := name == "ref" || name == "record"
		if !opaque && manifesttest.Leaks(text) {
			t.Errorf("%s: it reaches %s: %s", with.Name, name, text)
		}
	}
	if id := value.GetAttr("id").AsString(); kind == kindAMI && id != "" && id != amiHere {
		t.Errorf("%s: got %s", with.Name, id)
	}
}
