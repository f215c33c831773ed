# SPDX-License-Identifier: MPL-2.0
#
# Launches an image of the chain: finds its AMI in one of three ways, refuses one that is revoked or
# too old, and keeps an Auto Scaling group on it. Copy the way that you use.
#
#     terraform plan -var 'subnets=["subnet-0a1b2c3d4e5f60718"]'

terraform {
  required_version = ">= 1.5"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.0"
    }
  }
}

provider "aws" {
  region = var.region
}

locals {
  # Exactly one of the three is looked up.
  ami = one(concat(
    data.aws_ssm_parameter.image[*].insecure_value,
    [for channel in local.channels : channel.amis[var.region]],
    data.aws_ami.tagged[*].id,
  ))
}

# The AMI as EC2 knows it: whoever can write to the bucket, or to the parameter, cannot make you
# launch an AMI of somebody else. EC2 shows no disabled one.
data "aws_ami" "image" {
  owners             = ["self"]
  include_deprecated = true

  filter {
    name   = "image-id"
    values = [local.ami]
  }

  lifecycle {
    postcondition {
      condition     = lookup(self.tags, "chain:image", "") == var.image
      error_message = "${self.id} is not an AMI of ${var.image}."
    }
    # The plugin adds this tag last.
    postcondition {
      condition     = contains(keys(self.tags), "chain:manifest")
      error_message = "${self.id} was never published."
    }
  }
}

# What is revoked of it and of the AMIs that it is built on: of all of them by channel, and else of
# its parents.
data "aws_ami_ids" "revoked" {
  owners             = ["self"]
  include_deprecated = true

  filter {
    name = "image-id"
    values = compact(concat(
      [local.ami],
      split(" ", lookup(data.aws_ami.image.tags, "chain:parent", "")),
      local.ancestors,
    ))
  }
  filter {
    name   = "tag-key"
    values = ["chain:revoked"]
  }
}

output "ami" {
  value = data.aws_ami.image.id
}

output "commit" {
  value = lookup(data.aws_ami.image.tags, "chain:commit", "")
}
