// SPDX-License-Identifier: MPL-2.0

package access

import (
	"strings"
	"testing"

	"github.com/packer-chain/packer-plugin-chain/internal/option"
)

// TestUnsupported_check has one row for each option of the Amazon plugin that is refused.
func TestUnsupported_check(t *testing.T) {
	for name, tt := range map[string]struct {
		in   Unsupported
		want string
	}{
		"mfa_code":                      {Unsupported{MFACode: "123456"}, "aws sts get-session-token"},
		"decode_authorization_messages": {Unsupported{DecodeAuthorizationMessages: true}, "aws sts decode-authorization-message"},
		"insecure_skip_tls_verify":      {Unsupported{InsecureSkipTLSVerify: true}, "set AWS_CA_BUNDLE"},
		"vault_aws_engine":              {Unsupported{VaultAWSEngine: &VaultAWSEngine{Name: "role"}}, "vault read aws/creds/ROLE"},
		"aws_polling":                   {Unsupported{AWSPolling: &AWSPolling{MaxAttempts: 9}}, "publish_timeout"},
	} {
		t.Run(name, func(t *testing.T) {
			errs := (&Config{Unsupported: tt.in}).Prepare()
			if len(errs) != 1 || !strings.HasPrefix(errs[0].Error(), name+" is not supported: ") ||
				!strings.Contains(errs[0].Error(), tt.want) || strings.Contains(errs[0].Error(), "123456") {
				t.Errorf("got %v, want that it is not supported, and %q", errs, tt.want)
			}
		})
	}
	off := Unsupported{VaultAWSEngine: &VaultAWSEngine{}, AWSPolling: &AWSPolling{}, MFACode: option.Unknown}
	if errs := (&Config{Unsupported: off}).Prepare(); len(errs) > 0 {
		t.Errorf("what is off is refused: %v", errs)
	}
}
