// SPDX-License-Identifier: MPL-2.0

package parent

import (
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/packer-chain/packer-plugin-chain/internal/option"
	"github.com/packer-chain/packer-plugin-chain/internal/option/optiontest"
	"github.com/packer-chain/packer-plugin-chain/internal/registry"
)

const (
	sha1 = "4f1c9e2a4f1c9e2a4f1c9e2a4f1c9e2a4f1c9e2a"
	sha2 = "98aa01bb98aa01bb98aa01bb98aa01bb98aa01bb"
)

var (
	print1 = strings.Repeat("1", 64)
	print2 = strings.Repeat("2", 64)
)

// offline leaves a look-up nothing to ask: no AWS, no registry, no git, no files of the user.
func offline(t *testing.T) {
	t.Helper()
	optiontest.Offline(t)
	t.Setenv("PATH", "")
	t.Setenv(registry.Variable, "")
}

// TestConfigure_environment has the registry in the environment, for templates that name none.
func TestConfigure_environment(t *testing.T) {
	offline(t)
	t.Setenv(registry.Variable, "s3://acme-images/chain")
	for options, want := range map[string]string{"": "s3://acme-images/chain", `registry = "s3://acme-other/chain"`: "s3://acme-other/chain"} {
		var d Datasource
		if errs := configure(t, &d, "image = \"base\"\n"+options); errs != nil || d.config.Registry != want {
			t.Errorf("%q: got registry %q, %q", options, d.config.Registry, errs)
		}
	}
	t.Setenv(registry.Variable, "https://example.com/x")
	var d Datasource
	want := []string{`registry must be s3://bucket/prefix, file:///folder or a path, got "https://example.com/x"`}
	if diff := cmp.Diff(want, configure(t, &d, `image = "base"`)); diff != "" {
		t.Error(diff)
	}
}

// configure returns the errors of Configure, one text for each.
func configure(t *testing.T, d *Datasource, body string) []string {
	t.Helper()
	return optiontest.Texts(d.Configure(optiontest.Decode(t, &Datasource{}, body)))
}

func TestConfigure_errors(t *testing.T) {
	offline(t)
	const ok = "image = \"base\"\nregistry = \"s3://acme-images/chain\"\n"
	tests := map[string]struct {
		in   string
		want []string
	}{
		"nothing":             {"", []string{"image is required", "registry is required, unless local_manifest, path, git_sha or fingerprint is set"}},
		"good":                {ok, nil},
		"image":               {"image = \"a/../b\"\nregistry = \"./r\"", []string{`image must be lower-case letters, digits, ".", "_" and "-", and start with a letter or digit, got "a/../b"`}},
		"image with two dots": {"image = \"a..b\"\nregistry = \"./r\"", []string{`image must not contain "..", got "a..b"`}},
		"registry":            {"image = \"base\"\nregistry = \"https://example.com/x\"", []string{`registry must be s3://bucket/prefix, file:///folder or a path, got "https://example.com/x"`}},
		"two selectors":       {ok + "channel = \"production\"\nfingerprint = \"" + print1 + "\"", []string{"only one of channel, fingerprint may be set, got channel and fingerprint"}},
		"channel as before":   {ok + "channel = \"git-x\"", nil},
		"channel and path":    {ok + "channel = \"production\"\npath = \".\"", nil},
		"path too":            {ok + "path = \".\"\nfingerprint = \"" + print1 + "\"", []string{"only one of fingerprint, git_sha, path may be set, got fingerprint and path"}},
		"previous":            {ok + "channel = \"production\"\nprevious = 2", nil},
		"previous below 0":    {ok + "channel = \"production\"\nprevious = -1", []string{"previous must be 0 or more, and needs channel without path and git_sha"}},
		"ami":                 {ok + "fingerprint = \"" + print1 + "\"\nami = \"ami-0a1b2c3d4e5f60718\"", nil},
		"ami alone":           {ok + "ami = \"ami-0a1b2c3d4e5f60718\"", []string{"ami needs fingerprint"}},
		"previous of nothing": {ok + "previous = 1", []string{"previous must be 0 or more, and needs channel without path and git_sha"}},
		"previous and path":   {ok + "channel = \"production\"\npath = \".\"\nprevious = 1", []string{"previous must be 0 or more, and needs channel without path and git_sha"}},
		"git_sha":             {ok + "git_sha = \"4f1c9e2\"", []string{`git_sha must be a whole git object id, 40 or 64 lower-case hex digits, got "4f1c9e2"`}},
		"fingerprint":         {ok + "fingerprint = \"x\"", []string{`fingerprint must be 64 lower-case hex digits, got "x"`}},
		"fallback_ami":        {ok + "fallback_ami = \"ubuntu\"", []string{`fallback_ami must be the id of an AMI, such as ami-0a1b2c3d4e5f60718, got "ubuntu"`}},
		"fallback and empty":  {ok + "fallback_ami = \"ami-0a1b2c3d4e5f60718\"\non_missing = \"empty\"", []string{`only one of fallback_ami and on_missing = "empty" may be set`}},
		"on_missing":          {ok + "on_missing = \"skip\"", []string{`on_missing must be one of error, empty, got "skip"`}},
		"git_sha_tag":         {ok + "git_sha_tag = \"aws:sha\"", []string{`git_sha_tag must be the key of a tag: tag "aws:sha": keys that begin with "aws:" are reserved for AWS`}},
		"architecture":        {ok + "architecture = \"amd46\"", []string{`architecture must be one of x86_64, arm64, i386, x86_64_mac, arm64_mac, got "amd46"`}},
		"regions": {ok + "regions = [\"eu-west-1\", \"\", \"eu-west-1\"]", []string{
			`regions[1] must be the name of a region such as eu-west-1, got ""`}},
		"region": {ok + "region = \"Europe\"", []string{`region must be the name of a region such as eu-west-1, got "Europe"`}},
		"owners": {ok + "owners = [\"self\", \"me\"]", []string{`owners[1] must be self, amazon, aws-marketplace or an account id of 12 digits, got "me"`}},
		"resolve_by": {ok + "resolve_by = [\"tags\", \"tag\", \"local_manifest\"]", []string{
			`resolve_by[0] must be one of local_manifest, registry, tag, got "tags"`,
			`resolve_by has "tag", which needs path, git_sha or fingerprint, and kind = "ami"`, `resolve_by has "local_manifest", which needs local_manifest`}},
		"resolve_by registry": {"image = \"base\"\npath = \".\"\nresolve_by = [\"registry\"]", []string{`resolve_by has "registry", which needs registry`}},
		"channel in a file":   {ok + "channel = \"latest\"\nlocal_manifest = \"m.json\"", []string{"only one of channel and local_manifest may be set: a local file has no channels"}},
		"channel without":     {"image = \"base\"\nchannel = \"latest\"", []string{"registry is required, unless local_manifest, path, git_sha or fingerprint is set", "channel needs registry: channels have no tag"}},
		"max_age":             {ok + "max_age = \"-1h\"", []string{"max_age must be between 1s and ten years, got -1h0m0s"}},
		"max_age is no duration": {ok + "max_age = \"7d\"", []string{
			`max_age must be a duration, such as "168h" or "90m"`}},
		"all at once": {"image = \"Base\"\nregistry = \"s3://x\"\nowners = [\"\"]\non_missing = \"no\"\nregion = \"-\"", []string{
			`region must be the name of a region such as eu-west-1, got "-"`,
			`image must be lower-case letters, digits, ".", "_" and "-", and start with a letter or digit, got "Base"`,
			`registry must name a bucket of 3 to 63 lower-case letters, digits, "." and "-", got "s3://x"`,
			`on_missing must be one of error, empty, got "no"`,
			`owners[0] must be self, amazon, aws-marketplace or an account id of 12 digits, got ""`}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, configure(t, &Datasource{}, tt.in)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestConfigure_defaults(t *testing.T) {
	offline(t)
	var d Datasource
	// Packer configures a component more than once.
	for range 2 {
		if errs := configure(t, &d, "image = \"base\"\nregistry = \"./r\"\narchitecture = \"amd64\""); errs != nil {
			t.Fatal(errs)
		}
		want := Config{Image: "base", Registry: "./r", Architecture: "x86_64", Kind: "ami", GitSHATag: "chain:git-sha",
			OnMissing: "error", Owners: []string{"self"}}
		got := Config{Image: d.config.Image, Registry: d.config.Registry, Architecture: d.config.Architecture,
			Kind: d.config.Kind, GitSHATag: d.config.GitSHATag, OnMissing: d.config.OnMissing, Owners: d.config.Owners}
		if !reflect.DeepEqual(want, got) || d.config.Enabled.False() {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
}

// TestConfigure_unknown goes over the options as they are generated, so that a new one is not
// forgotten: the value that Packer hands over for what it does not know yet passes, and is refused
// in Execute.
func TestConfigure_unknown(t *testing.T) {
	offline(t)
	flat := reflect.TypeFor[FlatConfig]()
	inBlock := map[string]string{"assume_role": ".role_arn", "registry_access": ".endpoint"}
	for i := range flat.NumField() {
		field := flat.Field(i)
		unknown := map[string]any{
			"*string": option.Unknown, "[]string": []any{option.Unknown},
			"map[string]string":          map[string]any{"key": option.Unknown},
			"*access.FlatAssumeRole":     map[string]any{"role_arn": option.Unknown},
			"*access.FlatRegistryAccess": map[string]any{"endpoint": option.Unknown},
		}[field.Type.String()]
		if unknown == nil {
			continue
		}
		name := field.Tag.Get("cty")
		t.Run(name, func(t *testing.T) {
			var d Datasource
			raw := map[string]any{"access_key": "AKIDEXAMPLE", "secret_key": "hide-this-key",
				"image": "base", "registry": t.TempDir(), name: unknown}
			if errs := optiontest.Texts(d.Configure(raw)); errs != nil {
				t.Fatalf("refused too early: %q", errs)
			}
			want := name + inBlock[name] + ` is "<unknown>": it refers to a value that is never set`
			_, err := d.Execute()
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// TestConfigure_allUnknown has every option unknown at once: selectors that exclude each other may
// turn out to be empty.
func TestConfigure_allUnknown(t *testing.T) {
	offline(t)
	raw := map[string]any{"on_missing": "empty", "previous": 1}
	for _, name := range []string{"image", "registry", "path", "git_sha", "fingerprint", "channel", "local_manifest", "fallback_ami", "max_age"} {
		raw[name] = option.Unknown
	}
	if errs := optiontest.Texts((&Datasource{}).Configure(raw)); errs != nil {
		t.Error(errs)
	}
}

// TestConfigure_selectorUnknown has one selector unknown beside another: only one of them will be
// set.
func TestConfigure_selectorUnknown(t *testing.T) {
	offline(t)
	for _, unknown := range []string{"path", "git_sha", "fingerprint", "channel"} {
		raw := map[string]any{"image": "base", "registry": "./r", "channel": "production", unknown: option.Unknown}
		if unknown == "channel" {
			raw["git_sha"] = sha1
		}
		if errs := optiontest.Texts((&Datasource{}).Configure(raw)); errs != nil {
			t.Errorf("%s: %q", unknown, errs)
		}
	}
}

// TestExecute_disabled asks nobody, whatever the options are.
func TestExecute_disabled(t *testing.T) {
	offline(t)
	var d Datasource
	if errs := configure(t, &d, "image = \"base\"\nregistry = \"s3://acme-images/chain\"\nenabled = false"); errs != nil {
		t.Fatal(errs)
	}
	value, err := d.Execute()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"amis", "tags", "ancestors"} {
		if got := value.GetAttr(name); got.IsNull() || got.LengthInt() != 0 {
			t.Errorf("%s is %#v, want an empty one: length() of null is an error in HCL", name, got)
		}
	}
	if value.GetAttr("found").True() || value.GetAttr("ref").AsString() != "" {
		t.Errorf("got %#v", value)
	}
}
