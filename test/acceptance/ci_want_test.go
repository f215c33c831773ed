// SPDX-License-Identifier: MPL-2.0

package acceptance

import (
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/packer-chain/packer-plugin-chain/test/lab/program"
)

// TestAccCISchema checks the template of CloudFormation with cfn-lint, which has the schemas that
// AWS publishes. It comes with moto.
func TestAccCISchema(t *testing.T) {
	newPacker(t)
	t.Parallel()
	python, err := program.Moto(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(root, "example", "ci", "codebuild.yml")
	const lint = "from cfnlint.runner import main; main()"
	out, err := exec.CommandContext(t.Context(), python, "-c", lint, file).CombinedOutput()
	if err != nil {
		t.Fatalf("cfn-lint: %v\n%s", err, out)
	}
}

// wantNothing wants what a pull request may leave.
func (c *ciLab) wantNothing() {
	c.t.Helper()
	objects, err := c.aws.Objects(c.t.Context(), changedBucket)
	c.check(err)
	if len(objects) != 0 {
		c.t.Fatalf("a pull request has left %v", slices.Sorted(maps.Keys(objects)))
	}
	c.wantLaunched(0)
}

// wantPromoted wants both images on the channels and the line of main, by this system and of this
// commit, and the one that was checked in production.
func (c *ciLab) wantPromoted(sha string) {
	c.t.Helper()
	for pointer, want := range map[string]map[string]string{
		"baseline-ubuntu/lines/main":      {"moves.0.commit": sha},
		"baseline-ubuntu/channels/latest": {"moves.0.ci.provider": c.system.provider},
		"snowflake/lines/main":            {"moves.0.commit": sha},
		"snowflake/channels/latest":       {"moves.0.ci.build_url": c.system.page},
		"snowflake/channels/production":   {"moves.0.ci.provider": c.system.provider},
	} {
		document := c.document(pointer)
		for at, text := range want {
			if got := lookUp(document, at); got != text {
				c.t.Errorf("%s of %s is %q, want %q", at, pointer, got, text)
			}
		}
	}
	checked := lookUp(c.document("snowflake/channels/latest"), "amis.eu-west-1")
	if got := lookUp(c.document("snowflake/channels/production"), "amis.eu-west-1"); got != checked {
		c.t.Errorf("production is %q, want %q", got, checked)
	}
}

// document is a document of the registry.
func (c *ciLab) document(name string) any {
	c.t.Helper()
	objects, err := c.aws.Objects(c.t.Context(), changedBucket)
	c.check(err)
	body, exists := objects["chain/"+name+".json"]
	if !exists {
		c.t.Fatalf("the registry has no %s: %v", name, slices.Sorted(maps.Keys(objects)))
	}
	var document any
	c.check(json.Unmarshal(body, &document))
	return document
}

func (c *ciLab) wantLaunched(want int) {
	c.t.Helper()
	if got, err := c.aws.Launched(c.t.Context(), region); err != nil || got != want {
		c.t.Fatalf("%d instances were launched, want %d: %v", got, want, err)
	}
}

// wantReport wants the page among what the night has left.
func (c *ciLab) wantReport() {
	c.t.Helper()
	pages, err := filepath.Glob(filepath.Join(c.artifacts, "*", "chain.html"))
	c.check(err)
	if len(pages) != 1 {
		c.t.Fatalf("the night has left the pages %v, want one", pages)
	}
	page, err := os.ReadFile(pages[0])
	c.check(err)
	if !strings.Contains(string(page), "snowflake") {
		c.t.Error("the report does not mention snowflake")
	}
}
