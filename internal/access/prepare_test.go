// SPDX-License-Identifier: MPL-2.0

package access

import (
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	packersdk "github.com/hashicorp/packer-plugin-sdk/packer"

	"github.com/packer-chain/packer-plugin-chain/internal/option"
)

const roleARN = "arn:aws:iam::123456789012:role/images"

func TestConfig_Prepare(t *testing.T) {
	tests := []struct {
		name string
		in   Config
		want []string
	}{
		{name: "nothing"},
		{name: "all at their best", in: Config{
			AccessKey: "AKIDEXAMPLE", SecretKey: "0123456789", Token: "9876543210", Region: "us-gov-west-1", MaxRetries: 3,
			CustomEndpointEc2: "https://ec2.example.com:8443/x",
			AssumeRole: &AssumeRole{RoleARN: "arn:aws-cn:iam::123456789012:role/a/b", DurationSeconds: 43200,
				ExternalID: "acme:1", Policy: `{"Version":"2012-10-17"}`, SessionName: "packer@ci",
				PolicyARNs: []string{"arn:aws:iam::aws:policy/ReadOnlyAccess"}},
			RegistryAccess: &RegistryAccess{Region: "eu-west-1", Profile: "p", Endpoint: "http://localhost:9000",
				ConditionalWrites: "require", ExpectedBucketOwner: "123456789012",
				AssumeRole: &AssumeRole{RoleARN: roleARN, DurationSeconds: 900}},
		}},
		{name: "keys", in: Config{AccessKey: "AKIDEXAMPLE"}, want: []string{"secret_key is required with access_key"}},
		{name: "secret only", in: Config{SecretKey: "0123456789"},
			want: []string{"access_key is required with secret_key"}},
		{name: "token only", in: Config{Token: "9876543210"},
			want: []string{"access_key and secret_key are required with token"}},
		{name: "keys and profile", in: Config{AccessKey: "AKIDEXAMPLE", SecretKey: "0123456789", Profile: "p"},
			want: []string{"only one of access_key, profile may be set, got access_key and profile"}},
		{name: "plain values", in: Config{Region: "EU West", MaxRetries: -1, CustomEndpointEc2: "ec2.example.com"},
			want: []string{`region must be the name of a region such as eu-west-1, got "EU West"`,
				`custom_endpoint_ec2 must be a URL that begins with https:// or http://, got "ec2.example.com"`,
				"max_retries must not be negative, got -1"}},
		{name: "password in a URL", in: Config{CustomEndpointEc2: "https://me:hunter2@ec2.example.com"},
			want: []string{`custom_endpoint_ec2 must not hold a user or a password, ` +
				`got "https://me:xxxxx@ec2.example.com"`}},
		{name: "password in no URL", in: Config{CustomEndpointEc2: "me:hunter2@ec2.example.com"},
			want: []string{`custom_endpoint_ec2 must be a URL that begins with https:// or http://, ` +
				`got "…@ec2.example.com"`}},
		{name: "query in a URL", in: Config{CustomEndpointEc2: "https://ec2.example.com/?a=b"},
			want: []string{`custom_endpoint_ec2 must not have a query or a fragment, got "https://ec2.example.com/?…"`}},
		{name: "empty roles", in: Config{AssumeRole: &AssumeRole{SessionName: "x"},
			RegistryAccess: &RegistryAccess{AssumeRole: &AssumeRole{}}}},
		{name: "a region of another cloud", in: Config{Region: "RegionOne", SkipRegionValidation: true}},
		{name: "role", in: Config{AssumeRole: &AssumeRole{RoleARN: "arn:aws:iam::123456789012:user/me",
			DurationSeconds: 899, ExternalID: "a b", Policy: "{", SessionName: "x",
			PolicyARNs: []string{"ReadOnlyAccess", ""}}},
			want: []string{
				`assume_role.role_arn must be the ARN of a role such as arn:aws:iam::123456789012:role/images, ` +
					`got "arn:aws:iam::123456789012:user/me"`,
				"assume_role.duration_seconds must be between 900 and 43200, got 899",
				"assume_role.external_id must have 2 to 1224 letters, digits or characters of _+=,.@:/-",
				`assume_role.session_name must have 2 to 64 letters, digits or characters of _+=,.@-, got "x"`,
				"assume_role.policy must be JSON",
				`assume_role.policy_arns[0] must be the ARN of a policy, got "ReadOnlyAccess"`,
				`assume_role.policy_arns[1] must be the ARN of a policy, got ""`,
			}},
		{name: "registry", in: Config{RegistryAccess: &RegistryAccess{Region: "x y", Endpoint: "s3://bucket",
			ConditionalWrites: "on", ExpectedBucketOwner: "acme", AssumeRole: &AssumeRole{RoleARN: "images"}}},
			want: []string{
				`registry_access.region must be the name of a region such as eu-west-1, got "x y"`,
				`registry_access.assume_role.role_arn must be the ARN of a role such as ` +
					`arn:aws:iam::123456789012:role/images, got "images"`,
				`registry_access.endpoint must be a URL that begins with https:// or http://, got "s3://bucket"`,
				`registry_access.conditional_writes must be one of auto, require, off, got "on"`,
				`registry_access.expected_bucket_owner must be an account id of 12 digits, got "acme"`,
			}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for range 2 { // Packer prepares twice.
				var got []string
				for _, err := range tt.in.Prepare() {
					got = append(got, err.Error())
				}
				if diff := cmp.Diff(tt.want, got); diff != "" {
					t.Error(diff)
				}
			}
		})
	}
}

// fill sets every string of a struct, and of the structs and lists in it.
func fill(v reflect.Value, value string) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(value)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), value)
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				fill(v.Field(i), value)
			}
		}
	case reflect.Slice:
		v.Set(reflect.ValueOf([]string{value}))
	case reflect.Map:
		v.Set(reflect.ValueOf(map[string]string{"k": value}))
	}
}

func TestConfig_Prepare_unknown(t *testing.T) {
	var c Config
	fill(reflect.ValueOf(&c).Elem(), option.Unknown)
	c.Profile, c.VaultAWSEngine = "", nil
	if errs := c.Prepare(); len(errs) > 0 {
		t.Errorf("unknown values are refused: %v", errs)
	}
	part := Config{Region: "eu-<unknown>", AssumeRole: &AssumeRole{RoleARN: "arn:aws:iam::<unknown>:role/x"}}
	if errs := part.Prepare(); len(errs) > 0 {
		t.Errorf("values that are unknown in part are refused: %v", errs)
	}
}

func TestConfig_unknownAtUse(t *testing.T) {
	// Every string option, found by reflection, so that a new one cannot be forgotten.
	for _, all := range []struct {
		prefix string
		of     func(*Config) any
	}{
		{"", func(c *Config) any { return c }},
		{"assume_role.", func(c *Config) any { c.AssumeRole = &AssumeRole{}; return c.AssumeRole }},
		{"registry_access.", func(c *Config) any { c.RegistryAccess = &RegistryAccess{}; return c.RegistryAccess }},
		{"registry_access.assume_role.", func(c *Config) any {
			c.RegistryAccess = &RegistryAccess{AssumeRole: &AssumeRole{}}
			return c.RegistryAccess.AssumeRole
		}},
	} {
		typ := reflect.TypeOf(all.of(&Config{})).Elem()
		for i := range typ.NumField() {
			field := typ.Field(i)
			if kind := field.Type.Kind(); kind != reflect.String && kind != reflect.Slice && kind != reflect.Map {
				continue
			}
			name := all.prefix + field.Tag.Get("mapstructure")
			t.Run(name, func(t *testing.T) {
				var c Config
				fill(reflect.ValueOf(all.of(&c)).Elem().Field(i), option.Unknown)
				_, bucket := c.sessions(t.Context())
				_, err := bucket()
				want := name + ` is "<unknown>": it refers to a value that is never set`
				if err == nil || !strings.HasSuffix(err.Error(), want) {
					t.Errorf("got %v, want %s", err, want)
				}
			})
		}
	}
}

func TestConfig_Prepare_hidesSecrets(t *testing.T) {
	c := Config{AccessKey: "AKIDHIDEME", SecretKey: "hide-this-key", Token: "hide-this-token",
		AssumeRole:     &AssumeRole{RoleARN: roleARN, ExternalID: "hide-this-id"},
		RegistryAccess: &RegistryAccess{AssumeRole: &AssumeRole{RoleARN: roleARN, ExternalID: "hide-that-id"}}}
	c.Prepare()
	got := packersdk.LogSecretFilter.FilterString(
		"AKIDHIDEME hide-this-key hide-this-token hide-this-id hide-that-id <unknown>")
	if want := strings.Repeat("<sensitive> ", 5) + "<unknown>"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	(&Config{AccessKey: option.Unknown, SecretKey: option.Unknown}).Prepare()
	if got := packersdk.LogSecretFilter.FilterString(option.Unknown); got != option.Unknown {
		t.Errorf("the log hides what is no secret: %q", got)
	}
}

func TestConfig_Warnings(t *testing.T) {
	c := Config{CustomEndpointEc2: "http://localhost:5000",
		RegistryAccess: &RegistryAccess{Endpoint: "http://[::1]:9000"}}
	if got := c.Warnings(); len(got) > 0 {
		t.Errorf("loopback: got %q", got)
	}
	c = Config{CustomEndpointEc2: "http://ec2.example.com",
		RegistryAccess: &RegistryAccess{Endpoint: "http://10.0.0.1", ConditionalWrites: "off"}}
	got := c.Warnings()
	if len(got) != 3 || !strings.HasPrefix(got[0], `custom_endpoint_ec2 is "http://ec2.example.com": http sends`) ||
		!strings.HasPrefix(got[1], `registry_access.endpoint is "http://10.0.0.1"`) ||
		!strings.HasPrefix(got[2], `registry_access.conditional_writes is "off"`) {
		t.Errorf("got %q, want three warnings", got)
	}
}

func TestConfig_registryAccess(t *testing.T) {
	if got := (&Config{}).registryAccess().ConditionalWrites; got != "auto" {
		t.Errorf("without a block: got %q, want auto", got)
	}
	c := Config{RegistryAccess: &RegistryAccess{ConditionalWrites: "off", UsePathStyle: true}}
	if got := c.registryAccess(); got.ConditionalWrites != "off" || !got.UsePathStyle {
		t.Errorf("got %+v, want what the block says", got)
	}
}
