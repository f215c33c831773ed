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
)

// The values of conditional_writes.
const (
	ConditionalAuto    = "auto"
	ConditionalRequire = "require"
	ConditionalOff     = "off"
)

// unknown is what Packer passes for a value that is not known (yet).
const unknown = "<unknown>"

// The forms that AWS demands (AWS STS API Reference, "AssumeRole", and IAM User Guide).
var (
	regionPattern      = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)
	accountPattern     = regexp.MustCompile(`^[0-9]{12}$`)
	sessionNamePattern = regexp.MustCompile(`^[\w+=,.@-]+$`)
	externalIDPattern  = regexp.MustCompile(`^[\w+=,.@:/-]+$`)
)

// Prepare checks the options and answers everything that is wrong with them. It does no I/O and may
// be called twice. Values that are not known yet pass, and are refused by [Connection]. The secrets among the options are hidden from Packer's log from here on.
func (c *Config) Prepare() []error {
	for _, secret := range []string{c.AccessKey, c.SecretKey, c.Token} {
		if secret != "" && secret != unknown {
			packersdk.LogSecretFilter.Set(secret)
		}
	}
	var p problems
	switch {
	case c.AccessKey != "" && c.SecretKey == "":
		p.add("secret_key is required with access_key")
	case c.AccessKey == "" && c.SecretKey != "":
		p.add("access_key is required with secret_key")
	case c.AccessKey == "" && c.Token != "":
		p.add("access_key and secret_key are required with token")
	}
	if c.AccessKey != "" && known(c.Profile) {
		p.add("only one of access_key or profile may be set, got both")
	}
	p.region("region", c.Region)
	p.endpoint("custom_endpoint_ec2", c.CustomEndpointEc2)
	if c.MaxRetries < 0 {
		p.add("max_retries must not be negative, got %d", c.MaxRetries)
	}
	p.role("assume_role", c.AssumeRole)
	if r := c.RegistryAccess; r != nil {
		p.registry(r)
	}
	return p
}

// Warnings are about options that are allowed and hardly ever meant.
func (c *Config) Warnings() []string {
	var words []string
	warn := func(name, endpoint string) {
		if u, err := url.Parse(endpoint); err == nil && u.Scheme == "http" && !loopback(u.Hostname()) {
			words = append(words, fmt.Sprintf("%s is %q: http sends what is read and written, and the session "+
				"token, unprotected over the network; use https", name, endpoint))
		}
	}
	warn("custom_endpoint_ec2", c.CustomEndpointEc2)
	if r := c.RegistryAccess; r != nil {
		warn("registry_access.endpoint", r.Endpoint)
		if r.ConditionalWrites == ConditionalOff {
			words = append(words, `registry_access.conditional_writes is "off": two builds that publish at the `+
				"same time can lose one of their records")
		}
	}
	return words
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}

type problems []error

func (p *problems) add(format string, args ...any) {
	*p = append(*p, fmt.Errorf(format, args...))
}

// known says whether there is a value to check.
func known(value string) bool { return value != "" && !strings.Contains(value, unknown) }

func (p *problems) region(name, value string) {
	if known(value) && !regionPattern.MatchString(value) {
		p.add("%s must be the name of a region such as eu-west-1, got %q", name, value)
	}
}

func (p *problems) endpoint(name, value string) {
	if !known(value) {
		return
	}
	u, err := url.Parse(value)
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "":
		p.add("%s must be a URL that begins with https:// or http://, got %q", name, redacted(value))
	case u.User != nil:
		p.add("%s must not hold a user or a password, got %q", name, u.Redacted())
	case u.RawQuery != "" || u.Fragment != "":
		// A query may hold a token.
		p.add("%s must not have a query or a fragment, got %q", name, redacted(value))
	}
}

// redacted drops what may be a user, a password or a token.
func redacted(value string) string {
	if i := strings.IndexAny(value, "?#"); i >= 0 {
		value = value[:i+1] + "…"
	}
	if i := strings.LastIndex(value, "@"); i >= 0 {
		return "…" + value[i:]
	}
	return value
}

func (p *problems) registry(r *RegistryAccess) {
	p.region("registry_access.region", r.Region)
	p.role("registry_access.assume_role", r.AssumeRole)
	p.endpoint("registry_access.endpoint", r.Endpoint)
	switch r.ConditionalWrites {
	case "", unknown, ConditionalAuto, ConditionalRequire, ConditionalOff:
	default:
		p.add("registry_access.conditional_writes must be one of auto, require or off, got %q", r.ConditionalWrites)
	}
	if known(r.ExpectedBucketOwner) && !accountPattern.MatchString(r.ExpectedBucketOwner) {
		p.add("registry_access.expected_bucket_owner must be an account id of 12 digits, got %q", r.ExpectedBucketOwner)
	}
}

func (p *problems) role(name string, r *AssumeRole) {
	if r == nil {
		return
	}
	if err := checkRoleARN(r.RoleARN); err != nil {
		p.add("%s.role_arn %w", name, err)
	}
	if s := r.DurationSeconds; s != 0 && (s < 900 || s > 43200) {
		p.add("%s.duration_seconds must be between 900 and 43200, got %d", name, s)
	}
	if id := r.ExternalID; known(id) && (len(id) < 2 || len(id) > 1224 || !externalIDPattern.MatchString(id)) {
		p.add("%s.external_id must have 2 to 1224 letters, digits or characters of _+=,.@:/-", name)
	}
	if s := r.SessionName; known(s) && (len(s) < 2 || len(s) > 64 || !sessionNamePattern.MatchString(s)) {
		p.add("%s.session_name must have 2 to 64 letters, digits or characters of _+=,.@-, got %q", name, r.SessionName)
	}
	if known(r.Policy) && !json.Valid([]byte(r.Policy)) {
		p.add("%s.policy must be JSON", name)
	}
	if n := len(r.PolicyARNs); n > 10 {
		p.add("%s.policy_arns must have at most 10 items, got %d", name, n)
	}
	for i, a := range r.PolicyARNs {
		if !arn.IsARN(a) && (known(a) || a == "") {
			p.add("%s.policy_arns[%d] must be the ARN of a policy, got %q", name, i, a)
		}
	}
	if n := len(r.Tags); n > 50 {
		p.add("%s.tags must have at most 50 tags, got %d", name, n)
	}
}

func checkRoleARN(value string) error {
	if value == "" {
		return errors.New("is required")
	}
	a, err := arn.Parse(value)
	if known(value) && (err != nil || a.Service != "iam" || !strings.HasPrefix(a.Resource, "role/")) {
		return fmt.Errorf("must be the ARN of a role such as arn:aws:iam::123456789012:role/images, got %q", value)
	}
	return nil
}
