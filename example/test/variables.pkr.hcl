# SPDX-License-Identifier: MPL-2.0

variable "registry" {
  type    = string
  default = "s3://acme-images/chain"
}

variable "region" {
  type    = string
  default = "eu-west-1"
}

variable "image" {
  type    = string
  default = "snowflake"
}

variable "channel" {
  type        = string
  description = "The channel that points at the candidate."
  default     = "latest"
}

variable "communicator" {
  type        = string
  description = "How Packer reaches the instance: ssh, or none, which runs no checks."
  default     = "ssh"
}
