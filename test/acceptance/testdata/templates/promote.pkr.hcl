# SPDX-License-Identifier: MPL-2.0
#
# Promotes the image "base", or rolls it back: moves channels to what data "chain" finds, and builds nothing.

variable "registry" { type = string }
variable "source_ami" { type = string }

# Where the image is found.
variable "from" {
  type    = string
  default = "latest"
}

variable "previous" {
  type    = number
  default = 0
}

variable "to" {
  type    = list(string)
  default = ["production"]
}

variable "allow_rollback" {
  type    = bool
  default = false
}

# The builder that made the image.
variable "builder" {
  type    = string
  default = "amazon-ebs"
}

data "chain" "candidate" {
  registry = var.registry
  kind     = var.builder == "amazon-ebs" ? "ami" : "artifact"
  image    = "base"
  channel  = var.from
  previous = var.previous
  # parent options
}

source "chain" "candidate" { record = data.chain.candidate.record }

build {
  sources = ["source.chain.candidate"]
  post-processor "chain" {
    record         = data.chain.candidate.record
    channels       = var.to
    allow_rollback = var.allow_rollback
    # post-processor options
  }
}
