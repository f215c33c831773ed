// SPDX-License-Identifier: MPL-2.0

package acceptance

import (
	"fmt"
	"strings"
	"testing"

	"github.com/packer-chain/packer-plugin-chain/test/lab/packercli"
)

// bakery is a template that bakes an image with this plugin, and leaves Packer's own manifest too.
const bakery = `
variable "registry" { type = string }
variable "source_ami" { type = string }
data "chain-image" "this" {
  registry = var.registry
  image    = "base"
  path     = path.root
}
source "amazon-ebs" "image" {
  ami_name      = "base-${uuidv4()}"
  source_ami    = var.source_ami
  instance_type = "t3.micro"
  communicator  = "none"
  tags          = merge(data.chain-image.this.tags, { SHA = data.chain-image.this.git_sha })
}
source "chain" "unchanged" { record = data.chain-image.this.record }
build {
  dynamic "source" {
    for_each = data.chain-image.this.needed ? [1] : []
    labels   = ["source.amazon-ebs.image"]
    content {}
  }
  dynamic "source" {
    for_each = data.chain-image.this.needed ? [] : [1]
    labels   = ["source.chain.unchanged"]
    content {}
  }
  post-processor "chain" { record = data.chain-image.this.record }
  post-processor "manifest" {}
}
`

// asker is a template that says what data "chain" answers. Its verb is the body of the data source.
const asker = `
variable "registry" { type = string }
variable "source_ami" { type = string }
data "chain" "parent" {
  %s
}
source "null" "none" { communicator = "none" }
build {
  sources = ["source.null.none"]
  provisioner "shell-local" {
    inline = ["echo 'answer: by=${data.chain.parent.resolved_by} id=${data.chain.parent.id} found=${data.chain.parent.found} image=${data.chain.parent.image} amis=${jsonencode(data.chain.parent.amis)}'"]
  }
}
`

func bakedLab(t *testing.T) (l *lab, ami, gitSHA, fingerprint string) {
	t.Helper()
	l = newLab(t)
	l.write(map[string]string{
		"base/base.pkr.hcl": bakery, ".gitignore": "manifest-*.json\npacker-manifest.json\n", "child/README": "child\n",
	})
	l.commit("begin")
	l.mustBuild("base")
	sha, err := l.repo.Git(t.Context(), "rev-parse", "HEAD:base")
	l.check(err)
	return l, l.images(region)[0].ID, strings.TrimSpace(sha), l.ref("base", "latest").Fingerprint
}

// ask runs the data source with a body.
func (l *lab) ask(body string) packercli.Result {
	l.t.Helper()
	l.write(map[string]string{"child/ask.pkr.hcl": fmt.Sprintf(asker, body)})
	return l.build("child")
}

// TestAccParent_ways finds the parent by each way on its own.
func TestAccParent_ways(t *testing.T) {
	t.Parallel()
	l, ami, gitSHA, fingerprint := bakedLab(t)
	tests := []struct {
		name, body, by string
	}{
		{"registry by path", `registry = var.registry
			path = "${path.root}/../base"`, "registry"},
		{"registry by git_sha", `registry = var.registry
			git_sha = "` + gitSHA + `"`, "registry"},
		{"registry by fingerprint", `registry = var.registry
			fingerprint = "` + fingerprint + `"`, "registry"},
		{"registry by channel", `registry = var.registry
			channel = "latest"`, "registry"},
		{"registry by default", `registry = var.registry`, "registry"},
		{"our manifest", `local_manifest = "${path.root}/../base/manifest-base.json"`, "local_manifest"},
		{"Packer's manifest", `local_manifest = "${path.root}/../base/packer-manifest.json"`, "local_manifest"},
		{"manifest is first", `registry = var.registry
			local_manifest = "${path.root}/../base/manifest-base.json"`, "local_manifest"},
		{"resolve_by turns it round", `registry = var.registry
			local_manifest = "${path.root}/../base/manifest-base.json"
			resolve_by = ["registry", "local_manifest"]`, "registry"},
		{"tag by path", `path = "${path.root}/../base"`, "tag"},
		{"tag by git_sha", `git_sha = "` + gitSHA + `"`, "tag"},
		{"tag by fingerprint", `fingerprint = "` + fingerprint + `"`, "tag"},
		{"another tag", `git_sha = "` + gitSHA + `"
			git_sha_tag = "SHA"`, "tag"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			result := wantCode(t, 0, l.ask(`image = "base"
				`+tt.body))
			wantOutput(t, result, "answer: by="+tt.by+" id="+ami+" found=true image=base")
		})
	}
}

// TestAccParent_missing shows what a user reads when the parent is not there.
func TestAccParent_missing(t *testing.T) {
	t.Parallel()
	l, ami, gitSHA, _ := bakedLab(t)
	absent := strings.Repeat("0", 40)
	tests := []struct {
		name, body string
		code       int
		want       []string
	}{
		{"error", `registry = var.registry
			image = "base"
			git_sha = "` + absent + `"`, 1, []string{
			"resolve parent base: not found (git_sha " + absent,
			"s3://" + bucket + "/chain/base/refs/git-" + absent + ".json is not there",
			"no available AMI in " + region + " with tag chain:git-sha = " + absent,
			"Build and publish base first",
		}},
		{"empty", `registry = var.registry
			image = "base"
			git_sha = "` + absent + `"
			on_missing = "empty"`, 0, []string{"answer: by= id= found=false image= amis={}"}},
		{"fallback", `registry = var.registry
			image = "base"
			git_sha = "` + absent + `"
			fallback_ami = var.source_ami`, 0, []string{"answer: by=fallback id=ami-", "found=true"}},
		{"not enabled", `image = "base"
			registry = "s3://no-such-bucket/x"
			enabled = false`, 0, []string{"answer: by= id= found=false"}},
		{"no such bucket is never missing", `registry = "s3://no-such-bucket/x"
			image = "base"
			on_missing = "empty"`, 1, []string{"no-such-bucket"}},
		{"another architecture", `git_sha = "` + gitSHA + `"
			image = "base"
			architecture = "arm64"`, 1, []string{"not found"}},
		{"another owner", `registry = var.registry
			image  = "base"
			owners = ["111122223333"]`, 1, []string{ami + " belongs to", "not to 111122223333"}},
		{"another region", `registry = var.registry
			image   = "base"
			regions = ["us-east-1"]`, 1, []string{"has no AMI in us-east-1"}},
		{"too old", `registry = var.registry
			image   = "base"
			max_age = "1s"`, 1, []string{"older than max_age 1s", "Build the parent again"}},
		{"all that is wrong at once", `image = "Base"
			git_sha = "xyz"
			channel = "git-x"
			on_missing = "no"
			regions = ["eu-west-1", "eu-west-1", ""]`, 1, []string{
			`image must be lower-case letters`, `got "Base"`,
			`git_sha must be a whole git object id`,
			`channel must not start with "git-"`,
			`on_missing must be one of error, empty, got "no"`,
			`regions must not repeat a value, got "eu-west-1" twice`,
			`only one of channel, fingerprint, git_sha, path may be set, got channel and git_sha`,
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			wantOutput(t, wantCode(t, tt.code, l.ask(tt.body)), tt.want...)
		})
	}
	t.Run("deregistered", func(t *testing.T) {
		l.check(l.aws.Deregister(t.Context(), region, ami))
		wantOutput(t, wantCode(t, 1, l.ask(`registry = var.registry
			image = "base"`)), ami+" is gone")
		wantOutput(t, l.mustBuild("base"), ami+" in "+region+" is gone", "Publishing base")
	})
}

// TestAccParent_leftBehind has no .gitignore: what the build of the parent left in its folder does not
// make another parent of it. It did, because only data "chain-image" passed over these files.
func TestAccParent_leftBehind(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.write(map[string]string{"base/base.pkr.hcl": bakery, "child/README": "child\n"})
	l.commit("begin")
	l.mustBuild("base")
	for _, how := range []string{"registry = var.registry", `git_sha_tag = "SHA"`} {
		wantOutput(t, wantCode(t, 0, l.ask(how+`
			image = "base"
			path = "${path.root}/../base"`)), "id="+l.images(region)[0].ID)
	}
	wantOutput(t, l.mustBuild("base"), "unchanged")
}

// TestAccParent_commit has two images of the same files, by their inputs, and repeats the job of an older
// commit. The parent is the one that this very commit left. It was the one that was found last by anybody.
func TestAccParent_commit(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	template := replaceOnce(t, bakery, "path     = path.root", "path     = path.root\n  inputs   = { flavour = var.flavour }") +
		"variable \"flavour\" { type = string }\n"
	l.write(map[string]string{
		"base/base.pkr.hcl": template, ".gitignore": "manifest-*.json\npacker-manifest.json\n*.ask.pkr.hcl\n", "child/README": "child\n"})
	older := l.commit("begin")
	bake := func(flavour string) string {
		l.packer = l.packer.With("PKR_VAR_flavour=" + flavour)
		l.mustBuild("base")
		return l.ref("base", "latest").Fingerprint
	}
	bake("plain")
	l.write(map[string]string{"README": "another commit\n"})
	newer := l.commit("change nothing of base")
	wanted := bake("hardened")

	_, err := l.repo.Git(t.Context(), "checkout", "-q", older)
	l.check(err)
	bake("plain")
	_, err = l.repo.Git(t.Context(), "checkout", "-q", newer)
	l.check(err)
	asked := l.ask(`registry = var.registry
		image = "base"
		path = "${path.root}/../base"`)
	for _, image := range l.images(region) {
		if image.Tags["chain:fingerprint"] == wanted {
			wantOutput(t, wantCode(t, 0, asked), "id="+image.ID)
		}
	}
}
