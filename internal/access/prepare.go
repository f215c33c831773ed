// SPDX-License-Identifier: MPL-2.0

package access

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws/arn"
	packersdk "github.com/hashicorp/packer-plugin-sdk/packer"

	"github.com/packer-chain/packer-plugin-chain/internal/option"
	"github.com/packer-chain/packer-plugin-chain/internal/store/s3store"
)

// The forms that AWS requires (AWS STS API Reference, "AssumeRole", and IAM User Guide).
var (
	sessionNamePattern = regexp.MustCompile(`^[\w+=,.@-]+$`)
	externalIDPattern  = regexp.MustCompile(`^[\w+=,.@:/-]+$`)
)

// Prepare checks the options and returns all that is wrong with them. It does no I/O and may be
// called twice. Values that are not known yet pass, and are refused when they are used. From here
// on the secrets among the options are hidden from Packer's log.
func (c *Config) Prepare() []error {
	c.dropEmptyRoles()
	c.hideSecrets()
	var check option.Checker
	switch {
	case c.AccessKey != "" && c.SecretKey == "":
		check.Addf("secret_key is required with access_key")
	case c.AccessKey == "" && c.SecretKey != "":
		check.Addf("access_key is required with secret_key")
	case c.AccessKey == "" && c.Token != "":
		check.Addf("access_key and secret_key are required with token")
	}
	check.AtMostOne(map[string]string{"access_key": c.AccessKey, "profile": c.Profile})
	if !c.SkipRegionValidation {
		check.That("region", c.Region, option.Optional(option.Region))
	}
	check.That("custom_endpoint_ec2", c.CustomEndpointEc2, option.Optional(checkEndpoint))
	if c.MaxRetries < 0 {
		check.Addf("max_retries must not be negative, got %d", c.MaxRetries)
	}
	c.checkUnsupported(&check)
	c.AssumeRole.Check(&check, "assume_role.")
	c.RegistryAccess.check(&check, "registry_access.")
	return check.Errors
}

// hideSecrets hides the secrets among the options from Packer's log.
func (c *Config) hideSecrets() {
	secrets := []string{c.AccessKey, c.SecretKey, c.Token, c.MFACode}
	for _, secret := range secrets {
		hide(secret)
	}
}

func hide(secret string) {
	if secret != "" && secret != option.Unknown {
		packersdk.LogSecretFilter.Set(secret)
	}
}

func (r *RegistryAccess) check(check *option.Checker, block string) {
	if r == nil {
		return
	}
	check.That(block+"region", r.Region, option.Optional(option.Region))
	r.AssumeRole.Check(check, block+"assume_role.")
	check.That(block+"endpoint", r.Endpoint, option.Optional(checkEndpoint))
	check.That(block+"conditional_writes", r.ConditionalWrites,
		option.Optional(option.OneOf(s3store.Auto, s3store.Require, s3store.Off)))
	check.That(block+"encryption", r.Encryption, option.Optional(option.OneOf(s3store.Encryptions...)))
	if r.KMSKeyID != "" && r.Encryption == "AES256" {
		check.Addf("%skms_key_id needs %sencryption to be aws:kms or aws:kms:dsse", block, block)
	}
	check.That(block+"acl", r.ACL, option.Optional(option.OneOf(s3store.ACLs...)))
	check.That(
		block+"expected_bucket_owner", r.ExpectedBucketOwner, option.Optional(option.Account))
}

// Check checks a role, and hides what is secret of it. block is its name, such as "assume_role.".
func (r *AssumeRole) Check(check *option.Checker, block string) {
	if r == nil {
		return
	}
	hide(r.ExternalID)
	check.That(block+"role_arn", r.RoleARN, checkRoleARN)
	if s := r.DurationSeconds; s != 0 && (s < 900 || s > 43200) {
		check.Addf("%sduration_seconds must be between 900 and 43200, got %d", block, s)
	}
	check.That(block+"external_id", r.ExternalID, option.Optional(checkExternalID))
	check.That(block+"session_name", r.SessionName, option.Optional(checkSessionName))
	check.That(block+"policy", r.Policy, option.Optional(checkPolicy))
	if n := len(r.PolicyARNs); n > 10 {
		check.Addf("%spolicy_arns must have at most 10 items, got %d", block, n)
	}
	for i, value := range r.PolicyARNs {
		check.That(fmt.Sprintf("%spolicy_arns[%d]", block, i), value, checkPolicyARN)
	}
	if n := len(r.Tags); n > 50 {
		check.Addf("%stags must have at most 50 tags, got %d", block, n)
	}
}

// Warnings returns warnings about options that are allowed but rarely intended.
func (c *Config) Warnings() []string {
	var warnings []string
	warn := func(name, endpoint string) {
		u, err := url.Parse(endpoint)
		if err == nil && u.Scheme == "http" && !loopback(u.Hostname()) {
			warnings = append(warnings, fmt.Sprintf("%s is %q: http sends what is read and written, and "+
				"the session token, unprotected over the network; use https", name, endpoint))
		}
	}
	warn("custom_endpoint_ec2", c.CustomEndpointEc2)
	if r := c.RegistryAccess; r != nil {
		warn("registry_access.endpoint", r.Endpoint)
		if r.ConditionalWrites == s3store.Off {
			warnings = append(warnings, `registry_access.conditional_writes is "off": two builds that `+
				"publish at the same time can lose one of their records")
		}
	}
	return warnings
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}

func checkEndpoint(value string) error {
	u, err := url.Parse(value)
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "":
		return fmt.Errorf("must be a URL that begins with https:// or http://, got %q",
			redacted(value))
	case u.User != nil:
		return fmt.Errorf("must not hold a user or a password, got %q", u.Redacted())
	case u.RawQuery != "" || u.Fragment != "":
		// A query may hold a token.
		return fmt.Errorf("must not have a query or a fragment, got %q", redacted(value))
	}
	return nil
}

// redacted returns value without what may be a user, a password or a token.
func redacted(value string) string {
	if i := strings.IndexAny(value, "?#"); i >= 0 {
		value = value[:i+1] + "…"
	}
	if i := strings.LastIndex(value, "@"); i >= 0 {
		return "…" + value[i:]
	}
	return value
}

func checkRoleARN(value string) error {
	a, err := arn.Parse(value)
	if err != nil || a.Service != "iam" || !strings.HasPrefix(a.Resource, "role/") {
		return fmt.Errorf("must be the ARN of a role such as %s, got %q",
			"arn:aws:iam::123456789012:role/images", value)
	}
	return nil
}

func checkPolicyARN(value string) error {
	if !arn.IsARN(value) {
		return fmt.Errorf("must be the ARN of a policy, got %q", value)
	}
	return nil
}

func checkPolicy(value string) error {
	if !json.Valid([]byte(value)) {
		return errors.New("must be JSON")
	}
	return nil
}

// checkExternalID never shows the value: some treat an external id as a secret.
func checkExternalID(value string) error {
	if n := len(value); n < 2 || n > 1224 || !externalIDPattern.MatchString(value) {
		return errors.New("must have 2 to 1224 letters, digits or characters of _+=,.@:/-")
	}
	return nil
}

func checkSessionName(value string) error {
	if n := len(value); n < 2 || n > 64 || !sessionNamePattern.MatchString(value) {
		return fmt.Errorf("must have 2 to 64 letters, digits or characters of _+=,.@-, got %q", value)
	}
	return nil
}
