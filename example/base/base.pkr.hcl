# SPDX-License-Identifier: MPL-2.0
#
# baseline-ubuntu: the image that every other image of the chain is built on. Its own parent is
# Canonical's AMI.

packer {
  required_plugins {
    amazon = {
      source  = "github.com/hashicorp/amazon"
      version = ">= 1.8.2"
    }
    chain = {
      source  = "github.com/packer-chain/chain"
      version = "~> 0.1"
    }
  }
}

data "amazon-ami" "ubuntu" {
  region      = var.region
  owners      = ["099720109477"] # Canonical
  most_recent = true
  filters = {
    name                = var.ubuntu
    virtualization-type = "hvm"
  }
}

# Does baseline-ubuntu exist already, built from these files and on this AMI of Canonical's?
data "chain-image" "this" {
  registry = var.registry
  region   = var.region
  regions  = concat([var.region], var.copy_to)
  image    = "baseline-ubuntu"
  path     = path.root
  branch   = var.branch
  inputs   = { ubuntu = data.amazon-ami.ubuntu.id }
}

source "amazon-ebs" "ubuntu" {
  region        = data.chain-image.this.region
  ami_regions   = var.copy_to
  ami_name      = "baseline-ubuntu-{{timestamp}}"
  source_ami    = data.amazon-ami.ubuntu.id
  instance_type = var.instance_type
  communicator  = var.communicator
  ssh_username  = "ubuntu"
  tags          = merge(data.chain-image.this.tags, local.os_tags)
}

# Says what happens and why, and passes the existing image through if nothing has to be built.
source "chain" "ubuntu" {
  record = data.chain-image.this.record
}

build {
  sources = ["source.chain.ubuntu"]
  dynamic "source" {
    for_each = data.chain-image.this.pending
    labels   = ["source.amazon-ebs.ubuntu"]
    content {}
  }

  # The emulator has no machines, so without a communicator no scripts run.
  dynamic "provisioner" {
    for_each = var.communicator == "none" ? [] : [1]
    labels   = ["shell"]
    content {
      execute_command = "sudo -n env {{ .Vars }} bash '{{ .Path }}'"
      scripts = [
        "${path.root}/tasks/wait-for-cloud-init.sh",
        "${path.root}/tasks/apt.sh",
        "${path.root}/tasks/time-zone.sh",
        "${path.root}/tasks/locale.sh",
        "${path.root}/tasks/upgrade.sh",
      ]
    }
  }

  # One sequence: what fails before the plugin is not published. The success of the first makes
  # Packer keep the AMI if publishing fails. A test of the image takes its place.
  post-processors {
    post-processor "manifest" {
      except = ["chain.ubuntu"]
    }
    post-processor "chain" {
      record = data.chain-image.this.record
      tags   = local.os_tags
    }
  }
}

locals {
  os_tags = {
    OS_Name    = "Ubuntu"
    OS_Version = "24.04"
  }
}
