// SPDX-License-Identifier: MPL-2.0

package manifest

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode"
)

// MaxName is the longest name of an image or channel, in characters.
const MaxName = 128

// maxRegion is the longest name of a region: that of a label in a host name.
const maxRegion = 63

// Packer starts the plugin many times for one build, and each start compiles these. Lengths are
// checked separately, because counted repetitions are slow to compile.
var (
	namePattern   = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]*$`)
	regionPattern = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)
	sourcePattern = regexp.MustCompile(`^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$`)
)

// CheckImage checks the name of an image, which becomes a folder of the registry.
func CheckImage(name string) error { return checkName(name) }

// CheckChannel checks the name of a channel.
func CheckChannel(name string) error { return checkName(name) }

// CheckBranch checks the name of a branch, as far as it matters here: git has more rules.
func CheckBranch(name string) error {
	if name == "" || len(name) > 255 || strings.ContainsFunc(name, func(r rune) bool {
		return r <= ' ' || !unicode.IsPrint(r) || strings.ContainsRune(`*?[\^~:`, r)
	}) {
		return fmt.Errorf("must be the name of a branch, such as main, got %.80q", name)
	}
	return nil
}

// CheckFingerprint checks that s is the lower-case hex of a SHA-256.
func CheckFingerprint(s string) error {
	if len(s) != 64 || !isHex(s) {
		return fmt.Errorf("must be 64 lower-case hex digits, got %.80q", s)
	}
	return nil
}

// CheckGitSHA checks that s is a whole git object id, SHA-1 or SHA-256, in lower-case hex.
func CheckGitSHA(s string) error {
	if !IsGitSHA(s) {
		return fmt.Errorf("must be a whole git object id, 40 or 64 lower-case hex digits, got %.80q", s)
	}
	return nil
}

// IsGitSHA reports whether s is a whole git object id, SHA-1 or SHA-256, in lower-case hex.
func IsGitSHA(s string) bool { return (len(s) == 40 || len(s) == 64) && isHex(s) }

// IsAMI reports whether s has the form of an AMI id: 8 digits in old ones, 17 in new ones.
func IsAMI(s string) bool {
	digits, named := strings.CutPrefix(s, "ami-")
	return named && len(digits) >= 8 && len(digits) <= 17 && isHex(digits)
}

// IsRegion reports whether s has the form of a region's name, which becomes part of a host name.
// The names are not limited to those of AWS: other stores and emulators use such as "local" or
// "nyc3".
func IsRegion(s string) bool { return len(s) <= maxRegion && regionPattern.MatchString(s) }

// ImagesFromID reads the AMIs from the id of an artifact as the Amazon plugin writes it,
// "region:ami-…" joined by commas. It returns nil for an id of any other form.
func ImagesFromID(id string) []Image {
	var images []Image
	for part := range strings.SplitSeq(id, ",") {
		region, ami, ok := strings.Cut(part, ":")
		if !ok || !IsRegion(region) || !IsAMI(ami) {
			return nil
		}
		images = append(images, Image{Provider: ProviderAWS, Region: region, ID: ami})
	}
	return images
}

func isHex(s string) bool { return strings.Trim(s, "0123456789abcdef") == "" }

// CheckSource checks the name of a source, such as "amazon-ebs.arm64".
func CheckSource(s string) error {
	if !sourcePattern.MatchString(s) {
		return fmt.Errorf(
			"must be the type and name of a source, such as amazon-ebs.arm64, got %.80q", s)
	}
	return nil
}

func checkName(name string) error {
	switch {
	case name == "":
		return errors.New("is required")
	case len(name) > MaxName:
		return fmt.Errorf("must have at most %d characters, got %d", MaxName, len(name))
	case !namePattern.MatchString(name):
		return fmt.Errorf("must be lower-case letters, digits, \".\", \"_\" and \"-\", "+
			"and start with a letter or digit, got %q", name)
	case strings.Contains(name, ".."):
		return fmt.Errorf("must not contain \"..\", got %q", name)
	case strings.HasSuffix(name, "."):
		// Windows drops the dot, so two images would share a folder.
		return fmt.Errorf("must not end with \".\", got %q", name)
	}
	return nil
}
