// SPDX-License-Identifier: MPL-2.0

//go:generate packer-sdc struct-markdown
//go:generate packer-sdc mapstructure-to-hcl2 -type Config,AssumeRole,RegistryAccess,VaultAWSEngine,AWSPolling

// Package access holds the options for access to AWS, and opens what they name: the images of the
// account and the registry. It sends no request to AWS before that is needed.
package access

import "github.com/packer-chain/packer-plugin-chain/internal/store/s3store"

// These options say how the plugin reaches AWS. They have the names and the meaning of those of the
// Amazon plugin, so that both can be given the same values. All of them are optional: what is not
// set here comes from where every AWS tool looks, such as `AWS_PROFILE`, `AWS_REGION` and the other
// environment variables, the shared configuration files, web identity, SSO, and the role of the
// instance or container.
//
// Set them once, in the data source: they travel in its `record`, and the post-processor uses them
// unless it has its own. Of `access_key`, `profile`, `shared_credentials_file` and `assume_role`,
// it takes either all from the record or, if it sets one of them, none. Keys, tokens and an
// `external_id` never travel. If the data source is given one of them, the post-processor needs it
// too, and says so before anything is built; in the environment they need not be repeated.
type Config struct {
	// The access key of static credentials. Goes together with `secret_key`, and excludes `profile`.
	// Prefer a profile or the environment: these hold for every tool, and for the Amazon plugin too.
	AccessKey string `mapstructure:"access_key"`
	// The secret key that belongs to `access_key`. The plugin prints and stores it nowhere.
	SecretKey string `mapstructure:"secret_key"`
	// The session token of temporary credentials. Only together with `access_key`.
	Token string `mapstructure:"token"`
	// The profile of the shared configuration and credentials files to use. Default: `AWS_PROFILE`,
	// else the profile `default`.
	Profile string `mapstructure:"profile"`
	// A file of credentials to use in place of the shared files, `~/.aws/credentials` and
	// `~/.aws/config`.
	SharedCredentialsFile string `mapstructure:"shared_credentials_file"`
	// The region, such as `eu-west-1`. Default: `AWS_REGION`, else that of the profile, else that of
	// the instance.
	Region string `mapstructure:"region"`
	// Accept a `region` of any form, for clouds that are compatible with AWS. Default: `false`.
	SkipRegionValidation bool `mapstructure:"skip_region_validation"`
	// Do not ask the metadata service of the instance for the region or for credentials. Default:
	// `false`.
	SkipMetadataAPICheck bool `mapstructure:"skip_metadata_api_check"`
	// Has no effect: the plugin never checks credentials before it uses them.
	SkipCredentialValidation bool `mapstructure:"skip_credential_validation"`
	// The URL of a service that is compatible with EC2, such as `https://ec2.example.com`. Default:
	// `AWS_ENDPOINT_URL_EC2` or `AWS_ENDPOINT_URL`, else that of AWS.
	CustomEndpointEc2 string `mapstructure:"custom_endpoint_ec2"`
	// How often a request is repeated when AWS throttles it or does not respond properly. The delay
	// grows from one to the next. Default: `AWS_MAX_ATTEMPTS` less one, else 10. What has to be
	// published is tried again until its own time limit, however often that is.
	MaxRetries int `mapstructure:"max_retries"`
	// A role to assume with the credentials above. See [Assume role](#assume-role).
	AssumeRole  *AssumeRole `mapstructure:"assume_role"`
	Unsupported `mapstructure:",squash"`
	// How to reach the registry's bucket if that needs other options than the images. See
	// [Registry access](#registry-access).
	RegistryAccess *RegistryAccess `mapstructure:"registry_access"`
}

// The `assume_role` block names a role to work as, such as
// `assume_role { role_arn = "arn:aws:iam::123456789012:role/images" }`.
type AssumeRole struct {
	// The ARN of the role. Empty: no role, as without the block.
	RoleARN string `mapstructure:"role_arn"`
	// How long the credentials of the role are valid, in seconds, from 900 to 43200. They are renewed
	// when they run out, so a long build needs no longer duration. Default: 900.
	DurationSeconds int `mapstructure:"duration_seconds"`
	// The external id that the role demands, if it does.
	ExternalID string `mapstructure:"external_id"`
	// A policy, as JSON, that restricts what the session may do further.
	Policy string `mapstructure:"policy"`
	// The ARNs of managed policies, at most 10, that restrict what the session may do further.
	PolicyARNs []string `mapstructure:"policy_arns"`
	// The name of the session, as it is seen in CloudTrail. Default: `packer-plugin-chain`.
	SessionName string `mapstructure:"session_name"`
	// The tags of the session, at most 50.
	Tags map[string]string `mapstructure:"tags"`
	// The keys of tags that stay on when the role assumes a further role.
	TransitiveTagKeys []string `mapstructure:"transitive_tag_keys"`
}

// The `registry_access` block says what is different for the registry's bucket: another region or
// account, or a store that is not from AWS. What is not set here is taken from the options outside.
// With `profile` set, neither the keys nor the `assume_role` outside are used; with `assume_role`
// set, it takes the place of the one outside, and is assumed with the same credentials. The
// post-processor takes the block of the data source as a whole, unless it has its own.
type RegistryAccess struct {
	// The region of the bucket. Default: that of the profile in this block, else the `region` outside.
	Region string `mapstructure:"region"`
	// The profile to use for the bucket.
	Profile string `mapstructure:"profile"`
	// A role to assume for the bucket. See [Assume role](#assume-role).
	AssumeRole *AssumeRole `mapstructure:"assume_role"`
	// The URL of a store that is compatible with S3, such as `https://s3.example.com`. Default:
	// `AWS_ENDPOINT_URL_S3` or `AWS_ENDPOINT_URL`, else that of AWS.
	Endpoint string `mapstructure:"endpoint"`
	// Put the name of the bucket in the path and not in the name of the host. Most stores that are not
	// from AWS need it. Default: `false`.
	UsePathStyle bool `mapstructure:"use_path_style"`
	// Whether builds that publish at the same time are kept apart by conditional writes. `auto` uses
	// them, and tests a store that is not from AWS before the first write, because some ignore the
	// condition without a word, and some keep it only while nobody else writes; `require` tests AWS
	// too; `off` does without them, and is only safe when a single build publishes at a time. Default:
	// `auto`.
	ConditionalWrites string `mapstructure:"conditional_writes"`
	// How the store shall encrypt what is written: `AES256`, `aws:kms` or `aws:kms:dsse`. Some bucket
	// policies demand that a request says so. Default: `aws:kms` with `kms_key_id`, else what the
	// bucket says.
	Encryption string `mapstructure:"encryption"`
	// The id or ARN of the KMS key that encrypts what is written. Default: what the bucket says.
	KMSKeyID string `mapstructure:"kms_key_id"`
	// The canned ACL of what is written, such as `bucket-owner-full-control`, which some bucket
	// policies demand. Default: none is sent.
	ACL string `mapstructure:"acl"`
	// The 12-digit id of the account that the bucket must belong to. Requests to a bucket of anyone
	// else are refused by S3. Default: not checked.
	ExpectedBucketOwner string `mapstructure:"expected_bucket_owner"`
}

// registryAccess returns the registry_access block, or an empty one, with its defaults.
func (c *Config) registryAccess() RegistryAccess {
	var r RegistryAccess
	if c.RegistryAccess != nil {
		r = *c.RegistryAccess
	}
	if r.ConditionalWrites == "" {
		r.ConditionalWrites = s3store.Auto
	}
	return r
}
