# SPDX-License-Identifier: MPL-2.0

variable "registry" {
  type        = string
  description = "Where builds and refs are kept: s3://bucket/prefix or a local folder."
  default     = "s3://acme-images/chain"
}

variable "region" {
  type    = string
  default = "eu-west-1"
}

variable "copy_to" {
  type        = list(string)
  description = "More regions that the AMI is copied to."
  default     = []
}

variable "instance_type" {
  type    = string
  default = "t3.micro"
}

variable "communicator" {
  type        = string
  description = "How Packer reaches the instance: ssh, or none to run no scripts."
  default     = "ssh"
}

variable "ubuntu" {
  type        = string
  description = "The name of Canonical's AMI; the newest that matches is taken."
  default     = "ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-amd64-server-*"
}
