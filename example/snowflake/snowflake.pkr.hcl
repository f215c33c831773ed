# SPDX-License-Identifier: MPL-2.0
#
# snowflake: Docker on top of baseline-ubuntu.

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

# Which image is this one built on? The one that was built from ../base as it is checked out here.
data "chain" "parent" {
  registry = var.registry
  region   = var.region
  image    = "baseline-ubuntu"
  path     = "${path.root}/../base"
  branch   = var.branch
}

# Does snowflake exist already, built from these files, these inputs and this parent?
data "chain-image" "this" {
  registry = var.registry
  region   = var.region
  regions  = concat([var.region], var.copy_to)
  image    = "snowflake"
  path     = path.root
  branch   = var.branch
  parents  = [data.chain.parent.ref]
  inputs   = { docker = local.docker_version }
}

source "amazon-ebs" "snowflake" {
  region        = data.chain-image.this.region
  ami_regions   = var.copy_to
  ami_name      = "snowflake-{{timestamp}}"
  source_ami    = data.chain.parent.id
  instance_type = var.instance_type
  communicator  = var.communicator
  ssh_username  = "ubuntu"
  tags          = merge(data.chain-image.this.tags, local.os_tags)
}

# Says what happens and why, and passes the existing image through if nothing has to be built.
source "chain" "snowflake" {
  record = data.chain-image.this.record
}

build {
  sources = ["source.chain.snowflake"]
  dynamic "source" {
    for_each = data.chain-image.this.pending
    labels   = ["source.amazon-ebs.snowflake"]
    content {}
  }

  # The emulator has no machines, so without a communicator no scripts run.
  dynamic "provisioner" {
    for_each = var.communicator == "none" ? [] : [1]
    labels   = ["shell"]
    content {
      execute_command  = "sudo -n env {{ .Vars }} bash '{{ .Path }}'"
      environment_vars = ["DOCKER_VERSION=${local.docker_version}"]
      scripts          = ["${path.root}/tasks/docker.sh"]
    }
  }

  # One sequence: what fails before the plugin is not published. The success of the first makes
  # Packer keep the AMI if publishing fails. A test of the image takes its place.
  post-processors {
    post-processor "manifest" {
      except = ["chain.snowflake"]
    }
    post-processor "chain" {
      record = data.chain-image.this.record
      tags   = local.os_tags
    }
  }
}

locals {
  docker_version = "28"
  os_tags = {
    OS_Name    = "Ubuntu"
    OS_Version = "24.04"
  }
}
