# SPDX-License-Identifier: MPL-2.0
#
# Writes what the registry holds into the folder chain-report: a page, JSON and a flowchart. Builds
# and changes nothing.
#
#     packer build .

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
variable "output" { default = "chain-report" }

source "chain-report" "page" {
  registry = var.registry
  region   = var.region
  output   = var.output
}

build {
  sources = ["source.chain-report.page"]
}
