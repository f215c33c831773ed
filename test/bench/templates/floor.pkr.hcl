# SPDX-License-Identifier: MPL-2.0

source "null" "nothing" {
  communicator = "none"
}

build {
  sources = ["source.null.nothing"]
}
