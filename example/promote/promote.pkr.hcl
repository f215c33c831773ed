# SPDX-License-Identifier: MPL-2.0
#
# Promotes an image: moves the channel `to` to the AMIs that `from` points at. Builds nothing.
#
#     packer build -var image=snowflake .

packer {
  required_plugins {
    chain = {
      source  = "github.com/packer-chain/chain"
      version = "~> 0.1"
    }
  }
}

data "chain" "candidate" {
  registry = var.registry
  region   = var.region
  image    = var.image
  channel  = var.from
  enabled  = var.tested == ""
}

locals {
  # What was tested, if a test has left its record; see ../test.
  record = var.tested == "" ? data.chain.candidate.record : file(var.tested)
}

source "chain" "candidate" {
  record = local.record
}

build {
  sources = ["source.chain.candidate"]

  post-processor "chain" {
    record         = local.record
    channels       = [var.to]
    allow_rollback = var.allow_rollback
    reason         = var.reason
    tags           = { Release = var.to }

    # Launch templates and Terraform follow this parameter, in every region of the image.
    ssm_parameter {
      name = "/images/{image}/{channel}"
    }
  }
}
