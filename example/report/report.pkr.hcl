# SPDX-License-Identifier: MPL-2.0
#
# Shows the chain: a page for people, chain.json for programs, and chain.mmd for READMEs. It builds
# and changes nothing.

packer {
  required_plugins {
    chain = {
      source  = "github.com/packer-chain/chain"
      version = "~> 0.1"
    }
  }
}

variable "registry" {
  type        = string
  description = "Where images are published: s3://bucket/prefix or a local folder."
  default     = "s3://acme-images/chain"
}

# The page shows names, commits and AMI ids: whoever may read this folder of the bucket can read it.
variable "page" {
  type        = string
  default     = ""
  description = "Where the files are copied to, such as s3://acme-images/report: never below the registry."
}

locals {
  output = "${path.root}/chain-report"
}

source "chain-report" "all" {
  registry   = var.registry
  title      = "Images of Acme"
  output     = local.output
  check_amis = true

  # Whose files have changed in this checkout is planned as well.
  paths = {
    baseline-ubuntu = "${path.root}/../base"
    snowflake       = "${path.root}/../snowflake"
  }
}

build {
  sources = ["source.chain-report.all"]

  # Browsers ask for the page anew each time. They show chain.mmd, of which aws does not know the type.
  dynamic "post-processor" {
    for_each = var.page == "" ? [] : [var.page]
    labels   = ["shell-local"]
    content {
      inline = [
        "aws s3 cp --recursive --cache-control no-cache --exclude '*.mmd' '${local.output}' '${var.page}'",
        "aws s3 cp --cache-control no-cache --content-type text/plain '${local.output}/chain.mmd' '${var.page}/chain.mmd'",
      ]
    }
  }
}
