// SPDX-License-Identifier: MPL-2.0

package ami

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
)

// The keys of the tags that this plugin writes. README and docs list them.
const (
	TagImage       = "chain:image"
	TagFingerprint = "chain:fingerprint"
	TagGitSHA      = "chain:git-sha"
	TagCommit      = "chain:commit"
	TagParent      = "chain:parent"
	TagManifest    = "chain:manifest"
	TagCIBuild     = "chain:ci-build"
)

var accountPattern = regexp.MustCompile(`^[0-9]{12}$`)

// CheckID checks the id of an AMI.
func CheckID(s string) error {
	if !ValidID(s) {
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

// CheckTagKey checks the key of one tag.
func CheckTagKey(s string) error {
	if broken := CheckTags(map[string]string{s: ""}); len(broken) > 0 {
		return fmt.Errorf("must be the key of a tag: %s", broken[0])
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

// TagValue cuts a text to what fits into the value of a tag, and drops what EC2 would refuse.
func TagValue(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == utf8.RuneError {
			return -1
		}
		return r
	}, s)
	runes := []rune(s)
	return string(runes[:min(len(runes), maxValueLength)])
}
