# SPDX-License-Identifier: MPL-2.0
#
# Prints what data "chain" finds. The command "parent" puts its options in the place of the comment.

variable "registry" { type = string }
variable "source_ami" { type = string }

locals {
  base            = "${path.root}/../base"
  manifest        = "${path.root}/../base/.chain/acme-images/chain/manifest-base.json"
  packer_manifest = "${path.root}/../base/packer-manifest.json"
}

# The builder that made the image.
variable "builder" {
  type    = string
  default = "amazon-ebs"
}

data "chain" "parent" {
  kind = var.builder == "amazon-ebs" ? "ami" : "artifact"
  # parent options
}

source "null" "none" {
  communicator = "none"
}

build {
  sources = ["source.null.none"]
  provisioner "shell-local" {
    inline = ["echo '${join(" ", [
      "by=${data.chain.parent.resolved_by}",
      "id=${data.chain.parent.id}",
      "found=${data.chain.parent.found}",
      "image=${data.chain.parent.image}",
      "amis=${jsonencode(data.chain.parent.amis)}",
      "ci=${data.chain.parent.ci_provider}",
      "${data.chain.parent.ci_build_id} ${data.chain.parent.ci_build_url}",
      "fingerprint=${data.chain.parent.fingerprint}",
    ])}'"]
  }
}
