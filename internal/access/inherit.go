// SPDX-License-Identifier: MPL-2.0

package access

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/mitchellh/mapstructure"

	"github.com/packer-chain/packer-plugin-chain/internal/record"
)

// identityOptions say whose credentials are used. They belong together: a component takes all of
// them from its own block, or all from the record.
var identityOptions = []string{
	"access_key", "secret_key", "token", "profile", "shared_credentials_file", "assume_role"}

// secretOptions are secrets, or may be. They are never in a record.
var secretOptions = []string{"access_key", "secret_key", "token", "mfa_code", "external_id"}

// ForRecord returns these options for a record: those that are set, by their names in HCL, and of
// those that are secret the names alone.
func (c *Config) ForRecord() (record.Access, error) {
	c.dropEmptyRoles()
	options, err := encode(*c)
	if err != nil {
		return record.Access{}, fmt.Errorf("encode the AWS options: %w", err)
	}
	var access record.Access
	access.Withheld = withhold("", options)
	slices.Sort(access.Withheld)
	if len(options) > 0 {
		access.Options = options
	}
	return access, nil
}

// Inherit takes the options that are not set from a record. It returns an error if the record
// lacks one that it needs, because that is a secret.
func (c *Config) Inherit(from record.Access) error {
	c.dropEmptyRoles()
	own, err := encode(*c)
	if err != nil {
		return fmt.Errorf("encode the AWS options: %w", err)
	}
	isIdentity := func(name string) bool { return slices.Contains(identityOptions, name) }
	ownIdentity := false
	for name := range own {
		ownIdentity = ownIdentity || isIdentity(name)
	}
	takes := func(name string) bool {
		block, _, _ := strings.Cut(name, ".")
		return own[block] == nil && (!ownIdentity || !isIdentity(block))
	}
	missing := slices.DeleteFunc(slices.Clone(from.Withheld), func(name string) bool {
		return !takes(name)
	})
	if len(missing) > 0 {
		return needs(missing)
	}
	inherited := map[string]any{}
	for name, value := range from.Options {
		if takes(name) {
			inherited[name] = value
		}
	}
	if err := mapstructure.Decode(inherited, c); err != nil {
		return fmt.Errorf("the AWS options in record: %w", err)
	}
	return nil
}

// needs returns the error for secrets that a component has to be given again.
func needs(missing []string) error {
	for i, name := range missing {
		if block, _, inBlock := strings.Cut(name, "."); inBlock {
			missing[i] = name + " (with the whole block " + block + ")"
		}
	}
	return fmt.Errorf("missing: %s, set in the data source. Secrets are not passed on in record"+
		"\n\nSet the same here, with the profile and assume_role of the data source if it has them; "+
		"or in none of them, and AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN or "+
		"AWS_PROFILE in the environment.", strings.Join(missing, ", "))
}

// dropEmptyRoles removes the roles without an ARN: they are none.
func (c *Config) dropEmptyRoles() {
	empty := func(role *AssumeRole) bool { return role != nil && role.RoleARN == "" }
	if empty(c.AssumeRole) {
		c.AssumeRole = nil
	}
	if c.RegistryAccess != nil && empty(c.RegistryAccess.AssumeRole) {
		bucket := *c.RegistryAccess
		bucket.AssumeRole = nil
		c.RegistryAccess = &bucket
	}
}

// encode returns the options that are set, by their names in HCL.
func encode(options any) (map[string]any, error) {
	all := map[string]any{}
	if err := mapstructure.Decode(options, &all); err != nil {
		return nil, err
	}
	prune(all)
	return all, nil
}

// prune removes what is not set.
func prune(options map[string]any) {
	for name, value := range options {
		block, isBlock := value.(map[string]any)
		if isBlock {
			prune(block)
		}
		v := reflect.ValueOf(value)
		listed := v.IsValid() && (v.Kind() == reflect.Map || v.Kind() == reflect.Slice)
		// A block that is there counts, even without options.
		if !isBlock && (!v.IsValid() || v.IsZero() || listed && v.Len() == 0) {
			delete(options, name)
		}
	}
}

// withhold removes the secrets from options, and returns their names.
func withhold(block string, options map[string]any) []string {
	var names []string
	for name, value := range options {
		if slices.Contains(secretOptions, name) {
			delete(options, name)
			names = append(names, block+name)
		} else if inner, isBlock := value.(map[string]any); isBlock {
			names = append(names, withhold(block+name+".", inner)...)
		}
	}
	return names
}
