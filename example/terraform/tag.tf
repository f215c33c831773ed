# SPDX-License-Identifier: MPL-2.0

# By tag: the newest AMI that was ever promoted to the channel. A rollback does not move this back.
# Never without owners: anybody can make an AMI that you can see.
data "aws_ami" "tagged" {
  count       = var.by == "tag" ? 1 : 0
  owners      = ["self"]
  most_recent = true

  filter {
    name   = "tag:chain:image"
    values = [var.image]
  }
  filter {
    name   = "tag:Release"
    values = [var.channel]
  }
  filter {
    name   = "tag-key"
    values = ["chain:manifest"]
  }
}
