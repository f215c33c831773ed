// SPDX-License-Identifier: MPL-2.0

package acceptance

import "testing"

// TestAccBaseline bakes without this plugin. It shows that Packer, the Amazon plugin and the emulator
// work together, so that a failure of another test is about the plugin.
func TestAccBaseline(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.write(map[string]string{"base/base.pkr.hcl": `
packer {
  required_plugins {
    amazon = {
      source  = "github.com/hashicorp/amazon"
      version = "~> 1.8"
    }
    chain = {
      source  = "github.com/packer-chain/chain"
      version = "~> 0.1"
    }
  }
}

variable "source_ami" {
  type = string
}

source "amazon-ebs" "base" {
  ami_name      = "base-{{timestamp}}"
  source_ami    = var.source_ami
  instance_type = "t3.micro"
  communicator  = "none"
  ami_regions   = ["eu-central-1"]
  tags          = { team = "images" }
}

build {
  sources = ["source.amazon-ebs.base"]
}
`})
	wantCode(t, 0, l.run("base", "init", "."))
	wantCode(t, 0, l.run("base", "validate", "."))
	result := l.mustBuild("base")

	for _, region := range []string{region, "eu-central-1"} {
		images := l.images(region)
		if len(images) != 1 {
			t.Fatalf("%d images in %s, want 1: %v", len(images), region, images)
		}
		wantOutput(t, result, region+": "+images[0].ID)
		if images[0].Tags["team"] != "images" {
			t.Errorf("tags of %s in %s: %v", images[0].ID, region, images[0].Tags)
		}
		if len(images[0].Snapshots) == 0 {
			t.Errorf("%s in %s has no snapshot", images[0].ID, region)
		}
		for id, tags := range images[0].Snapshots {
			if tags["team"] != "images" {
				t.Errorf("tags of %s in %s: %v", id, region, tags)
			}
		}
	}
	if n := l.launched(); n != 1 {
		t.Errorf("%d instances were launched, want 1", n)
	}
	if objects := l.objects(); len(objects) != 0 {
		t.Errorf("the bucket is not empty: %v", objects)
	}
}
