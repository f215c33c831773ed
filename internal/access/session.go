// SPDX-License-Identifier: MPL-2.0

package access

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/middleware"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/feature/ec2/imds"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	ststypes "github.com/aws/aws-sdk-go-v2/service/sts/types"
	smithymw "github.com/aws/smithy-go/middleware"

	"github.com/packer-chain/packer-plugin-chain/internal/awserror"
	"github.com/packer-chain/packer-plugin-chain/internal/option"
)

const (
	// headerTimeout limits the wait for the headers of a response. The SDK sets no limit.
	headerTimeout = 30 * time.Second
	// metadataTimeout limits the question to the instance, where there may be none.
	metadataTimeout = 5 * time.Second
	// maxRetries is that of the Amazon plugin. The SDK's own 2 are too few for busy accounts.
	maxRetries  = 10
	sessionName = "packer-plugin-chain"
)

// ErrNoRegion means that neither an option nor the environment names a region.
var ErrNoRegion = errors.New("region is required: set region, AWS_REGION or a profile with one")

// sessions returns the configuration of the AWS SDK for EC2, and the one for the registry's bucket,
// in which the registry_access block replaces what it sets. Neither does any I/O until it is
// called. Then it resolves the credentials once, and the SDK renews them. The errors explain what
// to do about a missing region, and about missing or expired credentials.
func (c *Config) sessions(ctx context.Context) (main, bucket func() (aws.Config, error)) {
	main = sync.OnceValues(func() (aws.Config, error) { return c.load(ctx, c.mainSource()) })
	bucket = sync.OnceValues(func() (aws.Config, error) { return c.bucketSession(ctx, main) })
	return main, bucket
}

func (c *Config) bucketSession(
	ctx context.Context, main func() (aws.Config, error),
) (aws.Config, error) {
	if c.RegistryAccess == nil {
		return main()
	}
	from := c.bucketSource()
	if from.identity == c.mainSource().identity {
		cfg, err := main()
		if err == nil || !errors.Is(err, ErrNoRegion) || from.region == "" {
			cfg.Region = cmp.Or(from.region, cfg.Region)
			return cfg, err
		}
	}
	cfg, err := c.load(ctx, from)
	if err != nil {
		return aws.Config{}, fmt.Errorf("registry_access: %w", err)
	}
	return cfg, nil
}

// identity is whose credentials a session has.
type identity struct {
	profile string
	// keys is true if the static keys of the options are used.
	keys bool
	role *AssumeRole
}

// source is what a session is made from.
type source struct {
	identity
	region string
	// profileRegion is true if the region of the profile counts before that of the environment.
	// Fallback comes between the two.
	profileRegion bool
	fallback      string
}

func (c *Config) mainSource() source {
	return source{
		identity: identity{profile: c.Profile, keys: true, role: c.AssumeRole}, region: c.Region,
	}
}

func (c *Config) bucketSource() source {
	s, r := c.mainSource(), c.RegistryAccess
	if r.Profile != "" {
		return source{
			identity: identity{profile: r.Profile, role: r.AssumeRole}, region: r.Region,
			profileRegion: true, fallback: c.Region,
		}
	}
	s.region = cmp.Or(r.Region, c.Region)
	s.role = cmp.Or(r.AssumeRole, c.AssumeRole)
	return s
}

// load returns the configuration of a session, with its credentials.
func (c *Config) load(ctx context.Context, s source) (aws.Config, error) {
	cfg, err := c.configure(ctx, s)
	if err != nil {
		return aws.Config{}, err
	}
	if cfg.Region == "" && !c.SkipMetadataAPICheck {
		cfg.Region = regionOfInstance(ctx, cfg)
	}
	if cfg.Region == "" {
		return aws.Config{}, ErrNoRegion
	}
	cfg.HTTPClient = boundRedirects(cfg.HTTPClient)
	return withRole(ctx, cfg, s.role)
}

// configure returns what the options, the environment and the shared files say, without a request.
func (c *Config) configure(ctx context.Context, s source) (aws.Config, error) {
	if err := option.Known(c); err != nil {
		return aws.Config{}, err
	}
	options, err := c.loadOptions(s)
	if err != nil {
		return aws.Config{}, err
	}
	cfg, err := config.LoadDefaultConfig(ctx, options...)
	if err != nil {
		return aws.Config{}, explain("load the AWS configuration", err)
	}
	if s.profileRegion && s.region == "" {
		cfg.Region = cmp.Or(regionOfProfile(cfg), s.fallback, cfg.Region)
	}
	if cfg.RetryMaxAttempts == 0 {
		cfg.RetryMaxAttempts = maxRetries + 1
	}
	return cfg, nil
}

func (c *Config) loadOptions(s source) ([]func(*config.LoadOptions) error, error) {
	// Not a plain *http.Client: with one, the SDK fails if AWS_CA_BUNDLE is set.
	client := awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) {
		t.ResponseHeaderTimeout = headerTimeout
	})
	options := []func(*config.LoadOptions) error{
		config.WithHTTPClient(client),
		config.WithAPIOptions([]func(*smithymw.Stack) error{
			middleware.AddUserAgentKey("packer-plugin-chain"),
		}),
	}
	if s.region != "" {
		options = append(options, config.WithRegion(s.region))
	}
	if s.profile != "" {
		options = append(options, config.WithSharedConfigProfile(s.profile))
	}
	if file := c.SharedCredentialsFile; file != "" {
		// The SDK ignores a file that does not exist.
		if _, err := os.Stat(file); err != nil {
			return nil, fmt.Errorf("read shared_credentials_file: %w", err)
		}
		options = append(options, config.WithSharedCredentialsFiles([]string{file}),
			config.WithSharedConfigFiles([]string{file}))
	}
	if s.keys && c.AccessKey != "" {
		options = append(options, config.WithCredentialsProvider(
			credentials.NewStaticCredentialsProvider(c.AccessKey, c.SecretKey, c.Token)))
	}
	if c.SkipMetadataAPICheck {
		options = append(options, config.WithEC2IMDSClientEnableState(imds.ClientDisabled))
	}
	if c.MaxRetries > 0 {
		options = append(options, config.WithRetryMaxAttempts(c.MaxRetries+1))
	}
	return options, nil
}

// regionOfInstance returns the region of the instance that this runs on, or "".
func regionOfInstance(ctx context.Context, cfg aws.Config) string {
	ctx, cancel := context.WithTimeout(ctx, metadataTimeout)
	defer cancel()
	out, err := imds.NewFromConfig(cfg).GetRegion(ctx, &imds.GetRegionInput{})
	if err != nil {
		return ""
	}
	return out.Region
}

// regionOfProfile returns the region that the profile of a configuration names, or "".
func regionOfProfile(cfg aws.Config) string {
	for _, from := range cfg.ConfigSources {
		if shared, ok := from.(config.SharedConfig); ok {
			return shared.Region
		}
	}
	return ""
}

// boundRedirects returns a client that follows one redirect. That of the SDK follows any number of
// 307 and 308, even if they lead to each other.
func boundRedirects(client aws.HTTPClient) aws.HTTPClient {
	buildable, ok := client.(*awshttp.BuildableClient)
	if !ok {
		return client
	}
	return &http.Client{
		Transport: buildable.GetTransport(), Timeout: buildable.GetTimeout(),
		CheckRedirect: func(to *http.Request, via []*http.Request) error {
			status := to.Response.StatusCode
			temporary := status == http.StatusTemporaryRedirect
			if len(via) > 1 || !temporary && status != http.StatusPermanentRedirect {
				return http.ErrUseLastResponse
			}
			return nil
		},
	}
}

// withRole assumes the role, if there is one, and resolves the credentials.
func withRole(ctx context.Context, cfg aws.Config, role *AssumeRole) (aws.Config, error) {
	what := "get AWS credentials"
	if role != nil {
		what = "assume role " + role.RoleARN
		cfg.Credentials = aws.NewCredentialsCache(
			stscreds.NewAssumeRoleProvider(sts.NewFromConfig(cfg), role.RoleARN, role.apply))
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

// explain prefixes err with what was tried, and adds what the user can do about it.
func explain(what string, err error) error {
	advice := awserror.Request{Kind: awserror.Credentials}.Advice(err)
	return fmt.Errorf("%s: %w\n\n%s", what, err, advice)
}
