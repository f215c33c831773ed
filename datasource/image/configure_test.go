// SPDX-License-Identifier: MPL-2.0

package image

import (
	"fmt"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/packer-chain/packer-plugin-chain/internal/localmanifest"
	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
	"github.com/packer-chain/packer-plugin-chain/internal/option"
	"github.com/packer-chain/packer-plugin-chain/internal/option/optiontest"
	"github.com/packer-chain/packer-plugin-chain/internal/record"
	"github.com/packer-chain/packer-plugin-chain/internal/registry"
)

// ref is what data "chain" returns, as HCL.
func ref(t *testing.T, image string) string {
	t.Helper()
	text, err := record.EncodeParent(record.Parent{Parent: manifest.Parent{Image: image, Identity: ami1, AMI: ami1}})
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%q", text)
}

func TestConfigure_errors(t *testing.T) {
	optiontest.Offline(t)
	t.Setenv("PATH", "")
	t.Setenv(registry.Variable, "")
	const ok = "image = \"app\"\nregistry = \"s3://acme-images/chain\"\npath = \".\"\n"
	tests := map[string]struct {
		in   string
		want []string
	}{
		"nothing":      {"", []string{"image is required", "registry is required", "path is required"}},
		"good":         {ok + "parents = [" + ref(t, "base") + "]\ninputs = { docker = \"27.3\" }\nsources = [\"amazon-ebs.app\"]", nil},
		"dirty":        {ok + "dirty = \"ignore\"", []string{`dirty must be one of error, include, got "ignore"`}},
		"extra_paths":  {ok + "extra_paths = [\"a\", \"\", \"a\"]", []string{"extra_paths[1] is required", `extra_paths must not repeat a value, got "a" twice`}},
		"regions":      {ok + "regions = [\"EU\"]", []string{`regions[0] must be the name of a region such as eu-west-1, got "EU"`}},
		"sources":      {ok + "sources = [\"arm64\"]", []string{`sources[0] must be the type and name of a source, such as amazon-ebs.arm64, got "arm64"`}},
		"no parents":   {ok + `parents = ["", ""]`, nil},
		"parents":      {ok + `parents = ["ami-0a1b2c3d4e5f60718"]`, []string{`parents[0] is not the ref of a data "chain": not a JSON object` + "\n\nSet parents = [data.chain.NAME.ref]."}},
		"parent twice": {ok + "parents = [" + ref(t, "base") + ", \"\", " + ref(t, "base") + "]", []string{"parents[2] must not repeat parents[0]"}},
		"architecture": {ok + "architecture = \"amd46\"", []string{`architecture must be one of x86_64, arm64, i386, x86_64_mac, arm64_mac, got "amd46"`}},
		"as uname":     {ok + "architecture = \"aarch64\"", nil},
		"branch":       {ok + "branch = \"refs/heads/a b\"", []string{`branch must be the name of a branch, such as main, got "refs/heads/a b"`}},
		"max_age":      {ok + "max_age = \"100000h\"", []string{"max_age must be between 1s and ten years, got 100000h0m0s"}},
		"inputs": {ok + "inputs = { \"b\\n\" = \"secret\", \"a\\t\" = \"secret\", \"\" = \"secret\" }", []string{
			"inputs must not have an empty key", `inputs must not have control characters in a key, got "a\t"`,
			`inputs must not have control characters in a key, got "b\n"`}},
		"all at once": {"image = \"App\"\nregistry = \"ftp://x\"\npath = \"\"\nregion = \"-\"\ndirty = \"no\"", []string{
			`region must be the name of a region such as eu-west-1, got "-"`,
			`image must be lower-case letters, digits, ".", "_" and "-", and start with a letter or digit, got "App"`,
			`registry must be s3://bucket/prefix, file:///folder or a path, got "ftp://x"`, "path is required",
			`dirty must be one of error, include, got "no"`}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			// The order of a map is random: the errors must come in the same order each time.
			for range 10 {
				var d Datasource
				errs := optiontest.Texts(d.Configure(optiontest.Decode(t, &d, tt.in)))
				if diff := cmp.Diff(tt.want, errs); diff != "" {
					t.Fatal(diff)
				}
			}
		})
	}
}

// TestConfigure_environment has the registry in the environment, for templates that name none. The
// local manifest is that of this registry.
func TestConfigure_environment(t *testing.T) {
	optiontest.Offline(t)
	t.Setenv(registry.Variable, "s3://acme-images/chain")
	for options, want := range map[string]string{"": "acme-images/chain", `registry = "s3://acme-other/chain"`: "acme-other/chain"} {
		var d Datasource
		errs := optiontest.Texts(d.Configure(optiontest.Decode(t, &d, "image = \"app\"\npath = \".\"\n"+options)))
		if errs != nil || d.config.Registry != "s3://"+want || filepath.ToSlash(d.config.LocalManifest) != ".chain/"+want+"/manifest-app.json" {
			t.Errorf("%q: got %+v, %q", options, d.config, errs)
		}
	}
}

// TestConfigure_twice begins with an image that is not known yet: nothing of that may stay.
func TestConfigure_twice(t *testing.T) {
	optiontest.Offline(t)
	var d Datasource
	for _, image := range []string{option.Unknown, "app", "app"} {
		in := fmt.Sprintf("image = %q\nregistry = \"./r\"\npath = \".\"", image)
		if errs := optiontest.Texts(d.Configure(optiontest.Decode(t, &Datasource{}, in))); errs != nil {
			t.Fatal(errs)
		}
	}
	if d.config.LocalManifest != localmanifest.Default(".", "./r", "app") || d.config.Dirty != "error" {
		t.Errorf("got %+v", d.config)
	}
}

// TestConfigure_unknown goes over the options as they are generated, so that a new one is not
// forgotten: the value that Packer hands over for what it does not know yet passes, and is refused
// in Execute.
func TestConfigure_unknown(t *testing.T) {
	optiontest.Offline(t)
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
				"image": "app", "registry": t.TempDir(), "path": t.TempDir(), name: unknown}
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
