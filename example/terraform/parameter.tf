# SPDX-License-Identifier: MPL-2.0

# By the SSM parameter that a promotion keeps on the channel. Takes no access to the bucket.
data "aws_ssm_parameter" "image" {
  count = var.by == "parameter" ? 1 : 0
  name  = "/images/${var.image}/${var.channel}"
}
