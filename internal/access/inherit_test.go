// SPDX-License-Identifier: MPL-2.0

package access

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/packer-chain/packer-plugin-chain/internal/record"
)

// travel is what becomes of options on their way through a template: the record is JSON.
func travel(t *testing.T, c Config) record.Access {
	t.Helper()
	given, err := c.ForRecord()
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(given)
	if err != nil {
		t.Fatal(err)
	}
	var arrived record.Access
	if err := json.Unmarshal(text, &arrived); err != nil {
		t.Fatal(err)
	}
	return arrived
}

// TestConfig_ForRecord_secrets has each option of text set, by reflection: a new one that is secret
// has to be added here before it can travel.
func TestConfig_ForRecord_secrets(t *testing.T) {
	var c Config
	fill(reflect.ValueOf(&c).Elem(), "PLANTED")
	given := travel(t, c)
	want := []string{"access_key", "assume_role.external_id", "mfa_code",
		"registry_access.assume_role.external_id", "secret_key", "token"}
	if diff := cmp.Diff(want, given.Withheld); diff != "" {
		t.Errorf("withheld (-want +got):\n%s", diff)
	}
	role := map[string]any{"policy": "PLANTED", "policy_arns": []any{"PLANTED"}, "role_arn": "PLANTED",
		"session_name": "PLANTED", "tags": map[string]any{"k": "PLANTED"}, "transitive_tag_keys": []any{"PLANTED"}}
	all := map[string]any{
		"assume_role": role, "custom_endpoint_ec2": "PLANTED", "profile": "PLANTED", "region": "PLANTED",
		"shared_credentials_file": "PLANTED",
		"aws_polling":             map[string]any{},
		"vault_aws_engine": map[string]any{
			"engine_name": "PLANTED", "name": "PLANTED", "role_arn": "PLANTED", "ttl": "PLANTED"},
		"registry_access": map[string]any{
			"acl": "PLANTED", "assume_role": role, "conditional_writes": "PLANTED", "encryption": "PLANTED",
			"endpoint": "PLANTED", "expected_bucket_owner": "PLANTED", "kms_key_id": "PLANTED",
			"profile": "PLANTED", "region": "PLANTED"},
	}
	if diff := cmp.Diff(all, given.Options); diff != "" {
		t.Errorf("options (-want +got):\n%s", diff)
	}
	if given := travel(t, Config{}); !given.IsZero() {
		t.Errorf("nothing is set, and %+v travels", given)
	}
}

func TestConfig_Inherit(t *testing.T) {
	keys := Config{AccessKey: "KEY", SecretKey: "0123456789", Token: "t"}
	secretRole := &AssumeRole{RoleARN: roleARN, ExternalID: "acme"}
	bucket := &RegistryAccess{Endpoint: "https://s3.example.com", UsePathStyle: true}
	for _, tt := range []struct {
		name           string
		from, own      Config
		want           Config
		err, notInText string
	}{
		{name: "all of it", from: Config{Profile: "p", Region: "eu-west-1", MaxRetries: 3, SkipMetadataAPICheck: true,
			AssumeRole: &AssumeRole{RoleARN: roleARN, DurationSeconds: 900, Tags: map[string]string{"a": "1"},
				PolicyARNs: []string{"p"}}, RegistryAccess: bucket},
			want: Config{Profile: "p", Region: "eu-west-1", MaxRetries: 3, SkipMetadataAPICheck: true,
				AssumeRole: &AssumeRole{RoleARN: roleARN, DurationSeconds: 900, Tags: map[string]string{"a": "1"},
					PolicyARNs: []string{"p"}}, RegistryAccess: bucket}},
		{name: "nothing", own: Config{Region: "eu-west-1"}, want: Config{Region: "eu-west-1"}},
		{name: "its own region", from: Config{Region: "eu-west-1", Profile: "p"}, own: Config{Region: "us-east-1"},
			want: Config{Region: "us-east-1", Profile: "p"}},
		{name: "its own identity, whole", from: Config{Profile: "p", AssumeRole: role("a"), SharedCredentialsFile: "f",
			Region: "eu-west-1"}, own: keys, want: Config{AccessKey: "KEY", SecretKey: "0123456789", Token: "t", Region: "eu-west-1"}},
		{name: "its own role, without the profile", from: Config{Profile: "p"}, own: Config{AssumeRole: role("a")},
			want: Config{AssumeRole: role("a")}},
		{name: "a role without an ARN is none", from: Config{Profile: "p", AssumeRole: &AssumeRole{SessionName: "ci"}},
			own: Config{AssumeRole: &AssumeRole{}}, want: Config{Profile: "p"}},
		{name: "its own bucket, whole", from: Config{RegistryAccess: bucket},
			own:  Config{RegistryAccess: &RegistryAccess{Region: "us-west-2"}},
			want: Config{RegistryAccess: &RegistryAccess{Region: "us-west-2"}}},
		{name: "no keys", from: keys, own: Config{Region: "eu-west-1"},
			err: "missing: access_key, secret_key, token, set in the data source. Secrets are not " +
				"passed on in record\n\nSet the same here", notInText: "0123456789"},
		{name: "keys again", from: keys, own: keys, want: keys},
		{name: "another profile in place of keys", from: keys, own: Config{Profile: "p"}, want: Config{Profile: "p"}},
		{name: "no external id", from: Config{AssumeRole: secretRole},
			err:       "missing: assume_role.external_id (with the whole block assume_role), set in the data source",
			notInText: "acme"},
		{name: "the role again", from: Config{AssumeRole: secretRole}, own: Config{AssumeRole: secretRole},
			want: Config{AssumeRole: secretRole}},
		{name: "no external id for the bucket", from: Config{RegistryAccess: &RegistryAccess{AssumeRole: secretRole}}, own: keys,
			err: "missing: registry_access.assume_role.external_id (with the whole block registry_access), set", notInText: "acme"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for range 2 { // Packer prepares twice.
				err := tt.own.Inherit(travel(t, tt.from))
				switch {
				case tt.err != "" && (err == nil || !strings.HasPrefix(err.Error(), tt.err) ||
					strings.Contains(err.Error(), tt.notInText)):
					t.Errorf("got  %v\nwant %s", err, tt.err)
				case tt.err == "" && err != nil:
					t.Error(err)
				case tt.err == "" && !reflect.DeepEqual(tt.want, tt.own):
					t.Errorf("(-want +got):\n%s", cmp.Diff(tt.want, tt.own))
				}
			}
		})
	}
	err := (&Config{}).Inherit(record.Access{Options: map[string]any{"assume_role": "x"}})
	if err == nil || !strings.HasPrefix(err.Error(), "the AWS options in record: ") {
		t.Errorf("an option of another type: got %v", err)
	}
}
