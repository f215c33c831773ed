// SPDX-License-Identifier: MPL-2.0

package acceptance

import (
	"strings"
	"testing"
)

// twoSources bakes one image for two architectures. Its variable "builds" is what chain-image is told.
const twoSources = `
variable "registry" { type = string }
variable "source_ami" { type = string }
data "chain-image" "this" {
  registry = var.registry
  image    = "base"
  path     = path.root
  sources = ["amazon-ebs.amd64", "amazon-ebs.arm64"]
}
source "amazon-ebs" "amd64" {
  ami_name      = "base-amd64-{{timestamp}}"
  instance_type = "t3.micro"
  communicator  = "none"
  source_ami    = var.source_ami
}
source "amazon-ebs" "arm64" {
  ami_name      = "base-arm64-{{timestamp}}"
  instance_type = "t4g.micro"
  communicator  = "none"
  source_ami_filter {
    owners      = ["137112412989"]
    most_recent = true
    filters     = { name = "al2023-ami-2023*-arm64" }
  }
}
source "chain" "unchanged" { record = data.chain-image.this.record }
build {
  dynamic "source" {
    for_each = data.chain-image.this.needed ? ["amd64", "arm64"] : []
    labels   = ["source.amazon-ebs.${source.value}"]
    content {}
  }
  dynamic "source" {
    for_each = data.chain-image.this.needed ? [] : [1]
    labels   = ["source.chain.unchanged"]
    content {}
  }
  post-processor "chain" { record = data.chain-image.this.record }
}
`

// constantLabels is twoSources in the shape that plain "packer validate" accepts.
func constantLabels() string {
	return strings.Replace(twoSources, `  dynamic "source" {
    for_each = data.chain-image.this.needed ? ["amd64", "arm64"] : []
    labels   = ["source.amazon-ebs.${source.value}"]
    content {}
  }
`, `  dynamic "source" {
    for_each = data.chain-image.this.needed ? [1] : []
    labels   = ["source.amazon-ebs.amd64"]
    content {}
  }
  dynamic "source" {
    for_each = data.chain-image.this.needed ? [1] : []
    labels   = ["source.amazon-ebs.arm64"]
    content {}
  }
`, 1)
}

func sourcesLab(t *testing.T) *lab {
	t.Helper()
	l := newLab(t)
	l.write(map[string]string{
		"base/base.pkr.hcl": constantLabels(), ".gitignore": "manifest-*.json\n", "child/README": "child\n"})
	l.commit("begin")
	return l
}

// TestAccSources_oneBuild bakes both architectures in one build. They end in one manifest, and the
// parent is found by its architecture.
func TestAccSources_oneBuild(t *testing.T) {
	t.Parallel()
	l := sourcesLab(t)
	wantCode(t, 0, l.run("base", "validate", "."))
	l.mustBuild("base")

	m := l.local("base/manifest-base.json")
	if len(m.Builds) != 2 || m.Builds[0].PackerRunUUID != m.Builds[1].PackerRunUUID || m.Chain.Seq != 2 {
		t.Fatalf("%+v", m)
	}
	amd, arm := m.Chain.AMIs[region+"/amazon-ebs.amd64"], m.Chain.AMIs[region+"/amazon-ebs.arm64"]
	if amd == "" || arm == "" || amd == arm {
		t.Fatalf("AMIs: %v", m.Chain.AMIs)
	}
	again := l.mustBuild("base")
	wantOutput(t, again, "unchanged", amd, arm)
	l.wantNothingBuilt(2, again)

	for architecture, ami := range map[string]string{"amd64": amd, "x86_64": amd, "arm64": arm} {
		for _, how := range []string{`registry = var.registry`, `path = "${path.root}/../base"`,
			`local_manifest = "${path.root}/../base/manifest-base.json"`} {
			wantOutput(t, wantCode(t, 0, l.ask(how+`
				image = "base"
				architecture = "`+architecture+`"`)), "id="+ami)
		}
	}
	wantOutput(t, wantCode(t, 1, l.ask(`registry = var.registry
		image = "base"`)), "found AMIs for several architectures in "+region, "Set architecture")
}

// TestAccSources_twoJobs bakes each architecture in a job of its own, as a CI matrix does. The image is
// complete, and latest moves, when both are there.
func TestAccSources_twoJobs(t *testing.T) {
	t.Parallel()
	l := sourcesLab(t)
	first := l.mustBuild("base", "-only=amazon-ebs.amd64")
	wantOutput(t, first, "base is not complete yet: amazon-ebs.arm64 is still to come; no ref is moved")
	if keys := l.keys("base"); len(keys) != 1 {
		t.Errorf("the registry holds %v, want the manifest only", keys)
	}
	second := l.mustBuild("base", "-only=amazon-ebs.arm64")
	wantOutput(t, second, "not complete: amazon-ebs.arm64 is not built", "ref latest -> ")
	l.wantNothingBuilt(2, l.mustBuild("base"))
}
