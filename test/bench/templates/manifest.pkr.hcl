# SPDX-License-Identifier: MPL-2.0

variable "file" {
  type = string
}

source "null" "nothing" {
  communicator = "none"
}

build {
  sources = ["source.null.nothing"]

  post-processor "manifest" {
    output = var.file
  }
}
