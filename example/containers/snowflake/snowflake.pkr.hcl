# SPDX-License-Identifier: MPL-2.0
#
# snowflake as a container: the scripts of ../../snowflake on the container that ../base has built.

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

# The container that was built from ../../base as it is here.
data "chain" "parent" {
  registry = "${path.root}/../registry"
  image    = "baseline-ubuntu"
  path     = "${path.root}/../../base"
  kind     = "artifact"
}

data "chain-image" "this" {
  registry = "${path.root}/../registry"
  image    = "snowflake"
  path     = "${path.root}/../../snowflake"
  parents  = [data.chain.parent.ref]
  dirty    = "include"
  force    = true # a container is built in every run
}

source "docker" "snowflake" {
  image  = data.chain.parent.id
  pull   = false # it is in this engine only
  commit = true
}

build {
  sources = ["source.docker.snowflake"]

  # The same scripts as in ../../snowflake/snowflake.pkr.hcl.
  provisioner "shell" {
    execute_command  = "env {{ .Vars }} bash '{{ .Path }}'"
    environment_vars = ["DOCKER_VERSION=28"]
    scripts          = ["${path.root}/../../snowflake/tasks/docker.sh"]
  }

  post-processors {
    post-processor "chain" {
      record = data.chain-image.this.record
    }
    post-processor "docker-tag" {
      repository = "snowflake"
    }
  }
}
