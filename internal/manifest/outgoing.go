// SPDX-License-Identifier: MPL-2.0

package manifest

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// What leaves a data source ends up in scripts, pages and terminals, and others can write the
// documents that it comes from. So each kind of text has its own alphabet, without quotes,
// "$", "`" and control characters.
const (
	// maxText is the longest text that leaves a data source, in bytes.
	maxText = 1024

	idMarks   = "._:/@+,=~#% -"
	nameMarks = "._:/@+,= -()[]"
	tagMarks  = "._:/@+= -"
)

// urlPattern leaves out "&" and ";", which end a command of a shell.
var urlPattern = regexp.MustCompile(
	`^https?://[A-Za-z0-9.-]+(:[0-9]+)?([/?#][A-Za-z0-9._~:/?#@!+,=%-]*)?$`)

// hasOnly reports whether s consists of letters, digits and marks. It does not look like an option
// of a program, and has no space at either end.
func hasOnly(s, marks string) bool {
	return len(s) <= maxText && !strings.HasPrefix(s, "-") && strings.TrimSpace(s) == s &&
		!strings.ContainsFunc(s, func(r rune) bool {
			return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune(marks, r)
		})
}

// IsID reports whether s has the form of an id: of an artifact, of a build in CI, or a branch. It
// leads out of no folder. An empty text is no id.
func IsID(s string) bool {
	return s != "" && hasOnly(s, idMarks) && !slices.Contains(strings.Split(s, "/"), "..")
}

// IsAMIName reports whether s is a name of an AMI that holds no quote.
func IsAMIName(s string) bool { return s != "" && hasOnly(s, nameMarks) }

// IsTag reports whether the key and the value of a tag have characters that all AWS services take.
func IsTag(key, value string) bool { return hasOnly(key, tagMarks) && hasOnly(value, tagMarks) }

// IsURL reports whether s is a web address of harmless characters.
func IsURL(s string) bool { return len(s) <= maxText && urlPattern.MatchString(s) }

// IsAccount reports whether s is the id of an AWS account: 12 digits.
func IsAccount(s string) bool { return len(s) == 12 && strings.Trim(s, "0123456789") == "" }

// IsSnapshot reports whether s is the id of a snapshot.
func IsSnapshot(s string) bool { return strings.HasPrefix(s, "snap-") && isHex(s[len("snap-"):]) }

// If returns s if it has a form, and else "".
func If(form func(string) bool, s string) string {
	if !form(s) {
		return ""
	}
	return s
}

// Outgoing returns those of the facts that may leave a data source. What does not have its form is
// empty.
func (f Facts) Outgoing() Facts {
	out := Facts{
		Fingerprint: If(func(s string) bool { return CheckFingerprint(s) == nil }, f.Fingerprint),
		Git: Git{
			SHA: If(IsGitSHA, f.Git.SHA), Commit: If(IsGitSHA, f.Git.Commit),
			Branch: If(IsID, f.Git.Branch),
		},
		CI: &CI{},
	}
	if ci := f.CI; ci != nil {
		out.CI = &CI{
			Provider: If(IsID, ci.Provider), BuildID: If(IsID, ci.BuildID),
			BuildURL: If(IsURL, ci.BuildURL),
		}
	}
	for _, ancestor := range f.Ancestors {
		if ancestor.Check() == nil {
			out.Ancestors = append(out.Ancestors, ancestor)
		}
	}
	return out
}

// Check checks an ancestor: its AMIs go into requests, and its name into outputs.
func (a Ancestor) Check() error {
	if err := CheckImage(a.Image); err != nil {
		return fmt.Errorf("image %w", err)
	}
	if a.Fingerprint != "" {
		if err := CheckFingerprint(a.Fingerprint); err != nil {
			return fmt.Errorf("fingerprint %w", err)
		}
	}
	if a.Channel != "" {
		if err := CheckChannel(a.Channel); err != nil {
			return fmt.Errorf("channel %w", err)
		}
	}
	for key, id := range a.AMIs {
		region, _, _ := strings.Cut(key, "/")
		if !IsRegion(region) || !IsAMI(id) {
			return fmt.Errorf("%.60q in %.60q is not an AMI", id, key)
		}
	}
	return nil
}

// amiTypes and amiBuilders are what the builders of AMIs call themselves. The other builder of
// Amazon's plugin, amazon-ebsvolume, makes volumes.
var (
	amiTypes    = []string{"amazon-ebs", "amazon-ebssurrogate", "amazon-chroot", "amazon-instance"}
	amiBuilders = []string{
		"mitchellh.amazonebs", "mitchellh.amazon.ebssurrogate", "mitchellh.amazon.chroot",
		"mitchellh.amazon.instance",
	}
)

// HidesAMI reports whether an entry names no AMI, although it must: its builder makes AMIs, or the
// id of its artifact is one. Nobody could check whether such an image exists.
func (e Entry) HidesAMI() bool {
	return len(e.AMIs()) == 0 && (slices.Contains(amiTypes, e.BuilderType) ||
		slices.Contains(amiBuilders, e.BuilderID) || NamesAMI(e.ArtifactID) ||
		slices.ContainsFunc(e.Images, func(image Image) bool { return IsAMI(image.ID) }))
}

// NamesAMI reports whether the id of an artifact contains that of an AMI.
func NamesAMI(id string) bool {
	words := strings.FieldsFunc(id, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '-'
	})
	return slices.ContainsFunc(words, IsAMI)
}

// checkRelatives checks the parents and ancestors of an image.
func (f Facts) checkRelatives() error {
	for i, ancestor := range f.Ancestors {
		if err := ancestor.Check(); err != nil {
			return fmt.Errorf("ancestors[%d]: %w", i, err)
		}
	}
	for i, p := range f.Parents {
		self := Ancestor{
			Image: p.Image, Fingerprint: p.Fingerprint, AMIs: p.AMIs, Channel: p.Channel}
		below := append([]Ancestor{self}, p.Ancestors...)
		for _, ancestor := range below {
			if err := ancestor.Check(); err != nil {
				return fmt.Errorf("parents[%d]: %w", i, err)
			}
		}
		if p.AMI != "" && !IsAMI(p.AMI) || p.Region != "" && !IsRegion(p.Region) {
			return fmt.Errorf("parents[%d]: %.60q in %.60q is not an AMI", i, p.AMI, p.Region)
		}
	}
	return nil
}
