// SPDX-License-Identifier: MPL-2.0

package awsaccess

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/middleware"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	ststypes "github.com/aws/aws-sdk-go-v2/service/sts/types"
	smithymw "github.com/aws/smithy-go/middleware"
)

const (
	// headerTimeout is how long a server may take for the head of its answer. The SDK sets no limit.
	headerTimeout = 30 * time.Second
	// maxRetries is that of the Amazon plugin. The SDK's own 2 are too few for busy accounts.
	maxRetries  = 10
	sessionName = "packer-plugin-chain"
)

// ErrNoRegion means that neither an option nor the environment names a region.
var ErrNoRegion = errors.New("region is required: set region, AWS_REGION or a profile with one")

// memo is what a Config has loaded, so that credentials are resolved once and then shared. Errors are
// not kept: the next call may find new credentials.
type memo struct {
	of *Config

	mu       sync.Mutex
	main     *aws.Config
	registry *aws.Config
}

var making sync.Mutex

// loads is the memo of this Config. A copy, whose options may be changed, gets one of its own.
func (c *Config) loads() *memo {
	making.Lock()
	defer making.Unlock()
	if c.memo == nil || c.memo.of != c {
		c.memo = &memo{of: c}
	}
	return c.memo
}

// AWS answers the configuration for EC2. It resolves the credentials, which may ask AWS, on the first
// call and answers the same configuration from then on; the SDK renews credentials that run out. The
// errors say what to do about a missing region and about missing or expired credentials.
func (c *Config) AWS(ctx context.Context) (aws.Config, error) {
	if err := refuseUnknown(c.mainStrings()); err != nil {
		return aws.Config{}, err
	}
	m := c.loads()
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.main == nil {
		cfg, err := c.load(ctx, source{region: c.Region, profile: c.Profile, keys: true, role: c.AssumeRole})
		if err != nil {
			return aws.Config{}, err
		}
		m.main = &cfg
	}
	return m.main.Copy(), nil
}

// RegistryAWS answers the configuration for the registry's bucket: [Config.AWS], with what the
// registry_access block sets in its place. The endpoint and the other options of S3 itself are not in
// it, see [Config.Registry].
func (c *Config) RegistryAWS(ctx context.Context) (aws.Config, error) {
	r := c.RegistryAccess
	if r == nil {
		return c.AWS(ctx)
	}
	if err := refuseUnknown(append(c.mainStrings(), r.strings()...)); err != nil {
		return aws.Config{}, err
	}
	m := c.loads()
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.registry == nil {
		cfg, err := c.load(ctx, c.registrySource())
		if err != nil {
			return aws.Config{}, fmt.Errorf("registry access: %w", err)
		}
		m.registry = &cfg
	}
	return m.registry.Copy(), nil
}

// source is where one configuration comes from.
type source struct {
	region string
	// fallback is the region where neither region, the environment nor the profile names one.
	fallback string
	profile  string
	// keys says whether the static keys count.
	keys bool
	role *AssumeRole
}

func (c *Config) registrySource() source {
	r := c.RegistryAccess
	if r.Profile != "" {
		return source{region: r.Region, fallback: c.Region, profile: r.Profile, role: r.AssumeRole}
	}
	s := source{region: cmp.Or(r.Region, c.Region), profile: c.Profile, keys: true, role: c.AssumeRole}
	if r.AssumeRole != nil {
		s.role = r.AssumeRole
	}
	return s
}

func (c *Config) load(ctx context.Context, s source) (aws.Config, error) {
	// Not a plain *http.Client: with one, the SDK fails where AWS_CA_BUNDLE is set.
	client := awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) {
		t.ResponseHeaderTimeout = headerTimeout
	})
	options := []func(*config.LoadOptions) error{
		config.WithHTTPClient(client),
		config.WithAPIOptions([]func(*smithymw.Stack) error{middleware.AddUserAgentKey("packer-plugin-chain")}),
	}
	if s.region != "" {
		options = append(options, config.WithRegion(s.region))
	}
	if s.profile != "" {
		options = append(options, config.WithSharedConfigProfile(s.profile))
	}
	if s.keys && c.AccessKey != "" {
		options = append(options, config.WithCredentialsProvider(
			credentials.NewStaticCredentialsProvider(c.AccessKey, c.SecretKey, c.Token)))
	}
	if c.MaxRetries > 0 {
		options = append(options, config.WithRetryMaxAttempts(c.MaxRetries+1))
	}
	cfg, err := config.LoadDefaultConfig(ctx, options...)
	if err != nil {
		return aws.Config{}, explain("load the AWS configuration", err)
	}
	if cfg.RetryMaxAttempts == 0 {
		cfg.RetryMaxAttempts = maxRetries + 1
	}
	cfg.Region = cmp.Or(cfg.Region, s.fallback)
	if cfg.Region == "" {
		return aws.Config{}, ErrNoRegion
	}
	return withRole(ctx, cfg, s.role)
}

// withRole assumes the role, if there is one, and makes sure that there are credentials.
func withRole(ctx context.Context, cfg aws.Config, role *AssumeRole) (aws.Config, error) {
	what := "get AWS credentials"
	if role != nil {
		what = "assume role " + role.RoleARN
		client := sts.NewFromConfig(cfg)
		cfg.Credentials = aws.NewCredentialsCache(stscreds.NewAssumeRoleProvider(client, role.RoleARN, role.apply))
	}
	if _, err := cfg.Credentials.Retrieve(ctx); err != nil {
		return aws.Config{}, explain(what, err)
	}
	return cfg, nil
}

func (r *AssumeRole) apply(o *stscreds.AssumeRoleOptions) {
	o.RoleSessionName = cmp.Or(r.SessionName, sessionName)
	o.Duration = time.Duration(r.DurationSeconds) * time.Second
	if r.ExternalID != "" {
		o.ExternalID = &r.ExternalID
	}
	if r.Policy != "" {
		o.Policy = &r.Policy
	}
	for _, a := range r.PolicyARNs {
		o.PolicyARNs = append(o.PolicyARNs, ststypes.PolicyDescriptorType{Arn: &a})
	}
	for _, key := range slices.Sorted(maps.Keys(r.Tags)) {
		o.Tags = append(o.Tags, ststypes.Tag{Key: aws.String(key), Value: aws.String(r.Tags[key])})
	}
	o.TransitiveTagKeys = r.TransitiveTagKeys
}

// option is a string option and its value.
type option struct{ name, value string }

func (c *Config) mainStrings() []option {
	return append([]option{
		{"access_key", c.AccessKey}, {"secret_key", c.SecretKey}, {"token", c.Token}, {"profile", c.Profile},
		{"region", c.Region}, {"custom_endpoint_ec2", c.CustomEndpointEc2},
	}, c.AssumeRole.strings("assume_role.")...)
}

func (r *RegistryAccess) strings() []option {
	return append([]option{
		{"registry_access.region", r.Region}, {"registry_access.profile", r.Profile},
		{"registry_access.endpoint", r.Endpoint}, {"registry_access.conditional_writes", r.ConditionalWrites},
		{"registry_access.kms_key_id", r.KMSKeyID},
		{"registry_access.expected_bucket_owner", r.ExpectedBucketOwner},
	}, r.AssumeRole.strings("registry_access.assume_role.")...)
}

func (r *AssumeRole) strings(prefix string) []option {
	if r == nil {
		return nil
	}
	all := []option{
		{prefix + "role_arn", r.RoleARN}, {prefix + "external_id", r.ExternalID},
		{prefix + "policy", r.Policy}, {prefix + "session_name", r.SessionName},
	}
	for i, v := range r.PolicyARNs {
		all = append(all, option{fmt.Sprintf("%spolicy_arns[%d]", prefix, i), v})
	}
	for i, v := range r.TransitiveTagKeys {
		all = append(all, option{fmt.Sprintf("%stransitive_tag_keys[%d]", prefix, i), v})
	}
	for _, key := range slices.Sorted(maps.Keys(r.Tags)) {
		all = append(all, option{fmt.Sprintf("%stags[%q]", prefix, key), key + r.Tags[key]})
	}
	return all
}

// refuseUnknown stops at values that Packer did not know. They pass [Config.Prepare], because there
// they may only be not known yet.
func refuseUnknown(options []option) error {
	for _, o := range options {
		if strings.Contains(o.value, unknown) {
			return fmt.Errorf("%s is not known: it refers to a value that is never set", o.name)
		}
	}
	return nil
}
