# SPDX-License-Identifier: MPL-2.0
#
# Revokes a build of the image "base", or restores it.

variable "registry" { type = string }
variable "source_ami" { type = string }
variable "fingerprint" { type = string }

variable "ec2" {
  type    = string
  default = "none"
}

variable "restore" {
  type    = bool
  default = false
}

variable "allow_revoked" {
  type    = bool
  default = true
}

# The builder that made the image.
variable "builder" {
  type    = string
  default = "amazon-ebs"
}

data "chain" "image" {
  registry         = var.registry
  kind             = var.builder == "amazon-ebs" ? "ami" : "artifact"
  image            = "base"
  fingerprint      = var.fingerprint
  allow_revoked    = var.allow_revoked
  allow_deprecated = true
  # parent options
}

source "chain" "image" { record = data.chain.image.record }

build {
  sources = ["source.chain.image"]
  post-processor "chain-revoke" {
    record  = data.chain.image.record
    reason  = "leaked"
    ec2     = var.ec2
    restore = var.restore
    # post-processor options
  }
}
