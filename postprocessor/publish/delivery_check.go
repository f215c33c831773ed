// SPDX-License-Identifier: MPL-2.0

package publish

import (
	"errors"
	"fmt"
	"regexp"

	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
	"github.com/packer-chain/packer-plugin-chain/internal/option"
	"github.com/packer-chain/packer-plugin-chain/internal/parameter/parametername"
	"github.com/packer-chain/packer-plugin-chain/internal/record"
)

// organization is the ARN of an organization or of an organizational unit (AWS Organizations API
// Reference, "Organization" and "OrganizationalUnit").
var organization = regexp.MustCompile(`^arn:aws[a-z-]*:organizations::\d{12}:` +
	`(organization/o-[a-z0-9]{10,32}|ou/o-[a-z0-9]{10,32}/ou-[0-9a-z]{4,32}-[0-9a-z]{8,32})$`)

// checkDelivery checks the blocks share and ssm_parameter.
func (c *Config) checkDelivery(check *option.Checker) {
	if s := c.Share; s != nil {
		check.List("share.accounts", s.Accounts, checkAccount)
		check.List("share.organizations", s.Organizations, checkOrganization)
		if len(s.Accounts)+len(s.Organizations) == 0 {
			check.Addf("share needs accounts or organizations")
		}
	}
	seen := map[string]bool{}
	for i, block := range c.SSMParameters {
		name := fmt.Sprintf("ssm_parameter[%d].", i)
		check.That(name+"name", block.Name, func(s string) error { return parametername.Name(s).Check() })
		block.AssumeRole.Check(check, name+"assume_role.")
		if option.IsUnknown(block.Name) {
			continue
		}
		if len(c.channelNames()) > 1 && !parametername.Name(block.Name).Has("channel") {
			check.Addf("%sname must have {channel}, because there are several channels, got %.80q",
				name, block.Name)
		}
		account := ""
		if block.AssumeRole != nil {
			account = block.AssumeRole.RoleARN
		}
		if seen[account+" "+block.Name] {
			check.Addf("%sname repeats %.80q", name, block.Name)
		}
		seen[account+" "+block.Name] = true
	}
	if len(c.channelNames()) == 0 && (c.Share != nil || len(c.SSMParameters) > 0) {
		check.Addf("share and ssm_parameter need a channel")
	}
}

func checkAccount(s string) error {
	if !manifest.IsAccount(s) {
		return fmt.Errorf("must be the 12-digit id of an account, got %.80q", s)
	}
	return nil
}

func checkOrganization(s string) error {
	if !organization.MatchString(s) {
		return fmt.Errorf("must be the ARN of an organization or an organizational unit, such as "+
			"arn:aws:organizations::111122223333:organization/o-exampleorgid, got %.80q", s)
	}
	return nil
}

// checkNames returns an error if a name cannot tell the AMIs of a record apart. Before the build,
// nobody knows of which architecture they are.
func (c *Config) checkNames(rec record.Record) error {
	for _, block := range c.SSMParameters {
		name := parametername.Name(block.Name)
		if option.IsUnknown(block.Name) {
			continue
		}
		if rec.Pointer != nil {
			_, err := parameterValues(block, rec.Image, "channel", rec.Pointer.Target)
			if err != nil {
				return err
			}
		} else if len(rec.Sources) > 1 && !name.Has("architecture") && !name.Has("source") {
			return fmt.Errorf("ssm_parameter %s needs {architecture} or {source} in its name: image %s "+
				"has an AMI of each source", name, rec.Image)
		}
	}
	return nil
}

// errNoAMI is the error of a delivery for an image that is no AMI.
var errNoAMI = errors.New("the image is not an AMI, so share and ssm_parameter cannot apply to it")
