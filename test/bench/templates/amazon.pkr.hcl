# SPDX-License-Identifier: MPL-2.0

packer {
  required_plugins {
    amazon = {
      source  = "github.com/hashicorp/amazon"
      version = ">= 1.8.2"
    }
  }
}

variable "sha" {
  type = string
}

data "amazon-ami" "parent" {
  region      = "eu-west-1"
  owners      = ["self"]
  most_recent = true
  filters = {
    "tag:chain:git-sha" = var.sha
    state               = "available"
  }
}

source "null" "nothing" {
  communicator = "none"
}

build {
  sources = ["source.null.nothing"]
}
