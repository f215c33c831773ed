// SPDX-License-Identifier: MPL-2.0

package ami

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
)

var accountPattern = regexp.MustCompile(`^[0-9]{12}$`)

// CheckID checks the id of an AMI.
func CheckID(s string) error {
	if !manifest.IsAMI(s) {
		return fmt.Errorf("must be the id of an AMI, such as ami-0a1b2c3d4e5f60718, got %q", s)
	}
	return nil
}

// CheckRegion checks the form of a region's name; AWS knows which of them exist.
func CheckRegion(s string) error {
	if !manifest.IsRegion(s) {
		return fmt.Errorf("must be a region, such as eu-west-1, got %q", s)
	}
	return nil
}

// CheckOwner checks an owner as DescribeImages takes it (Amazon EC2 API Reference, "DescribeImages").
func CheckOwner(s string) error {
	if !accountPattern.MatchString(s) && !slices.Contains([]string{"self", "amazon", "aws-marketplace"}, s) {
		return fmt.Errorf("must be self, amazon, aws-marketplace or an account id of 12 digits, got %q", s)
	}
	return nil
}

// Architecture is EC2's word for an architecture that may be given in another: "amd64" is "x86_64".
func Architecture(s string) string {
	switch strings.ToLower(s) {
	case "amd64", "x86-64", "x86_64":
		return "x86_64"
	case "aarch64", "arm64":
		return "arm64"
	}
	return s
}
