# SPDX-License-Identifier: MPL-2.0

variable "image" {
  type    = string
  default = "snowflake"
}

variable "channel" {
  type    = string
  default = "production"
}

variable "by" {
  type        = string
  description = "How the AMI is found: parameter, channel or tag."
  default     = "parameter"

  validation {
    condition     = contains(["parameter", "channel", "tag"], var.by)
    error_message = "It is parameter, channel or tag."
  }
}

variable "max_age" {
  type        = string
  description = "How old the AMI may be, such as 720h for 30 days. An older one fails the plan."
  default     = "720h"
}

variable "bucket" {
  type    = string
  default = "acme-images"
}

variable "prefix" {
  type        = string
  description = "Where the registry is in the bucket."
  default     = "chain"
}

variable "region" {
  type    = string
  default = "eu-west-1"
}

variable "subnets" {
  type = list(string)
}

variable "instance_type" {
  type    = string
  default = "t3.micro"
}

variable "instances" {
  type    = number
  default = 2
}
