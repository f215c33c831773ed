# SPDX-License-Identifier: MPL-2.0

# The bake alone: nothing is looked up, and nothing is published.
packer {
  required_plugins {
    amazon = {
      source  = "github.com/hashicorp/amazon"
      version = ">= 1.8.2"
    }
  }
}

variable "source_ami" {
  type = string
}

variable "copy_to" {
  type = list(string)
}

source "amazon-ebs" "image" {
  region        = "eu-west-1"
  ami_regions   = var.copy_to
  ami_name      = "bare-{{timestamp}}"
  source_ami    = var.source_ami
  instance_type = "t3.micro"
  communicator  = "none"
  tags = {
    OS_Name    = "Ubuntu"
    OS_Version = "24.04"
  }
}

build {
  sources = ["source.amazon-ebs.image"]
}
