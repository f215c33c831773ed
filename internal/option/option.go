// SPDX-License-Identifier: MPL-2.0

// Package option reads and checks the options of the components. Each rule is a small function,
// each error begins with the option's name in HCL, and all errors are reported together. A value
// that Packer does not know yet passes every check; [Known] refuses it when it is about to be used.
package option

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// minDuration and maxDuration are the shortest and the longest duration that make sense.
const (
	minDuration = time.Second
	maxDuration = 10 * 365 * 24 * time.Hour
)

// Checker collects errors. Its zero value is ready to use.
type Checker struct {
	Errors []error
}

// Addf adds an error.
func (c *Checker) Addf(format string, args ...any) {
	c.Errors = append(c.Errors, fmt.Errorf(format, args...))
}

// That applies rule to value, and prefixes its error with the option's name.
func (c *Checker) That(name, value string, rule Rule) {
	if IsUnknown(value) {
		return
	}
	if err := rule(value); err != nil {
		c.Addf("%s %w", name, err)
	}
}

// List checks each element of a list, and that none is repeated.
func (c *Checker) List(name string, values []string, rule Rule) {
	seen := map[string]bool{}
	for i, value := range values {
		c.That(fmt.Sprintf("%s[%d]", name, i), value, rule)
		if seen[value] && !IsUnknown(value) {
			c.Addf("%s must not repeat a value, got %q twice", name, value)
		}
		seen[value] = true
	}
}

// Duration checks that a duration makes sense. Zero means that it is not set.
func (c *Checker) Duration(name string, value time.Duration) {
	switch {
	case value == 0 || value == unknownDuration:
	case value == invalidDuration:
		c.Addf(`%s must be a duration, such as "168h" or "90m"`, name)
	case value < minDuration || value > maxDuration:
		c.Addf("%s must be between 1s and ten years, got %s", name, value)
	}
}

// AtMostOne checks that no more than one of several options is set. One that is not known yet may
// turn out to be empty.
func (c *Checker) AtMostOne(values map[string]string) {
	all := slices.Sorted(maps.Keys(values))
	set := slices.DeleteFunc(slices.Clone(all), func(name string) bool {
		return values[name] == "" || IsUnknown(values[name])
	})
	if len(set) > 1 {
		c.Addf("only one of %s may be set, got %s",
			strings.Join(all, ", "), strings.Join(set, " and "))
	}
}
