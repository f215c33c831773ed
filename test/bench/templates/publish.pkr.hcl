# SPDX-License-Identifier: MPL-2.0
#
# Publishes a build of an image that has no AMI: another one for each value of run.

packer {
  required_plugins {
    chain = {
      source  = "github.com/packer-chain/chain"
      version = "~> 0.1"
    }
  }
}

variable "registry" {
  type = string
}

variable "image" {
  type = string
}

variable "path" {
  type = string
}

variable "run" {
  type = string
}

data "chain-image" "this" {
  registry = var.registry
  region   = "eu-west-1"
  image    = var.image
  path     = var.path
  inputs   = { run = var.run }
}

source "null" "nothing" {
  communicator = "none"
}

build {
  sources = ["source.null.nothing"]

  post-processor "chain" {
    region   = "eu-west-1"
    record   = data.chain-image.this.record
    channels = ["published"]
    branches = ["main"]
  }
}
