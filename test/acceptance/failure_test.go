// SPDX-License-Identifier: MPL-2.0

package acceptance

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// deadEndpoint is a port where nobody listens.
const deadEndpoint = "http://127.0.0.1:1"

// breakable is bakery with a post-processor whose registry can be made unreachable.
func breakable(t *testing.T, options string) string {
	t.Helper()
	return replaceOnce(t, bakery, `post-processor "chain" { record = data.chain-image.this.record }`, `
  post-processor "chain" {
    record          = data.chain-image.this.record
    publish_timeout = "4s"
    `+options+`
    registry_access {
      endpoint       = var.endpoint
      use_path_style = true
    }
  }`) + `
variable "endpoint" { type = string }
`
}

func failureLab(t *testing.T, template string) *lab {
	t.Helper()
	l := newLab(t)
	l.write(map[string]string{
		"base/base.pkr.hcl": template, ".gitignore": "manifest-*.json\npacker-manifest.json\n", "child/README": "child\n"})
	l.commit("begin")
	l.packer = l.packer.With("PKR_VAR_endpoint=" + l.aws.Endpoint)
	return l
}

// TestAccFailure_keep has the registry unreachable at the last step: the AMI survives, the message says
// how to finish, and finishing builds nothing.
func TestAccFailure_keep(t *testing.T) {
	t.Parallel()
	template := strings.Replace(breakable(t, ""), `post-processor "manifest" {}`, "", 1)
	l := failureLab(t, template)
	healthy := l.packer
	l.packer = l.packer.With("PKR_VAR_endpoint=" + deadEndpoint)

	broken := l.mustBuild("base")
	wantOutput(t, broken, "publish base: ", "The manifest is not published.", "The image is kept: "+region+":ami-",
		"run the same packer build again, in the same folder")
	if n := len(l.images(region)); n != 1 {
		t.Fatalf("%d AMIs, want the one that was built\n%s", n, broken)
	}
	if local := l.local("base/manifest-base.json"); local.Chain.Published == nil || *local.Chain.Published {
		t.Errorf("the local manifest does not say that it is not published: %+v", local.Chain)
	}

	l.packer = healthy
	finished := l.mustBuild("base")
	wantOutput(t, finished, "unchanged, built by an earlier run that could not publish it", "ref latest -> ")
	l.wantNothingBuilt(1, finished)
	if local := l.local("base/manifest-base.json"); local.Chain.Published != nil || len(local.Builds) != 1 {
		t.Errorf("the local manifest is not that of the registry: %+v", local)
	}
	if image := l.images(region)[0]; image.Tags["chain:manifest"] == "" {
		t.Errorf("tags: %v", image.Tags)
	}
	wantOutput(t, l.mustBuild("base"), "unchanged: nothing is built")
}

// TestAccFailure_fail has on_failure = "fail": Packer deregisters the AMI, but where another
// post-processor succeeded.
func TestAccFailure_fail(t *testing.T) {
	t.Parallel()
	template := breakable(t, `on_failure = "fail"`)
	l := failureLab(t, template)
	l.packer = l.packer.With("PKR_VAR_endpoint=" + deadEndpoint)

	guarded := wantCode(t, 1, l.build("base"))
	wantOutput(t, guarded, "Post-processor failed: publish base: ", "The manifest is not published.")
	l.wantNothingBuilt(1, guarded)

	l.check(l.repo.Write("base/base.pkr.hcl", strings.Replace(template, `post-processor "manifest" {}`, "", 1)))
	l.commit("take the guard away")
	l.wantNothingBuilt(1, wantCode(t, 1, l.build("base")))
}

// TestAccFailure_wrongParent builds on something else than the parent that the template resolved.
func TestAccFailure_wrongParent(t *testing.T) {
	t.Parallel()
	l, parent, _, _ := bakedLab(t)
	child := strings.ReplaceAll(bakery, `"base"`, `"app"`)
	child = replaceOnce(t, child, `path     = path.root`, `path     = path.root
  parents  = [data.chain.parent.ref]`) + `
data "chain" "parent" {
  registry = var.registry
  image    = "base"
}
`
	l.write(map[string]string{"app/app.pkr.hcl": child})
	l.commit("add app")
	wantOutput(t, wantCode(t, 1, l.build("app")), "publish app: it was built on ami-", "but its parent is "+parent+" (base)",
		"Set source_ami = data.chain.NAME.id")
	if keys := l.keys("app"); len(keys) != 0 {
		t.Errorf("published: %v", keys)
	}
	t.Log("the AMI is kept, with the builder's tags; nothing must stand on it")
	for _, how := range []string{"", "registry = var.registry\n"} {
		wantOutput(t, wantCode(t, 1, l.ask(how+"image = \"app\"\npath = \"${path.root}/../app\"")), "no available AMI in "+region)
	}
}

// TestAccDirty builds from files that are not committed.
func TestAccDirty(t *testing.T) {
	t.Parallel()
	l, clean, _, _ := bakedLab(t)
	l.write(map[string]string{"base/notes.txt": "not committed"})
	wantOutput(t, wantCode(t, 1, l.build("base")), "files in", "that are not committed", "base/notes.txt", `set dirty = "include"`)

	l.write(map[string]string{"base/base.pkr.hcl": replaceOnce(t, bakery, "path     = path.root", "path     = path.root\n  dirty    = \"include\"")})
	before := l.ref("base", "latest")
	wantOutput(t, l.mustBuild("base"), "template: ", "channels stay: the image holds files that are not committed")
	wantOutput(t, l.mustBuild("base"), "unchanged: nothing is built")
	if after := l.ref("base", "latest"); after.Fingerprint != before.Fingerprint {
		t.Error("a dirty build moved a channel")
	}
	var dirty string
	for _, image := range l.images(region) {
		if image.ID != clean {
			dirty = image.ID
		}
	}
	for _, how := range []string{"registry = var.registry\npath = \"${path.root}/../base\"", "path = \"${path.root}/../base\""} {
		wantOutput(t, wantCode(t, 0, l.ask(how+"\nimage = \"base\"")), "id="+dirty)
	}
	l.check(os.Remove(filepath.Join(l.repo.Dir, "base", "notes.txt")))
	_, err := l.repo.Git(t.Context(), "checkout", "--", ".")
	l.check(err)
	for _, how := range []string{"registry = var.registry\npath = \"${path.root}/../base\"", "path = \"${path.root}/../base\""} {
		wantOutput(t, wantCode(t, 0, l.ask(how+"\nimage = \"base\"")), "id="+clean)
	}
}

// TestAccRevoked revokes an image by its tag: nothing stands on it, and it is built again.
func TestAccRevoked(t *testing.T) {
	t.Parallel()
	l, ami, _, _ := bakedLab(t)
	l.check(l.aws.Tag(t.Context(), region, ami, "chain:revoked", "CVE-2026-0001"))
	ask := "registry = var.registry\nimage = \"base\"\n"
	wantOutput(t, wantCode(t, 1, l.ask(ask)), ami+" in "+region+" is revoked: CVE-2026-0001", "allow_revoked")
	wantOutput(t, wantCode(t, 0, l.ask(ask+"allow_revoked = true")), "id="+ami)
	wantOutput(t, l.mustBuild("base"), ami+" in "+region+" is revoked: CVE-2026-0001", "Publishing base")
	l.wantNothingBuilt(2, l.mustBuild("base"))
	wantCode(t, 0, l.ask(ask))
}

// TestAccReasons builds what is there already, for reasons of the template.
func TestAccReasons(t *testing.T) {
	t.Parallel()
	l, _, _, _ := bakedLab(t)
	count := 1
	for _, tt := range []struct {
		option, reason string
		// again is true where the reason shows when what was built already is built again.
		again bool
	}{
		{`force = true`, "forced", true},
		{`max_age = "1s"`, "older than 1s", true},
		{`regions = ["eu-west-1", "us-east-1"]`, "missing in us-east-1", true},
		{`inputs = { secret = "hunter2" }`, "input secret added", false},
		{`salt = "x"`, "salt added", false},
		{`extra_paths = ["${path.root}/../child"]`, "extra child added", false},
	} {
		template := replaceOnce(t, bakery, "path     = path.root", "path     = path.root\n  "+tt.option)
		l.write(map[string]string{"base/base.pkr.hcl": template})
		l.commit(tt.reason)
		if tt.again {
			count++
			l.wantNothingBuilt(count, l.mustBuild("base"))
		}
		if strings.HasPrefix(tt.option, "max_age") {
			time.Sleep(time.Second) // the image has to be that old
		}
		count++
		result := l.mustBuild("base")
		wantOutput(t, result, tt.reason)
		l.wantNothingBuilt(count, result)
		if strings.Contains(result.Output, "hunter2") {
			t.Error("a value of inputs was printed")
		}
	}
	for key, body := range l.objects() {
		if strings.Contains(string(body), "hunter2") {
			t.Errorf("%s holds a value of inputs", key)
		}
	}
}
