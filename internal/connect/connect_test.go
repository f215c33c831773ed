// SPDX-License-Identifier: MPL-2.0

package connect

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/packer-chain/packer-plugin-chain/internal/awsaccess"
)

// isolate hides the user's AWS.
func isolate(t *testing.T) {
	t.Helper()
	for name, value := range map[string]string{
		"AWS_CA_BUNDLE": "", "AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_SESSION_TOKEN": "",
		"AWS_PROFILE": "", "AWS_REGION": "", "AWS_DEFAULT_REGION": "", "AWS_CONFIG_FILE": "/dev/null",
		"AWS_SHARED_CREDENTIALS_FILE": "/dev/null", "AWS_EC2_METADATA_DISABLED": "true", "AWS_ENDPOINT_URL": "",
		"AWS_WEB_IDENTITY_TOKEN_FILE": "", "AWS_ROLE_ARN": "",
		"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "", "AWS_CONTAINER_CREDENTIALS_FULL_URI": "",
	} {
		t.Setenv(name, value)
	}
}

func TestRegistry(t *testing.T) {
	isolate(t)
	dir := t.TempDir()
	keys := awsaccess.Config{AccessKey: "test", SecretKey: "test", Region: "eu-west-1"}
	for name, tt := range map[string]struct {
		in        string
		access    awsaccess.Config
		want, err string
	}{
		"folder":         {dir, awsaccess.Config{}, filepath.Join(dir, "app", "refs", "latest.json"), ""},
		"file URL":       {"file://" + filepath.ToSlash(dir), awsaccess.Config{}, filepath.Join(dir, "app", "refs", "latest.json"), ""},
		"bucket":         {"s3://acme-images/chain/", keys, "s3://acme-images/chain/app/refs/latest.json", ""},
		"no location":    {"", awsaccess.Config{}, "", "registry is required"},
		"no region":      {"s3://acme-images/chain", awsaccess.Config{AccessKey: "test", SecretKey: "test"}, "", "open registry s3://acme-images/chain: region is required"},
		"no credentials": {"s3://acme-images/chain", awsaccess.Config{Region: "eu-west-1"}, "", "open registry s3://acme-images/chain: get AWS credentials"},
		"unknown region": {"s3://acme-images/chain", awsaccess.Config{Region: "<unknown>"}, "", "open registry s3://acme-images/chain: region is not known"},
	} {
		t.Run(name, func(t *testing.T) {
			reg, err := Registry(t.Context(), tt.in, &tt.access)
			switch {
			case tt.err == "" && err != nil:
				t.Fatal(err)
			case tt.err != "" && (err == nil || !strings.HasPrefix(err.Error(), tt.err)):
				t.Errorf("got %v, want %s", err, tt.err)
			case tt.err == "" && reg.RefURI("app", "latest") != tt.want:
				t.Errorf("got %s, want %s", reg.RefURI("app", "latest"), tt.want)
			}
		})
	}
}

func TestImages(t *testing.T) {
	isolate(t)
	keys := awsaccess.Config{AccessKey: "test", SecretKey: "test", Region: "eu-west-1"}
	images, region, err := Images(t.Context(), &keys, nil)
	if err != nil || images == nil || region != "eu-west-1" {
		t.Errorf("got %v, %q, %v", images, region, err)
	}
	if _, _, err := Images(t.Context(), &awsaccess.Config{}, nil); err == nil || !strings.HasPrefix(err.Error(), "region is required") {
		t.Errorf("got %v", err)
	}
}
