# SPDX-License-Identifier: MPL-2.0
#
# Bakes the image "base", and leaves Packer's own manifest before it is published. A script gives it options with
# "edit", in the place of a comment, and sets its variables with "env PKR_VAR_name=value".

variable "registry" { type = string }
variable "source_ami" { type = string }

# A builder that is faster than amazon-ebs: file.
variable "builder" {
  type    = string
  default = "amazon-ebs"
}

# These three are for the post-processor alone: what if the registry fails in the last step?
variable "endpoint" {
  type    = string
  default = null
}

variable "on_failure" {
  type    = string
  default = null
}

variable "publish_timeout" {
  type    = string
  default = null
}

data "chain-image" "this" {
  registry = var.registry
  image    = "base"
  path     = path.root
  # image options
}

source "amazon-ebs" "image" {
  ami_name      = "base-${uuidv4()}"
  source_ami    = var.source_ami
  instance_type = "t3.micro"
  communicator  = "none"
  tags          = merge(data.chain-image.this.tags, { SHA = data.chain-image.this.git_sha })
}

source "file" "image" {
  content = "files and inputs ${data.chain-image.this.fingerprint}"
  target  = "${path.root}/../out/image"
}

source "chain" "base" { record = data.chain-image.this.record }

build {
  sources = ["source.chain.base"]
  dynamic "source" {
    for_each = data.chain-image.this.pending
    labels   = ["source.${var.builder}.image"]
    content {}
  }
  post-processors {
    post-processor "manifest" {}
    post-processor "chain" {
      record          = data.chain-image.this.record
      on_failure      = var.on_failure
      publish_timeout = var.publish_timeout
      registry_access {
        endpoint       = var.endpoint
        use_path_style = true
      }
      # post-processor options
    }
  }
}
