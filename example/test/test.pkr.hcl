# SPDX-License-Identifier: MPL-2.0
#
# Starts an instance from the candidate and runs checks on it. No AMI is made. If all is well, it
# leaves the record of the image, and only that image is promoted:
#
#     packer build . && packer build -var tested=$PWD/tested.json ../promote

packer {
  required_plugins {
    amazon = {
      source  = "github.com/hashicorp/amazon"
      version = ">= 1.8.2"
    }
    chain = {
      source  = "github.com/packer-chain/chain"
      version = "~> 0.1"
    }
  }
}

data "chain" "candidate" {
  registry = var.registry
  region   = var.region
  image    = var.image
  channel  = var.channel
}

source "amazon-ebs" "test" {
  region          = data.chain.candidate.region
  source_ami      = data.chain.candidate.id
  ami_name        = "none" # is required, and not used
  skip_create_ami = true
  instance_type   = "t3.micro"
  communicator    = var.communicator
  ssh_username    = "ubuntu"
}

build {
  sources = ["source.amazon-ebs.test"]

  # What an earlier test has left says nothing about this one.
  provisioner "shell-local" {
    inline = ["rm -f '${path.root}/tested.json'"]
  }

  # The emulator has no machines, so without a communicator no checks run.
  dynamic "provisioner" {
    for_each = var.communicator == "none" ? [] : [1]
    labels   = ["shell"]
    content {
      scripts = ["${path.root}/checks/services.sh"]
    }
  }

  provisioner "shell-local" {
    env    = { RECORD = data.chain.candidate.record }
    inline = ["printf '%s' \"$RECORD\" > '${path.root}/tested.json'"]
  }
}
