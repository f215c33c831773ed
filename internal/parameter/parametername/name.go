// SPDX-License-Identifier: MPL-2.0

// Package parametername is about names of parameters of the SSM Parameter Store: what they are made
// of, and what SSM takes. It does not import the AWS SDK, so that fuzz tests compile quickly.
package parametername

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Limits of a name (AWS Systems Manager API Reference, "PutParameter").
const (
	maxLevels = 15
	// maxWithARN is the most characters of a name with what precedes it in the ARN of the parameter.
	maxWithARN = 1011
	// arnPrefix is more than what precedes a name in any region so far, which is at most 56, as in
	// arn:aws-us-gov:ssm:us-gov-east-1:111122223333:parameter/.
	arnPrefix = 60
	maxName   = maxWithARN - arnPrefix
)

// placeholders are what a [Name] may have in braces.
var placeholders = []string{"image", "channel", "architecture", "source"}

// Name is the name of a parameter with {image}, {channel}, {architecture} and {source} in it.
type Name string

// Values are what takes the place of the placeholders of a [Name].
type Values struct{ Image, Channel, Architecture, Source string }

// Check returns what SSM refuses in the name, or a placeholder that is not known. What takes the
// place of a placeholder can make a name too long, or begin with "aws": Name(n.Fill(v)).Check()
// finds that.
func (n Name) Check() error {
	name, err := n.replace(func(string) string { return "x" })
	if err != nil {
		return err
	}
	return check(name, string(n))
}

// Has reports whether the name has a placeholder such as "channel".
func (n Name) Has(placeholder string) bool {
	return strings.Contains(string(n), "{"+placeholder+"}")
}

// Fill returns the name with the values in it. A character of a value that no level of a name can
// have becomes "_". The names of images, channels and sources have none.
func (n Name) Fill(v Values) string {
	values := map[string]string{"image": v.Image, "channel": v.Channel,
		"architecture": v.Architecture, "source": v.Source}
	name, err := n.replace(func(placeholder string) string { return level(values[placeholder]) })
	if err != nil {
		return string(n)
	}
	return name
}

// replace returns the name with something in the place of each placeholder.
func (n Name) replace(with func(placeholder string) string) (string, error) {
	var name strings.Builder
	rest := string(n)
	for {
		plain, after, found := strings.Cut(rest, "{")
		name.WriteString(plain)
		if !found {
			return name.String(), nil
		}
		placeholder, after, closed := strings.Cut(after, "}")
		switch {
		case !closed:
			return "", fmt.Errorf("must have a \"}\" for each \"{\", got %.80q", n)
		case !slices.Contains(placeholders, placeholder):
			return "", fmt.Errorf("must have no placeholders but {%s}, got {%.80s}",
				strings.Join(placeholders, "}, {"), placeholder)
		}
		name.WriteString(with(placeholder))
		rest = after
	}
}

// Check returns what SSM refuses in a name without placeholders.
func Check(name string) error { return check(name, name) }

// check is [Check] of a name that the user has written otherwise.
func check(name, written string) error {
	levels := strings.Split(strings.TrimPrefix(name, "/"), "/")
	lower := strings.ToLower(levels[0])
	switch {
	case name == "":
		return errors.New("is required")
	case strings.ContainsFunc(name, func(r rune) bool { return !isTaken(r) }):
		return fmt.Errorf(
			"must be letters, digits, \".\", \"_\", \"-\" and \"/\", got %.80q", written)
	case slices.Contains(levels, ""):
		return fmt.Errorf("must have something before and after each \"/\" but the first, got %.80q",
			written)
	case len(levels) > 1 && !strings.HasPrefix(name, "/"):
		return fmt.Errorf("must begin with \"/\", because there is one in it, got %.80q", written)
	case strings.HasPrefix(lower, "aws") || strings.HasPrefix(lower, "ssm"):
		return fmt.Errorf("must not begin with \"aws\" or \"ssm\", which AWS reserves, got %.80q",
			written)
	case len(levels) > maxLevels:
		return fmt.Errorf("must have at most %d levels, got %d", maxLevels, len(levels))
	case len(name) > maxName:
		return fmt.Errorf("must have at most %d characters, because SSM allows %d with the "+
			"parameter's ARN, got %d", maxName, maxWithARN, len(name))
	}
	return nil
}

// level returns a value as a level of a name can have it.
func level(value string) string {
	return strings.Map(func(r rune) rune {
		if isTaken(r) && r != '/' {
			return r
		}
		return '_'
	}, value)
}

// isTaken reports whether SSM takes a character in a name.
func isTaken(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' ||
		strings.ContainsRune("._-/", r)
}
