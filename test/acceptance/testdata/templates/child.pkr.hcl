# SPDX-License-Identifier: MPL-2.0
#
# Bakes the image "app" on the image "base" of the folder beside it.

variable "registry" { type = string }
variable "source_ami" { type = string }

# A builder that is faster than amazon-ebs: file.
variable "builder" {
  type    = string
  default = "amazon-ebs"
}

data "chain" "parent" {
  registry = var.registry
  image    = "base"
  path     = "${path.root}/../base"
  kind     = var.builder == "amazon-ebs" ? "ami" : "artifact"
  # parent options
}

data "chain-image" "this" {
  registry = var.registry
  image    = "app"
  path     = path.root
  parents  = [data.chain.parent.ref]
  # image options
}

source "amazon-ebs" "image" {
  ami_name      = "app-${uuidv4()}"
  source_ami    = data.chain.parent.id
  instance_type = "t3.micro"
  communicator  = "none"
  tags          = data.chain-image.this.tags
}

source "file" "image" {
  content = "built on ${data.chain.parent.fingerprint}, ${data.chain-image.this.fingerprint}"
  target  = "${path.root}/../out/app"
}

source "chain" "app" { record = data.chain-image.this.record }

build {
  sources = ["source.chain.app"]
  dynamic "source" {
    for_each = data.chain-image.this.pending
    labels   = ["source.${var.builder}.image"]
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
