// SPDX-License-Identifier: MPL-2.0

package acceptance

import (
	"crypto/sha256"
	"encoding/hex"
	"path/filepath"
	"testing"
)

// filed is a chain without AWS: an image that is a file, in a registry that is a folder.
const filed = `
data "chain-image" "this" {
  registry = "${path.root}/../registry"
  image    = "base"
  path     = path.root
}
source "file" "image" {
  content = "hello"
  target  = "${path.root}/out/image.txt"
}
source "null" "nothing" {
  communicator = "none"
}
source "chain" "unchanged" { record = data.chain-image.this.record }
build {
  dynamic "source" {
    for_each = data.chain-image.this.needed ? [1] : []
    labels   = ["source.file.image"]
    content {}
  }
  dynamic "source" {
    for_each = data.chain-image.this.needed ? [1] : []
    labels   = ["source.null.nothing"]
    content {}
  }
  dynamic "source" {
    for_each = data.chain-image.this.needed ? [] : [1]
    labels   = ["source.chain.unchanged"]
    content {}
  }
  post-processor "chain" {
    record = data.chain-image.this.record
    labels = { team = "images" }
  }
}
`

const onTopOfFile = `
data "chain" "parent" {
  registry   = "${path.root}/../registry"
  image      = "base"
  path       = "${path.root}/../base"
  resolve_by = ["registry"]
}
data "chain-image" "this" {
  registry = "${path.root}/../registry"
  image    = "app"
  path     = path.root
  parents  = [data.chain.parent.ref]
}
source "null" "app" {
  communicator = "none"
}
source "chain" "unchanged" { record = data.chain-image.this.record }
build {
  dynamic "source" {
    for_each = data.chain-image.this.needed ? [1] : []
    labels   = ["source.null.app"]
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

// TestAccArtifacts records a file and a null artifact, in a folder, with no AWS at all.
func TestAccArtifacts(t *testing.T) {
	t.Parallel()
	l := offlineLab(t)
	l.write(map[string]string{
		"base/base.pkr.hcl": filed, "app/app.pkr.hcl": onTopOfFile,
		".gitignore": "registry/\nout/\nmanifest-*.json\n"})
	l.commit("begin")

	l.mustBuild("base")
	m := l.local("base/manifest-base.json")
	sum := sha256.Sum256([]byte("hello"))
	found := map[string]bool{}
	for _, build := range m.Builds {
		found[build.BuilderType+" "+build.ArtifactID] = true
		for _, file := range build.Files {
			if filepath.Base(file.Name) != "image.txt" || file.Size != 5 || file.SHA256 != hex.EncodeToString(sum[:]) {
				t.Errorf("file: %+v", file)
			}
		}
	}
	if !found["file File"] || !found["null Null"] || len(m.Chain.AMIs) != 0 || m.Chain.Labels["team"] != "images" {
		t.Errorf("%+v", m)
	}

	wantOutput(t, l.mustBuild("app"), "first build of app")
	wantOutput(t, l.mustBuild("base"), "unchanged")
	wantOutput(t, l.mustBuild("app"), "unchanged: nothing is built")

	t.Log("another file is another parent")
	l.check(l.repo.Write("base/base.pkr.hcl", replaceOnce(t, filed, `"hello"`, `"other"`)))
	l.commit("change base")
	l.mustBuild("base")
	wantOutput(t, l.mustBuild("app"), "parent base: sha256:")
}
