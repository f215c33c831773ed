# SPDX-License-Identifier: MPL-2.0
#
# Rolls a channel back to an image that it has pointed at before. Repeating it changes nothing; one
# image further back is previous=2.
#
#     packer build -var image=snowflake -var reason="snowflake 42 fails its health check" .

packer {
  required_plugins {
    chain = {
      source  = "github.com/packer-chain/chain"
      version = "~> 0.1"
    }
  }
}

variable "registry" { default = "s3://acme-images/chain" }
variable "region" { default = "eu-west-1" }
variable "image" { default = "snowflake" }
variable "channel" { default = "production" }
variable "previous" { default = 1 }
variable "reason" { default = "" }
variable "parameter" { default = "/images/{image}/{channel}" } # "": the channel has none

data "chain" "earlier" {
  registry = var.registry
  region   = var.region
  image    = var.image
  channel  = var.channel
  previous = var.previous
}

source "chain" "earlier" {
  record = data.chain.earlier.record
}

build {
  sources = ["source.chain.earlier"]

  post-processor "chain" {
    record         = data.chain.earlier.record
    channels       = [var.channel]
    allow_rollback = true
    reason         = var.reason

    dynamic "ssm_parameter" {
      for_each = var.parameter == "" ? [] : [var.parameter]
      content {
        name = var.parameter
      }
    }
  }
}
