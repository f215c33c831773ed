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

variable "path" {
  type = string
}

variable "inputs" {
  type    = map(string)
  default = {}
}

variable "regions" {
  type    = list(string)
  default = ["eu-west-1"]
}

data "chain-image" "this" {
  registry = var.registry
  region   = "eu-west-1"
  regions  = var.regions
  image    = var.image
  path     = var.path
  inputs   = var.inputs
}

source "null" "nothing" {
  communicator = "none"
}

build {
  sources = ["source.null.nothing"]
}
