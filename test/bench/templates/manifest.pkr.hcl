# SPDX-License-Identifier: MPL-2.0
#
# What another post-processor of Packer's own costs.

source "null" "nothing" {
  communicator = "none"
}

build {
  sources = ["source.null.nothing"]

  post-processor "manifest" {}
}
