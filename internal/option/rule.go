// SPDX-License-Identifier: MPL-2.0

package option

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
)

// Rule returns what is wrong with a value, in words that follow the option's name.
type Rule func(value string) error

// Optional is a rule that lets the empty string pass.
func Optional(rule Rule) Rule {
	return func(value string) error {
		if value == "" {
			return nil
		}
		return rule(value)
	}
}

// Required is the rule that a value is set.
func Required(value string) error {
	if value == "" {
		return errors.New("is required")
	}
	return nil
}

// OneOf is the rule that a value is one of a few words.
func OneOf(words ...string) Rule {
	return func(value string) error {
		if !slices.Contains(words, value) {
			return fmt.Errorf("must be one of %s, got %q", strings.Join(words, ", "), value)
		}
		return nil
	}
}

// Fold returns a list without repeats. Packer folds its own lists of regions too.
func Fold(values []string) []string {
	var folded []string
	for _, value := range values {
		if !slices.Contains(folded, value) {
			folded = append(folded, value)
		}
	}
	return folded
}

var accountPattern = regexp.MustCompile(`^[0-9]{12}$`)

// Account is the rule of an AWS account id.
func Account(value string) error {
	if !accountPattern.MatchString(value) {
		return fmt.Errorf("must be an account id of 12 digits, got %q", value)
	}
	return nil
}

// Owner is the rule of an owner of AMIs (Amazon EC2 API Reference, "DescribeImages").
func Owner(value string) error {
	words := []string{"self", "amazon", "aws-marketplace"}
	if !slices.Contains(words, value) && Account(value) != nil {
		return fmt.Errorf("must be %s or an account id of 12 digits, got %q",
			strings.Join(words, ", "), value)
	}
	return nil
}

// AMI is the rule of the id of an AMI.
func AMI(value string) error {
	if !manifest.IsAMI(value) {
		return fmt.Errorf("must be the id of an AMI, such as ami-0a1b2c3d4e5f60718, got %q", value)
	}
	return nil
}

// Region is the rule of the name of a region, which need not exist.
func Region(value string) error {
	if !manifest.IsRegion(value) {
		return fmt.Errorf("must be the name of a region such as eu-west-1, got %q", value)
	}
	return nil
}
