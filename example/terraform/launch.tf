# SPDX-License-Identifier: MPL-2.0

resource "aws_launch_template" "image" {
  name_prefix   = "${var.image}-"
  instance_type = var.instance_type

  # With the parameter, EC2 looks up the AMI at each launch: a promotion and a rollback take effect
  # without Terraform. With the others, a plan changes the template.
  image_id = var.by == "parameter" ? "resolve:ssm:/images/${var.image}/${var.channel}" : local.ami

  tag_specifications {
    resource_type = "instance"
    tags          = { Name = var.image }
  }

  lifecycle {
    precondition {
      condition     = length(data.aws_ami_ids.revoked.ids) == 0
      error_message = "Revoked: ${join(", ", data.aws_ami_ids.revoked.ids)}, in ${var.channel} of ${var.image}."
    }
    precondition {
      condition     = timecmp(timeadd(data.aws_ami.image.creation_date, var.max_age), plantimestamp()) > 0
      error_message = "${local.ami} of ${var.image} is older than ${var.max_age}."
    }
  }
}

resource "aws_autoscaling_group" "image" {
  name_prefix         = "${var.image}-"
  min_size            = var.instances
  max_size            = var.instances + 1
  vpc_zone_identifier = var.subnets

  launch_template {
    id      = aws_launch_template.image.id
    version = aws_launch_template.image.latest_version
  }

  # Replaces the instances when the template changes. After the parameter alone has moved, start it:
  #     aws autoscaling start-instance-refresh --auto-scaling-group-name NAME
  instance_refresh {
    strategy = "Rolling"
  }
}

output "group" {
  value = aws_autoscaling_group.image.name
}
