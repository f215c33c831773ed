# SPDX-License-Identifier: MPL-2.0

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

variable "way" {
  type = string
}

variable "path" {
  type    = string
  default = ""
}

data "chain" "parent" {
  # With a registry, AMIs of this plugin are not looked for by tag.
  registry   = var.way == "tag" ? "" : var.registry
  region     = "eu-west-1"
  image      = var.image
  path       = var.path
  resolve_by = [var.way]
}

source "null" "nothing" {
  communicator = "none"
}

build {
  sources = ["source.null.nothing"]
}
