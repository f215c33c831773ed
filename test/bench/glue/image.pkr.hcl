# SPDX-License-Identifier: MPL-2.0
#
# What the glue builds: the same image as example/snowflake, without this plugin.

packer {
  required_plugins {
    amazon = {
      source  = "github.com/hashicorp/amazon"
      version = ">= 1.8.2"
    }
  }
}

variable "region" {
  type    = string
  default = "eu-west-1"
}

variable "source_ami" {
  type = string
}

variable "copy_to" {
  type    = list(string)
  default = []
}

variable "communicator" {
  type    = string
  default = "ssh"
}

source "amazon-ebs" "image" {
  region        = var.region
  ami_regions   = var.copy_to
  ami_name      = "glue-{{timestamp}}"
  source_ami    = var.source_ami
  instance_type = "t3.micro"
  communicator  = var.communicator
  ssh_username  = "ubuntu"
  tags = {
    OS_Name    = "Ubuntu"
    OS_Version = "24.04"
  }
}

build {
  sources = ["source.amazon-ebs.image"]

  post-processor "manifest" {}
}
