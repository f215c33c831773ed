// SPDX-License-Identifier: MPL-2.0

package publish

import (
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/packer-chain/packer-plugin-chain/internal/access"
	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
	"github.com/packer-chain/packer-plugin-chain/internal/option"
	"github.com/packer-chain/packer-plugin-chain/internal/option/optiontest"
	"github.com/packer-chain/packer-plugin-chain/internal/record"
	"github.com/packer-chain/packer-plugin-chain/internal/registry"
)

// TestConfigure_refuses has a source in the build that builds in vain: that is refused before it
// runs.
func TestConfigure_refuses(t *testing.T) {
	offline(t)
	two := []string{"amazon-ebs.image", "amazon-ebs.arm64"}
	sources := func(pending ...string) func(*record.Record) {
		return func(rec *record.Record) { rec.Sources, rec.Pending = two, pending }
	}
	unchanged := func(rec *record.Record) { rec.Pending, rec.Reason = nil, "unchanged" }
	promotes := func(rec *record.Record) {
		rec.Pending, rec.Entries = nil, []manifest.Entry{{Name: "image", BuilderType: "file", ArtifactID: "File"}}
		rec.Pointer = &record.Pointer{Target: registry.TargetOf(print1, rec.Entries)}
	}
	const inVain = " does not have to be built: image app is "
	const dynamic = "\n\nPut the source into a dynamic \"source\" block, with for_each = data.chain-image.NAME.pending."
	for name, tt := range map[string]struct {
		builder string
		change  func(*record.Record)
		want    string
	}{
		"pending":                 {"amazon-ebs", func(*record.Record) {}, ""},
		"one of two pending":      {"amazon-ebs", sources("amazon-ebs.image"), ""},
		"the gate":                {"chain", unchanged, ""},
		"the gate, something due": {"chain", sources("amazon-ebs.image"), ""},
		"the gate of a promotion": {"chain", promotes, "channels is required with the record of a data \"chain\": it says where the " +
			"image is promoted to, such as [\"production\"]"},
		"outside of a build": {"", unchanged, ""},
		"not pending":        {"amazon-ebs", unchanged, "amazon-ebs.image" + inVain + "unchanged" + dynamic},
		"the other is pending": {"amazon-ebs", sources("amazon-ebs.arm64"),
			"amazon-ebs.image" + inVain + "first build of app" + dynamic},
		"not one of sources": {"docker", sources(two...), "docker.image is not one of the sources of image app " +
			"(amazon-ebs.image, amazon-ebs.arm64)\n\nAdd it to sources of data \"chain-image\", or limit the post-processor with only."},
		"a builder in a promotion": {"amazon-ebs", promotes, "amazon-ebs.image cannot build app: record is that of a data \"chain\", " +
			"which only moves channels\n\nAdd only = [\"chain.NAME\"] to the post-processor."},
	} {
		t.Run(name, func(t *testing.T) {
			rec := newRecord(t.TempDir())
			tt.change(&rec)
			encoded, err := rec.Encode()
			check(t, err)
			var p PostProcessor
			err = p.Configure(packerSays(tt.builder), map[string]any{"record": encoded})
			if got := strings.Join(optiontest.Texts(err), "\n"); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			// Plain "packer validate" does not know the record, and must pass.
			p = PostProcessor{}
			check(t, p.Configure(packerSays(tt.builder), map[string]any{"record": option.Unknown}))
		})
	}
}

// TestConfigure_inherits: what the data source was told about AWS need not be told again. Secrets
// do not travel, and are asked for before anything is built.
func TestConfigure_inherits(t *testing.T) {
	offline(t)
	given := access.Config{Profile: "images", Region: "eu-west-1",
		RegistryAccess: &access.RegistryAccess{Endpoint: "https://s3.example.com"}}
	keys := access.Config{AccessKey: "AKIDEXAMPLE", SecretKey: "hide-this-key"}
	for name, tt := range map[string]struct {
		given access.Config
		own   map[string]any
		want  access.Config
		err   string
	}{
		"all": {given, nil, given, ""},
		"its own region": {given, map[string]any{"region": "us-east-1"},
			access.Config{Profile: "images", Region: "us-east-1", RegistryAccess: given.RegistryAccess}, ""},
		"keys are missing": {keys, nil, access.Config{}, "missing: access_key, secret_key, set in the data source"},
		"keys again": {keys, map[string]any{"access_key": "AKIDEXAMPLE", "secret_key": "hide-this-key"},
			keys, ""},
	} {
		t.Run(name, func(t *testing.T) {
			rec := newRecord(t.TempDir())
			var err error
			rec.Access, err = tt.given.ForRecord()
			check(t, err)
			encoded, err := rec.Encode()
			check(t, err)
			if strings.Contains(encoded, keys.SecretKey) || strings.Contains(encoded, keys.AccessKey) {
				t.Error("a secret is in the record")
			}
			raw := map[string]any{"record": encoded}
			maps.Copy(raw, tt.own)
			var p PostProcessor
			for range 2 {
				err = p.Configure(packerSays("amazon-ebs"), raw)
			}
			switch {
			case tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)):
				t.Errorf("got %v, want %s", err, tt.err)
			case tt.err == "" && err != nil:
				t.Error(err)
			case tt.err == "":
				if diff := cmp.Diff(tt.want, p.config.Config); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			}
		})
	}
}

// TestPostProcess_refuses: the same is refused after the build, if it was not known before it.
func TestPostProcess_refuses(t *testing.T) {
	dir := folder(t)
	rec := newRecord(dir)
	p := configured(t, "file", rec, `on_failure = "keep"`)
	rec.Pending, rec.Reason = nil, "unchanged"
	late, err := rec.Encode()
	check(t, err)
	p.config.Record = late
	_, err = process(t, p, &fakeArtifact{id: "File"})
	if err == nil || !strings.HasPrefix(err.Error(), "publish app: file.image does not have to be built: image app is unchanged") || stored(t, dir) != nil {
		t.Errorf("got %v", err)
	}
}
