// SPDX-License-Identifier: MPL-2.0

//go:generate packer-sdc struct-markdown

package access

import "github.com/packer-chain/packer-plugin-chain/internal/option"

// The Unsupported options of the Amazon plugin are known and refused, with an error that says what
// to do instead. Values that leave them off, such as `false` or an empty block, are accepted.
type Unsupported struct {
	// Each component would need another code. Get the credentials of a session with the code, and set
	// them in the environment.
	MFACode string `mapstructure:"mfa_code"`
	// Give such a message to `aws sts decode-authorization-message`.
	DecodeAuthorizationMessages bool `mapstructure:"decode_authorization_messages"`
	// Whoever can pretend to be the endpoint could say which image is yours. Set `AWS_CA_BUNDLE` to
	// the certificate of the endpoint, for both plugins.
	InsecureSkipTLSVerify bool `mapstructure:"insecure_skip_tls_verify"`
	// Get the keys from Vault before Packer runs, and set them in the environment.
	VaultAWSEngine *VaultAWSEngine `mapstructure:"vault_aws_engine"`
	// It belongs to builders. The post-processor has `publish_timeout`.
	AWSPolling *AWSPolling `mapstructure:"aws_polling"`
}

// VaultAWSEngine is the block vault_aws_engine of the Amazon plugin.
type VaultAWSEngine struct {
	// The name of the role in Vault.
	Name string `mapstructure:"name"`
	// The ARN of the role.
	RoleARN string `mapstructure:"role_arn"`
	// How long the token is valid.
	TTL string `mapstructure:"ttl"`
	// The name of the secrets engine.
	EngineName string `mapstructure:"engine_name"`
}

// AWSPolling is the block aws_polling of the Amazon plugin.
type AWSPolling struct {
	// How long to wait between two requests, in seconds.
	DelaySeconds int `mapstructure:"delay_seconds"`
	// How many requests to send.
	MaxAttempts int `mapstructure:"max_attempts"`
}

// check refuses the options that are set.
func (u *Unsupported) checkUnsupported(check *option.Checker) {
	refuse := func(set bool, name, remedy string) {
		if set {
			check.Addf("%s is not supported: %s", name, remedy)
		}
	}
	refuse(u.MFACode != "" && !option.IsUnknown(u.MFACode), "mfa_code",
		"a code is valid once, and each component needs its own credentials. Get those of a session "+
			"with it (aws sts get-session-token or assume-role), and set AWS_ACCESS_KEY_ID, "+
			"AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN")
	refuse(u.DecodeAuthorizationMessages, "decode_authorization_messages",
		"give the message in the error to aws sts decode-authorization-message")
	refuse(u.InsecureSkipTLSVerify, "insecure_skip_tls_verify",
		"set AWS_CA_BUNDLE to the certificate of the endpoint, which the Amazon plugin uses too")
	refuse(u.VaultAWSEngine != nil && *u.VaultAWSEngine != VaultAWSEngine{}, "vault_aws_engine",
		"get the keys from Vault before Packer runs (vault read aws/creds/ROLE), and set "+
			"AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN")
	refuse(u.AWSPolling != nil && *u.AWSPolling != AWSPolling{}, "aws_polling",
		"it belongs to builders. Set publish_timeout of the post-processor, or max_retries")
}
