# SPDX-License-Identifier: MPL-2.0
#
# baseline-ubuntu as a container: the scripts of ../../base on Canonical's container image, to try
# them without AWS, committed or not. It needs a Docker engine:
#
#     packer build -only='docker.*' . && docker run -it --rm baseline-ubuntu bash

packer {
  required_plugins {
    docker = {
      source  = "github.com/hashicorp/docker"
      version = ">= 1.1.2"
    }
    chain = {
      source  = "github.com/packer-chain/chain"
      version = "~> 0.1"
    }
  }
}

# The record by which the containers built on this one find it. The registry is a folder.
data "chain-image" "this" {
  registry = "${path.root}/../registry"
  image    = "baseline-ubuntu"
  path     = "${path.root}/../../base"
  dirty    = "include"
  force    = true # a container is built in every run
}

source "docker" "ubuntu" {
  image   = "ubuntu:24.04"
  commit  = true
  changes = ["ENV LANG=en_US.UTF-8"] # no login reads /etc/default/locale
}

build {
  sources = ["source.docker.ubuntu"]

  # The same scripts as in ../../base/base.pkr.hcl. A container has no sudo, and needs none.
  provisioner "shell" {
    execute_command = "env {{ .Vars }} bash '{{ .Path }}'"
    scripts = [
      "${path.root}/../../base/tasks/wait-for-cloud-init.sh",
      "${path.root}/../../base/tasks/apt.sh",
      "${path.root}/../../base/tasks/time-zone.sh",
      "${path.root}/../../base/tasks/locale.sh",
      "${path.root}/../../base/tasks/upgrade.sh",
    ]
  }

  # The tag comes last: the registry names the container by its id, which no later build takes.
  post-processors {
    post-processor "chain" {
      record = data.chain-image.this.record
    }
    post-processor "docker-tag" {
      repository = "baseline-ubuntu"
    }
  }
}
