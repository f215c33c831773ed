# SPDX-License-Identifier: MPL-2.0
#
# Bakes the image "base" for two architectures, which are both part of it.

variable "registry" { type = string }
variable "source_ami" { type = string }

data "chain-image" "this" {
  registry = var.registry
  image    = "base"
  path     = path.root
  sources  = ["amazon-ebs.amd64", "amazon-ebs.arm64"]
}

source "amazon-ebs" "amd64" {
  ami_name      = "base-amd64-{{timestamp}}"
  instance_type = "t3.micro"
  communicator  = "none"
  source_ami    = var.source_ami
}

source "amazon-ebs" "arm64" {
  ami_name      = "base-arm64-{{timestamp}}"
  instance_type = "t4g.micro"
  communicator  = "none"
  source_ami_filter {
    owners      = ["137112412989"]
    most_recent = true
    filters     = { name = "al2023-ami-2023*-arm64" }
  }
}

source "chain" "base" { record = data.chain-image.this.record }

build {
  sources = ["source.chain.base"]
  dynamic "source" {
    for_each = data.chain-image.this.for_each["amazon-ebs.amd64"]
    labels   = ["source.amazon-ebs.amd64"]
    content {}
  }
  dynamic "source" {
    for_each = data.chain-image.this.for_each["amazon-ebs.arm64"]
    labels   = ["source.amazon-ebs.arm64"]
    content {}
  }
  post-processors {
    post-processor "manifest" {}
    post-processor "chain" {
      record = data.chain-image.this.record
      # post-processor options
    }
  }
}
