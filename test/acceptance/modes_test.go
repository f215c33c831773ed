// SPDX-License-Identifier: MPL-2.0

package acceptance

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/packer-chain/packer-plugin-chain/test/lab/workspace"
)

// offlineLab has neither AWS nor credentials, nor a region.
func offlineLab(t *testing.T) *lab {
	t.Helper()
	l := &lab{t: t, packer: newPacker(t).With(
		"AWS_EC2_METADATA_DISABLED=true", "AWS_CONFIG_FILE=/dev/null", "AWS_SHARED_CREDENTIALS_FILE=/dev/null")}
	repo, err := workspace.New(t.Context(), filepath.Join(t.TempDir(), "repo"))
	l.check(err)
	l.repo = repo
	return l
}

func replaceOnce(t *testing.T, text, old, replacement string) string {
	t.Helper()
	if strings.Count(text, old) != 1 {
		t.Fatalf("%q is not there once", old)
	}
	return strings.Replace(text, old, replacement, 1)
}

// TestAccModes_validate validates the example with no credentials, no region and no network, as a
// check of a pull request does.
func TestAccModes_validate(t *testing.T) {
	t.Parallel()
	l := offlineLab(t)
	l.check(l.repo.CopyFrom(filepath.Join(root, "example")))
	for _, folder := range []string{"base", "snowflake"} {
		wantCode(t, 0, l.run(folder, "init", "."))
		wantOutput(t, wantCode(t, 0, l.run(folder, "validate", ".")), "The configuration is valid.")
	}
}

// TestAccModes runs the chain in the other ways that Packer offers.
func TestAccModes(t *testing.T) {
	t.Parallel()
	l := exampleLab(t)
	l.mustBuild("base")
	wantOutput(t, wantCode(t, 0, l.run("snowflake", "validate", "-evaluate-datasources", ".")), "The configuration is valid.")
	wantCode(t, 0, l.run("snowflake", "inspect", "."))

	l.packer = l.packer.With("PACKER_FORCE_GOB=1")
	wantOutput(t, l.mustBuild("snowflake"), "first build of snowflake")
	again := l.mustBuild("snowflake")
	wantOutput(t, again, "unchanged: nothing is built")
	l.wantNothingBuilt(2, again)
	wantOutput(t, wantCode(t, 0, l.run("snowflake", "validate", "-evaluate-datasources", ".")), "The configuration is valid.")
}

// TestAccModes_folder serves the chain of AMIs from a folder, without any bucket.
func TestAccModes_folder(t *testing.T) {
	t.Parallel()
	l := exampleLab(t)
	l.packer = l.packer.With("PKR_VAR_registry=" + filepath.Join(t.TempDir(), "registry"))
	wantOutput(t, l.mustBuild("base"), "first build of baseline-ubuntu")
	wantOutput(t, l.mustBuild("snowflake"), "first build of snowflake")
	for _, folder := range []string{"base", "snowflake"} {
		result := l.mustBuild(folder)
		wantOutput(t, result, "unchanged: nothing is built")
		l.wantNothingBuilt(2, result)
	}
	if objects := l.objects(); len(objects) != 0 {
		t.Errorf("the bucket holds %d objects", len(objects))
	}
}

// TestAccModes_ci builds in a CI service: the image says which build made it.
func TestAccModes_ci(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.write(map[string]string{
		"base/base.pkr.hcl": bakery, ".gitignore": "manifest-*.json\npacker-manifest.json\n", "child/README": "child\n"})
	l.commit("begin")
	l.packer = l.packer.With("GITHUB_ACTIONS=true", "GITHUB_SERVER_URL=https://user:secret@git.example.com",
		"GITHUB_REPOSITORY=acme/images", "GITHUB_RUN_ID=4711", "GITHUB_RUN_ATTEMPT=1")
	l.mustBuild("base")
	const page = "https://git.example.com/acme/images/actions/runs/4711"
	if tags := l.images(region)[0].Tags; !strings.HasPrefix(tags["chain:ci-build"], page) {
		t.Errorf("tags: %v", tags)
	}
	answer := strings.Replace(fmt.Sprintf(asker, "registry = var.registry\nimage = \"base\""), "answer: ",
		"answer: ${data.chain.parent.ci_provider} ${data.chain.parent.ci_build_id} ${data.chain.parent.ci_build_url} ", 1)
	l.write(map[string]string{"child/ask.pkr.hcl": answer})
	wantOutput(t, l.mustBuild("child"), "answer: github-actions 4711 "+page)
	for key, body := range l.objects() {
		if strings.Contains(string(body), "secret") {
			t.Errorf("%s holds a password", key)
		}
	}
}
