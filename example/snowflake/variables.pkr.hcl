# SPDX-License-Identifier: MPL-2.0

variable "registry" {
  type        = string
  description = "Where manifests and channels are kept: s3://bucket/prefix or a local folder."
  default     = "s3://acme-images/chain"
}

variable "region" {
  type    = string
  default = "eu-west-1"
}

variable "copy_to" {
  type        = list(string)
  description = "Further regions to copy the AMI to."
  default     = []
}

variable "branch" {
  type        = string
  description = "The branch that is built, where CI does not tell: in CodePipeline."
  default     = ""
}

variable "instance_type" {
  type    = string
  default = "t3.micro"
}

variable "communicator" {
  type        = string
  description = "How Packer reaches the instance: ssh, or none, which runs no scripts."
  default     = "ssh"
}
