# SPDX-License-Identifier: MPL-2.0
#
# Revokes an image: nothing is built on it any more, and its template builds it again. The
# fingerprint is in the log of its build, and in the history of its channels.
#
#     packer build -var image=snowflake -var fingerprint=30f2… -var reason="CVE-2026-0001" .
#     packer build -var image=snowflake -var fingerprint=30f2… -var restore=true .

packer {
  required_plugins {
    chain = {
      source  = "github.com/packer-chain/chain"
      version = "~> 0.1"
    }
  }
}

variable "registry" { default = "s3://acme-images/chain" }
variable "region" { default = "eu-west-1" }
variable "image" { default = "snowflake" }
variable "fingerprint" { type = string }
variable "ami" { default = "" } # one of it, if the image was built several times from the same parts
variable "reason" { default = "" }
variable "ec2" { default = "none" }
variable "restore" { default = false }
variable "force" { default = false }

data "chain" "image" {
  registry         = var.registry
  region           = var.region
  image            = var.image
  fingerprint      = var.fingerprint
  ami              = var.ami
  allow_revoked    = true # or a run that was cut off could not be repeated
  allow_deprecated = true
}

source "chain" "image" {
  record = data.chain.image.record
}

build {
  sources = ["source.chain.image"]

  post-processor "chain-revoke" {
    record  = data.chain.image.record
    reason  = var.reason
    ec2     = var.ec2
    restore = var.restore
    force   = var.force # although a channel points at it
  }
}
