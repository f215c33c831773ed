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

variable "from" {
  type        = string
  description = "The channel that points at the candidate."
  default     = "latest"
}

variable "to" {
  type        = string
  description = "The channel to move."
  default     = "production"
}

variable "tested" {
  type        = string
  description = "A file with the record of the image that was tested, in place of from."
  default     = ""
}

variable "reason" {
  type        = string
  description = "Why, for the history of the channel."
  default     = ""
}

variable "allow_rollback" {
  type        = bool
  description = "Promote an older image, or one that a rollback has left."
  default     = false
}
