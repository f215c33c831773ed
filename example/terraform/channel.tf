# SPDX-License-Identifier: MPL-2.0

# By the document of the channel. Moves a moment before the parameter, and needs none.
data "aws_s3_object" "channel" {
  count  = var.by == "channel" ? 1 : 0
  bucket = var.bucket
  key    = "${var.prefix}/${var.image}/channels/${var.channel}.json"

  lifecycle {
    postcondition {
      condition     = try(jsondecode(self.body).schema, 0) == 1
      error_message = "${self.key} has another schema than 1."
    }
  }
}

locals {
  channels = [for document in data.aws_s3_object.channel : jsondecode(document.body)]

  # The AMIs below it in this region. The key is region/source if an image has several in one.
  ancestors = flatten([for channel in local.channels : [for ancestor in channel.ancestors : [
    for key, id in ancestor.amis : id if split("/", key)[0] == var.region
  ]]])
}
