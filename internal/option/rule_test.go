// SPDX-License-Identifier: MPL-2.0

package option

import (
	"slices"
	"strings"
	"testing"
)

func TestRules(t *testing.T) {
	for _, tt := range []struct {
		name      string
		rule      Rule
		good, bad []string
	}{
		{"Region", Region,
			[]string{"eu-west-1", "us-gov-west-1", "ap-southeast-7", "local", "nyc3", strings.Repeat("a", 63)},
			[]string{"", "EU", "eu west", "-", "eu-", "eu--1", "eu.west", "eu/1", "eu-west-1\n", "$(x)",
				strings.Repeat("a", 64)}},
		{"Account", Account, []string{"123456789012"},
			[]string{"", "self", "12345678901", "1234567890123", "123456789012\n"}},
		{"Owner", Owner, []string{"self", "amazon", "aws-marketplace", "123456789012"},
			[]string{"", "Self", "acme", "12345"}},
		{"AMI", AMI, []string{"ami-0a1b2c3d", "ami-0a1b2c3d4e5f60718"},
			[]string{"", "ami-", "ami-xyz", "snap-0a1b2c3d", "ami-0a1b2c3d\n"}},
	} {
		for _, value := range tt.good {
			if err := tt.rule(value); err != nil {
				t.Errorf("%s: %v", tt.name, err)
			}
		}
		for _, value := range tt.bad {
			if err := tt.rule(value); err == nil {
				t.Errorf("%s lets %q pass", tt.name, value)
			}
		}
	}
}

// The build region again in regions was refused, though Packer folds such lists.
func TestFold(t *testing.T) {
	got := Fold([]string{"eu-west-1", "us-east-1", "eu-west-1"})
	if !slices.Equal(got, []string{"eu-west-1", "us-east-1"}) || Fold(nil) != nil {
		t.Errorf("got %v", got)
	}
}
