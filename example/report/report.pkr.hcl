# SPDX-License-Identifier: MPL-2.0
#
# Shows the chain: a page for people, chain.json for programs, and chain.mmd for READMEs. It builds
# and changes nothing.

packer {
  required_plugins {
    chain = {
      source  = "github.com/packer-chain/chain"
      version = "~> 0.1"
    }
  }
}

variable "registry" {
  type        = string
  description = "Where images are published, such as s3://acme-images/chain."
  default     = "s3://acme-images/chain"
}

source "chain-report" "all" {
  registry   = var.registry
  title      = "Images of Acme"
  output     = "${path.root}/chain-report"
  check_amis = true

  # Whose files have changed in this checkout is planned as well.
  paths = {
    baseline-ubuntu = "${path.root}/../base"
    snowflake       = "${path.root}/../snowflake"
  }
}

build {
  sources = ["source.chain-report.all"]
}
