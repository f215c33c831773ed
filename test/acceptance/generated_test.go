// SPDX-License-Identifier: MPL-2.0

package acceptance

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

// TestAccGenerated refers to what builders generate. Packer evaluates that for each source of a build: source
// "chain" named none of it, so that such a template was not valid, and a run that builds nothing failed.
func TestAccGenerated(t *testing.T) {
	t.Parallel()
	template := replaceOnce(t, bakery, `post-processor "chain" { record = data.chain-image.this.record }`, `
  post-processor "chain" {
    record = data.chain-image.this.record
    labels = { run = build.PackerRunUUID, instance = build.ID, on = build.SourceAMIName }
  }`)
	template = replaceOnce(t, template, `post-processor "manifest" {}`, `
  post-processor "manifest" {
    custom_data = { on = build.SourceAMI, in = build.BuildRegion, run = build.PackerRunUUID }
  }`)
	l := newLab(t)
	l.write(map[string]string{"base/base.pkr.hcl": template, ".gitignore": "manifest-*.json\npacker-manifest.json\n"})
	l.commit("begin")
	wantCode(t, 0, l.run("base", "validate", "."))
	l.mustBuild("base")
	wantOutput(t, l.mustBuild("base"), "unchanged: nothing is built")

	var file struct {
		Builds []struct {
			RunUUID string            `json:"packer_run_uuid"`
			Custom  map[string]string `json:"custom_data"`
		}
	}
	body, err := os.ReadFile(filepath.Join(l.repo.Dir, "base", "packer-manifest.json"))
	l.check(err)
	l.check(json.Unmarshal(body, &file))
	if len(file.Builds) != 2 {
		t.Fatalf("%d builds, want one that built and one that did not\n%s", len(file.Builds), body)
	}
	for _, build := range file.Builds {
		custom := build.Custom
		if custom["on"] == "" || custom["on"] != file.Builds[0].Custom["on"] || custom["in"] != region || custom["run"] != build.RunUUID {
			t.Errorf("got %+v", build)
		}
	}
}
