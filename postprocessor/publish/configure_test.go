// SPDX-License-Identifier: MPL-2.0

package publish

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/packer-chain/packer-plugin-chain/internal/option"
	"github.com/packer-chain/packer-plugin-chain/internal/option/optiontest"
)

// offline leaves nothing to ask: no AWS, no git, and no CI to find.
func offline(t *testing.T) {
	t.Helper()
	optiontest.Offline(t)
	for name, value := range map[string]string{
		"PATH": "", "CI": "", "GITHUB_ACTIONS": "", "GITLAB_CI": "", "JENKINS_URL": "",
		"PACKER_RUN_UUID": "run",
	} {
		t.Setenv(name, value)
	}
}

// packerSays is what Packer adds to the options.
func packerSays(builderType string) map[string]any {
	return map[string]any{"packer_build_name": "image", "packer_builder_type": builderType, "packer_core_version": "1.16.0"}
}

// numbered is a map in HCL with n elements.
func numbered(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "key%03d = \"v\"\n", i)
	}
	return "{\n" + b.String() + "}"
}

func TestConfigure_errors(t *testing.T) {
	offline(t)
	const remedy = "\n\nSet record = data.chain-image.NAME.record."
	ok := "record = \"<unknown>\"\n"
	tests := map[string]struct {
		in   string
		want []string
	}{
		"nothing":    {"", []string{"record is required" + remedy}},
		"good":       {ok, nil},
		"record":     {`record = "ami-0a1b2c3d4e5f60718"`, []string{`record is not one of data "chain-image" or "chain": not a JSON object` + remedy}},
		"on_failure": {ok + `on_failure = "ignore"`, []string{`on_failure must be one of keep, fail, got "ignore"`}},
		"channels":   {ok + `channels = ["latest", "", "latest", "a/b"]`, []string{"channels[1] is required", `channels must not repeat a value, got "latest" twice`, `channels[3] must be lower-case letters, digits, ".", "_" and "-", and start with a letter or digit, got "a/b"`}},
		"branches": {ok + `branches = ["main", "*", "release/*", "refs/tags/v*", "refs/heads/main", "a b", "main"]`, []string{
			`branches[4] must name the branch without refs/heads/, got "refs/heads/main"`,
			"branches[5] must be the name of a branch, such as main, a pattern such as release/*, or one of other refs: refs/tags/*, refs/pull/* or refs/queue/*, got \"a b\"",
			`branches must not repeat a value, got "main" twice`}},
		"channel": {ok + "channel {\n name = \"a/b\"\n branches = []\n}\nchannel {\n name = \"latest\"\n branches = [\"main\"]\n}\n" +
			"channel {\n name = \"latest\"\n branches = [\"refs/heads/x\"]\n}", []string{
			"channel[0].branches is required", `channel[2].name repeats "latest"`,
			`channel[0].name must be lower-case letters, digits, ".", "_" and "-", and start with a letter or digit, got "a/b"`,
			`channel[2].branches[0] must name the branch without refs/heads/, got "refs/heads/x"`}},
		"channel in both": {ok + "channels = [\"latest\"]\nchannel {\n name = \"latest\"\n branches = [\"main\"]\n}", []string{
			`channel[0].name repeats "latest"`}},
		"publish_timeout": {ok + `publish_timeout = "-5m"`, []string{"publish_timeout must be between 1s and ten years, got -5m0s"}},
		"tags of AWS":     {ok + `tags = { "aws:x" = "secret" }`, []string{`tags: tag "aws:x": keys that begin with "aws:" are reserved for AWS`}},
		"our tags":        {ok + `tags = { "chain:image" = "secret" }`, []string{`tags: keys that begin with "chain:" are the plugin's own, got "chain:image"`}},
		"long tags": {ok + `tags = { "` + strings.Repeat("k", 128) + `" = "", v = "` + strings.Repeat("v", 256) + `" }`, []string{
			`tags: tag "` + strings.Repeat("k", 128) + `": the key has 128 characters, 127 are allowed`,
			`tags: tag "v": the value has 256 characters, 255 are allowed`}},
		"42 tags":     {ok + "tags = " + numbered(42), nil},
		"43 tags":     {ok + "tags = " + numbered(43), []string{"tags: at most 42 allowed, got 43 (EC2 allows 50, the plugin uses 8)"}},
		"51 tags":     {ok + "tags = " + numbered(51), []string{"tags: there are 51 tags, EC2 allows 50"}},
		"labels":      {ok + "labels = " + numbered(101), []string{"labels: at most 100 allowed, got 101"}},
		"long labels": {ok + `labels = { a = "` + strings.Repeat("v", 1024) + `" }`, []string{`labels: "a" must have a key, and at most 1024 bytes with its value`}},
		"all at once": {"region = \"-\"\non_failure = \"x\"\nchannels = [\"A\"]\ntags = { \"\" = \"\" }\nlabels = { \"\" = \"\" }", []string{
			`region must be the name of a region such as eu-west-1, got "-"`, "record is required" + remedy,
			`on_failure must be one of keep, fail, got "x"`,
			`channels[0] must be lower-case letters, digits, ".", "_" and "-", and start with a letter or digit, got "A"`,
			"tags: a tag has an empty key", `labels: "" must have a key, and at most 1024 bytes with its value`}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var p PostProcessor
			in := optiontest.Decode(t, &p, tt.in)
			errs := optiontest.Texts(p.Configure(packerSays("file"), in))
			if diff := cmp.Diff(tt.want, errs); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestConfigure_channels tells a list that is empty from one that is not set, before the build and
// after.
func TestConfigure_channels(t *testing.T) {
	offline(t)
	for in, want := range map[string][]string{
		"": {"latest"}, "channels = null": {"latest"}, "channels = []": {}, `channels = ["production"]`: {"production"},
	} {
		var p PostProcessor
		for range 2 {
			value := optiontest.Decode(t, &p, "record = \"<unknown>\"\n"+in)
			if errs := optiontest.Texts(p.Configure(packerSays("file"), value)); errs != nil {
				t.Fatal(errs)
			}
			if diff := cmp.Diff(want, p.config.Channels); diff != "" {
				t.Errorf("%q: %s", in, diff)
			}
			if p.config.OnFailure != "fail" || p.config.PublishTimeout != defaultTimeout || p.config.TagSnapshots.False() {
				t.Errorf("got %+v", p.config)
			}
		}
	}
}

// TestConfigure_unknown goes over the options as they are generated, so that a new one is not
// forgotten: the value that Packer hands over for what it does not know yet passes, and is refused
// in PostProcess.
func TestConfigure_unknown(t *testing.T) {
	offline(t)
	flat := reflect.TypeFor[FlatConfig]()
	good, err := newRecord(t.TempDir()).Encode()
	if err != nil {
		t.Fatal(err)
	}
	inBlock := map[string]string{"assume_role": ".role_arn", "registry_access": ".endpoint", "channel": ".name"}
	for i := range flat.NumField() {
		field := flat.Field(i)
		name := field.Tag.Get("cty")
		unknown := map[string]any{
			"*string": option.Unknown, "[]string": []any{option.Unknown},
			"map[string]string":          map[string]any{"key": option.Unknown},
			"*access.FlatAssumeRole":     map[string]any{"role_arn": option.Unknown},
			"*access.FlatRegistryAccess": map[string]any{"endpoint": option.Unknown},
			"[]publish.FlatChannel": []any{
				map[string]any{"name": option.Unknown, "branches": option.Unknown},
				map[string]any{"name": option.Unknown, "branches": []any{option.Unknown}},
			},
		}[field.Type.String()]
		if unknown == nil || strings.HasPrefix(name, "packer_") {
			continue
		}
		t.Run(name, func(t *testing.T) {
			var p PostProcessor
			raw := map[string]any{"access_key": "AKIDEXAMPLE", "secret_key": "hide-this-key",
				"record": good}
			raw[name] = unknown
			if errs := optiontest.Texts(p.Configure(packerSays("file"), raw)); errs != nil {
				t.Fatalf("refused too early: %q", errs)
			}
			want := name + inBlock[name] + ` is "<unknown>": it refers to a value that is never set`
			if name == "record" {
				want = "record is not known"
			}
			_, _, _, err := p.PostProcess(t.Context(), &screen{}, &fakeArtifact{})
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("got %v", err)
			}
		})
	}
}
