# SPDX-License-Identifier: MPL-2.0
#
# baseline-ubuntu: what every image of the chain stands on. Its own parent is Canonical's AMI.

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

data "amazon-ami" "ubuntu" {
  region      = var.region
  owners      = ["099720109477"] # Canonical
  most_recent = true
  filters = {
    name                = var.ubuntu
    virtualization-type = "hvm"
  }
}

# Has baseline-ubuntu been built already, from these files and on this AMI of Canonical's?
data "chain-image" "this" {
  registry = var.registry
  region   = var.region
  regions  = concat([var.region], var.copy_to)
  image    = "baseline-ubuntu"
  path     = path.root
  inputs   = { ubuntu = data.amazon-ami.ubuntu.id }
}

source "amazon-ebs" "ubuntu" {
  region        = var.region
  ami_regions   = var.copy_to
  ami_name      = "baseline-ubuntu-{{timestamp}}"
  source_ami    = data.amazon-ami.ubuntu.id
  instance_type = var.instance_type
  communicator  = var.communicator
  ssh_username  = "ubuntu"
  tags          = merge(data.chain-image.this.tags, local.os_tags)
}

source "chain" "unchanged" {
  record = data.chain-image.this.record
}

build {
  dynamic "source" {
    for_each = data.chain-image.this.needed ? [1] : []
    labels   = ["source.amazon-ebs.ubuntu"]
    content {}
  }
  dynamic "source" {
    for_each = data.chain-image.this.needed ? [] : [1]
    labels   = ["source.chain.unchanged"]
    content {}
  }

  # Without a communicator there is nothing to run scripts on: the emulator has no machines.
  dynamic "provisioner" {
    for_each = var.communicator == "none" ? [] : [1]
    labels   = ["shell"]
    content {
      execute_command = "sudo -n env {{ .Vars }} bash '{{ .Path }}'"
      scripts = [
        "${path.root}/tasks/wait-for-cloud-init.sh",
        "${path.root}/tasks/locale.sh",
        "${path.root}/tasks/upgrade.sh",
      ]
    }
  }

  post-processor "chain" {
    region = var.region
    record = data.chain-image.this.record
    tags   = local.os_tags
  }
  # Packer deregisters a new AMI when all of a build's post-processors fail. This one does not.
  post-processor "manifest" {
    except = ["chain.unchanged"]
  }
}

locals {
  os_tags = {
    OS_Name    = "Ubuntu"
    OS_Version = "24.04"
  }
}
