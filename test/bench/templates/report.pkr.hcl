# SPDX-License-Identifier: MPL-2.0

packer {
  required_plugins {
    chain = {
      source  = "github.com/packer-chain/chain"
      version = "~> 0.1"
    }
  }
}

variable "prefix" {
  type = string
}

source "chain-report" "all" {
  registry = "s3://acme-images/${var.prefix}"
  region   = "eu-west-1"
  output   = var.prefix
}

build {
  sources = ["source.chain-report.all"]
}
