# SPDX-License-Identifier: MPL-2.0
#
# The floor of a template that names plugins: for each, Packer reads the whole file for its checksum and
# runs describe, once more than it does for plugins that are just installed.

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

source "null" "nothing" {
  communicator = "none"
}

build {
  sources = ["source.null.nothing"]
}
