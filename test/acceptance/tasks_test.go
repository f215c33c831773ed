// SPDX-License-Identifier: MPL-2.0

package acceptance

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	// outputBlock is a block of a page with what commands print.
	outputBlock = regexp.MustCompile("(?ms)^```text\n(.*?)^```$")
	// anyID is whatever differs from run to run, and a long one that a page has cut off.
	anyID = regexp.MustCompile(`\b(?:ami-|snap-)?[0-9a-f]{7,64}\b|\b30f2…`)
)

// tasks is an account in which somebody goes through the pages under docs/tasks.
type tasks struct{ *lab }

// TestAccTasks runs the commands of docs/tasks with the examples, in the order of a life: an image
// is built, tested, promoted, rolled back and revoked. It wants the lines that the pages show.
func TestAccTasks(t *testing.T) {
	needAWSCommand(t)
	newPacker(t)
	t.Parallel()
	k := newTasks(t)
	k.shell(block(t, "README.md", 0))
	k.change("base")
	k.shell("packer build base")
	k.wantShown("docs/tasks/build.md", 0, k.shell(block(t, "docs/tasks/build.md", 0)))
	k.wantShown("docs/tasks/promote.md", 0, k.shell(block(t, "docs/tasks/promote.md", 0)))
	good := k.production()

	k.change("snowflake")
	k.shell("packer build snowflake")
	out := k.shell(block(t, "docs/tasks/test.md", 0))
	if bad := k.production(); bad == good || !contains(out, "channel production -> "+bad[:12]) {
		t.Errorf("the image that was tested is not in production\n%s", out)
	}
	k.release(good, k.production())
}

// release goes back from a bad image to a good one, and revokes the bad one.
func (k *tasks) release(good, bad string) {
	k.t.Helper()
	page := "docs/tasks/roll-back.md"
	k.wantShown(page, 0, k.shell(block(k.t, page, 0)))
	if now := k.production(); now != good {
		k.t.Errorf("production is on %s after the rollback, want %s", now, good)
	}
	// The channel latest has to leave the image that is revoked.
	k.change("snowflake")
	k.shell("packer build snowflake")
	page = "docs/tasks/revoke.md"
	manifest := k.manifest("snowflake", bad)
	tag := changed(k.t, block(k.t, page, 1),
		"ami-0a1b2c3d4e5f60718", lookUp(manifest, "chain.amis."+region))
	if found := strings.TrimSpace(k.shell(tag)); found != bad {
		k.t.Errorf("the tag of the AMI has %q, want %q", found, bad)
	}
	k.wantShown(page, 0, k.shell(changed(k.t, block(k.t, page, 0), "30f2…", bad)))
	if reason := lookUp(k.manifest("snowflake", bad), "builds.-1.revoked.reason"); reason == "" {
		k.t.Error("the manifest does not say that the image is revoked")
	}
	restore := changed(k.t, block(k.t, "docs/after-the-build.md", 4), "30f2…", bad)
	k.wantShown(page, 3, k.shell(restore))

	k.change("base")
	k.shell("packer build base")
	out := k.shell(block(k.t, "docs/tasks/report.md", 0))
	k.wantLines("docs/tasks/report.md", changed(k.t, shown(k.t, "docs/tasks/report.md", 0),
		"3 images: 1 out of date, 2 current", "2 images: 1 out of date, 1 current"), out)
}

// TestAccTasks_documents reads documents with the commands of the pages about them.
func TestAccTasks_documents(t *testing.T) {
	needAWSCommand(t)
	newPacker(t)
	t.Parallel()
	k := newTasks(t)
	k.shell(block(t, "README.md", 0))
	latest := k.pointer("snowflake/channels/latest")
	_, reading, _ := strings.Cut(string(read(t, root+"/docs/registry.md")), "\n## Reading\n")
	out := k.shell(shellBlock.FindStringSubmatch(reading)[1])
	base := k.pointer("baseline-ubuntu/channels/latest")
	for _, want := range []string{
		lookUp(latest, "amis."+region) + "\n", "\tforward\t" + lookUp(latest, "fingerprint")[:12],
		"baseline-ubuntu " + lookUp(base, "amis."+region) + " s3://acme-images/chain/baseline-ubuntu/",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is missing in\n%s", want, out)
		}
	}
	_, hash, _ := strings.Cut(string(read(t, root+"/docs/datasources/image.mdx")),
		"\nAnybody can compute the fingerprint")
	out = k.shell("cd base\n" + shellBlock.FindStringSubmatch(hash)[1])
	if want := lookUp(base, "fingerprint"); strings.Fields(out)[0] != want {
		t.Errorf("the page computes the fingerprint %s, want %s", out, want)
	}
}

// newTasks is an empty account, and the examples, which copy to a second region.
func newTasks(t *testing.T) *tasks {
	t.Helper()
	k := &tasks{newLabIn(t, filepath.Join(t.TempDir(), "repo"))}
	k.check(k.repo.CopyFrom(filepath.Join(root, "example")))
	k.write(".gitignore", "chain-report/\npacker-manifest.json\n")
	k.commit("begin")
	k.configureAWSCommand()
	k.packer = k.packer.With(`PKR_VAR_copy_to=["` + copyRegion + `"]`)
	return k
}

// change commits another file of an image.
func (k *tasks) change(folder string) {
	k.t.Helper()
	k.write(folder+"/notes.txt", string(read(k.t, k.repo.Dir+"/.git/refs/heads/main")))
	k.commit("change " + folder)
}

// production is the fingerprint of the image in production.
func (k *tasks) production() string {
	k.t.Helper()
	return lookUp(k.pointer("snowflake/channels/production"), "fingerprint")
}

func (k *tasks) manifest(image, fingerprint string) any {
	k.t.Helper()
	return k.pointer(image + "/builds/" + fingerprint)
}

// wantShown wants what a page shows in its block n of output to have been printed.
func (k *tasks) wantShown(page string, n int, output string) {
	k.t.Helper()
	k.wantLines(page, shown(k.t, page, n), output)
}

func (k *tasks) wantLines(page, text, output string) {
	k.t.Helper()
	output = anyID.ReplaceAllString(output, "ID")
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(anyID.ReplaceAllString(line, "ID"))
		if !strings.Contains(output, line) {
			k.t.Errorf("%s shows %q, and this was printed:\n%s", page, line, output)
		}
	}
}

// block is the block n of commands of a page.
func block(t testing.TB, page string, n int) string {
	t.Helper()
	return nth(t, page, shellBlock, n)
}

// shown is the block n of output of a page.
func shown(t testing.TB, page string, n int) string {
	t.Helper()
	return nth(t, page, outputBlock, n)
}

func nth(t testing.TB, page string, pattern *regexp.Regexp, n int) string {
	t.Helper()
	blocks := pattern.FindAllStringSubmatch(string(read(t, filepath.Join(root, page))), -1)
	if len(blocks) <= n {
		t.Fatalf("%s has %d blocks like %s", page, len(blocks), pattern)
	}
	return blocks[n][1]
}
