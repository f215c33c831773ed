// SPDX-License-Identifier: MPL-2.0

package acceptance

import (
	"testing"

	"github.com/packer-chain/packer-plugin-chain/test/lab/emulator"
)

// TestAccPermissions_report shows a chain with the actions that the page of chain-report names, and
// with less.
func TestAccPermissions_report(t *testing.T) {
	t.Parallel()
	l, policy := restrictedLab(t)
	l.write("report/report.pkr.hcl", `
variable "registry" {}
variable "source_ami" {}
variable "access_key" {}
variable "secret_key" { sensitive = true }
source "chain-report" "all" {
  registry   = var.registry
  output     = "${path.root}/out"
  check_amis = true
  `+ownKeys+`
}
build { sources = ["source.chain-report.all"] }
`)
	l.commit("add the report")
	l.as("builder", policy)
	l.mustBuild("base")
	l.mustBuild("app")

	policy = policy.Without("s3:PutObject").Without("ec2:CreateTags")
	l.as("reader", policy)
	wantOutput(t, l.mustBuild("report"), "2 images: 2 current")

	l.as("without-ec2", policy.Without("ec2:DescribeImages"))
	wantOutput(t, wantCode(t, 1, l.build("report")), "ec2:DescribeImages is not allowed")
	l.as("without-s3", policy.Without("s3:GetObject"))
	wantOutput(t, wantCode(t, 1, l.build("report")), "access denied", "s3:GetObject")

	part := policy.Without("s3:GetObject")
	part.Statement = append(part.Statement, emulator.Statement{Effect: "Allow",
		Action: []string{"s3:GetObject"}, Resource: []string{"arn:aws:s3:::acme-images/chain/base/*"}})
	l.as("one-image", part)
	wantOutput(t, l.mustBuild("report"), "2 images: 1 unknown, 1 current",
		"app: unknown: read s3://acme-images/chain/app/channels/latest.json: access denied")
}
