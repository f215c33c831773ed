// SPDX-License-Identifier: MPL-2.0

// Package option reads and checks the options of the components: each rule is a small function, each error
// begins with the option's name in HCL, and all errors come at once. A value that Packer does not
// know yet passes every check; Known refuses it when it is about to be used.
package option

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/packer-chain/packer-plugin-chain/internal/record"
)

// minDuration and maxDuration are the shortest and the longest duration that make sense.
const (
	minDuration = time.Second
	maxDuration = 10 * 365 * 24 * time.Hour
)

// Checker collects what is wrong. Its zero value is ready.
type Checker struct {
	Errors []error
}

// That checks one value. The rule's error is put behind the option's name.
func (c *Checker) That(name, value string, rule func(string) error) {
	if record.IsUnknown(value) {
		return
	}
	if err := rule(value); err != nil {
		c.Errors = append(c.Errors, fmt.Errorf("%s %w", name, err))
	}
}

// List checks each element of a list, and that none is empty or there twice.
func (c *Checker) List(name string, values []string, rule func(string) error) {
	seen := map[string]bool{}
	for i, value := range values {
		c.That(fmt.Sprintf("%s[%d]", name, i), value, rule)
		if seen[value] && !record.IsUnknown(value) {
			c.Errors = append(c.Errors, fmt.Errorf("%s must not repeat a value, got %q twice", name, value))
		}
		seen[value] = true
	}
}

// Duration checks that a duration makes sense. Zero means that it is not set.
func (c *Checker) Duration(name string, value time.Duration) {
	switch {
	case value == 0 || value == unknownDuration:
	case value == invalidDuration:
		c.Errors = append(c.Errors, fmt.Errorf(`%s must be a duration, such as "168h" or "90m"`, name))
	case value < minDuration || value > maxDuration:
		c.Errors = append(c.Errors, fmt.Errorf("%s must be between 1s and ten years, got %s", name, value))
	}
}

// AtMostOne checks that no more than one of several options is set.
func (c *Checker) AtMostOne(values map[string]string) {
	var set []string
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if values[name] != "" {
			set = append(set, name)
		}
	}
	if len(set) > 1 {
		all := slices.Sorted(maps.Keys(values))
		c.Errors = append(c.Errors, fmt.Errorf("only one of %s may be set, got %s",
			strings.Join(all, ", "), strings.Join(set, " and ")))
	}
}

// Optional is a rule that lets the empty string pass.
func Optional(rule func(string) error) func(string) error {
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
func OneOf(words ...string) func(string) error {
	return func(value string) error {
		if !slices.Contains(words, value) {
			return fmt.Errorf("must be one of %s, got %q", strings.Join(words, ", "), value)
		}
		return nil
	}
}

// Known refuses the options, by name, whose value is still not known when they are used.
func Known(values map[string][]string) error {
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if slices.ContainsFunc(values[name], record.IsUnknown) {
			return fmt.Errorf("%s is %q: it refers to a value that is never set", name, record.Unknown)
		}
	}
	return nil
}
