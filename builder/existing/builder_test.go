// SPDX-License-Identifier: MPL-2.0

package existing

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	packersdk "github.com/hashicorp/packer-plugin-sdk/packer"

	"github.com/packer-chain/packer-plugin-chain/internal/artifact"
	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
	"github.com/packer-chain/packer-plugin-chain/internal/option"
	"github.com/packer-chain/packer-plugin-chain/internal/option/optiontest"
	"github.com/packer-chain/packer-plugin-chain/internal/record"
)

const (
	ami1 = "ami-0a1b2c3d4e5f60718"
	ami2 = "ami-0c2d3e4f5a6b70819"
	ami3 = "ami-0d3e4f5a6b708192a"

	remedy = "\n\nSet record = data.chain-image.NAME.record."
)

// screen is a Ui that remembers what it shows, and what of it in red.
type screen struct {
	packersdk.Ui
	said, red []string
}

func (s *screen) Say(text string)   { s.said = append(s.said, text) }
func (s *screen) Error(text string) { s.red = append(s.red, text) }

func amis() manifest.Entry {
	return manifest.Entry{
		Name: "app", BuilderType: "amazon-ebs", BuilderID: "mitchellh.amazonebs", ArtifactID: "us-east-1:" + ami2 + ",eu-west-1:" + ami1,
		Images: []manifest.Image{
			{Provider: "aws", Region: "us-east-1", ID: ami2},
			{Provider: "aws", Region: "eu-west-1", ID: ami1, SourceID: ami3},
		},
	}
}

// decided is a record of an image of which nothing is pending.
func decided(entries ...manifest.Entry) record.Record {
	return record.Record{
		Facts:  manifest.Facts{Image: "app", Fingerprint: strings.Repeat("1", 64)},
		Reason: "unchanged", Entries: entries,
	}
}

func encoded(t *testing.T, rec record.Record) string {
	t.Helper()
	text, err := rec.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// prepare decodes HCL as Packer does.
func prepare(t *testing.T, b *Builder, build string) error {
	t.Helper()
	value := optiontest.Decode(t, b, "record = <<EOT\n"+build+"\nEOT\n")
	_, warnings, err := b.Prepare(map[string]any{"packer_build_name": "unchanged", "packer_builder_type": "chain"}, value)
	if len(warnings) > 0 {
		t.Errorf("warnings %q", warnings)
	}
	return err
}

func TestPrepare(t *testing.T) {
	for name, tt := range map[string]struct{ in, want string }{
		"a record": {encoded(t, decided(amis())), ""},
		"ref": {`{"image":"base","identity":"ami-0a1b2c3d4e5f60718"}`,
			`record is not one of data "chain-image" or "chain": schema 0, this plugin reads 1` + remedy},
		"text":  {"ami", `record is not one of data "chain-image" or "chain": not a JSON object` + remedy},
		"newer": {`{"schema":2}`, `record is not one of data "chain-image" or "chain": schema 2, this plugin reads 1` + remedy},
	} {
		t.Run(name, func(t *testing.T) {
			var b Builder
			for range 2 {
				got := ""
				if err := prepare(t, &b, tt.in); err != nil {
					got = err.Error()
				}
				if diff := cmp.Diff(tt.want, got); diff != "" {
					t.Error(diff)
				}
			}
		})
	}
	for in, want := range map[string]string{"": "record is required" + remedy, option.Unknown: ""} {
		_, _, err := (&Builder{}).Prepare(map[string]any{"record": in})
		if (err == nil) != (want == "") || (err != nil && err.Error() != want) {
			t.Errorf("%q: got %v, want %q", in, err, want)
		}
	}
}

func TestRun(t *testing.T) {
	const fingerprint = "(fingerprint 111111111111)"
	const abandoned = "built before with this fingerprint, and never published: its test or its publication " +
		`failed, the post-processor "chain" is missing, or another run is at work`
	force := `-force does not reach data sources. To build the image again, set force = true in data "chain-image".`
	exists := []string{"app: unchanged: nothing is built " + fingerprint, "eu-west-1: " + ami1, "us-east-1: " + ami2}
	one := decided(amis())
	one.Pending, one.Reason = []string{"app"}, "template: 4f1c9e2 -> 98aa01b"
	several := one
	several.Sources = []string{"amazon-ebs.amd64", "amazon-ebs.arm64", "amazon-ebs.x"}
	several.Pending = []string{"amazon-ebs.amd64", "amazon-ebs.arm64"}
	left := one
	left.Entries, left.Abandoned = nil, []string{ami1 + " in eu-west-1", ami2 + " in us-east-1"}
	forced := one
	forced.Forced, forced.Reason = true, "force = true"
	// What the image had before does not matter, if nothing is pending.
	unasked := decided(amis())
	unasked.Abandoned = []string{ami3 + " in eu-west-1"}
	for name, tt := range map[string]struct {
		rec       record.Record
		force     bool
		said, red []string
		id        string
	}{
		"it exists": {rec: decided(amis()), said: exists, id: "eu-west-1:" + ami1 + ",us-east-1:" + ami2},
		"it exists, and others that nobody asks for": {rec: unasked, said: exists, id: "eu-west-1:" + ami1 + ",us-east-1:" + ami2},
		"pending":         {rec: one, said: []string{"app has to be built: template: 4f1c9e2 -> 98aa01b " + fingerprint}},
		"pending sources": {rec: several, said: []string{"app (amazon-ebs.amd64, amazon-ebs.arm64) has to be built: template: 4f1c9e2 -> 98aa01b " + fingerprint}},
		"built in vain before": {rec: left, said: []string{"app has to be built: template: 4f1c9e2 -> 98aa01b " + fingerprint},
			red: []string{"warning: " + ami1 + " in eu-west-1, " + ami2 + " in us-east-1: " + abandoned}},
		"packer build -force": {rec: decided(amis()), force: true, said: append([]string{force}, exists...), id: "eu-west-1:" + ami1 + ",us-east-1:" + ami2},
		"-force, and pending": {rec: one, force: true, said: []string{"app has to be built: template: 4f1c9e2 -> 98aa01b " + fingerprint}},
		"forced":              {rec: forced, force: true, said: []string{"app has to be built: force = true " + fingerprint}},
	} {
		t.Run(name, func(t *testing.T) {
			var b Builder
			if err := prepare(t, &b, encoded(t, tt.rec)); err != nil {
				t.Fatal(err)
			}
			b.config.PackerForce = tt.force
			ui := &screen{}
			// Hooks run provisioners; none may be asked for.
			got, err := b.Run(t.Context(), ui, nil)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.said, ui.said); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(tt.red, ui.red); diff != "" {
				t.Error(diff)
			}
			// Packer skips the post-processors only for an artifact that is nil as an interface.
			if tt.id == "" && got != nil {
				t.Errorf("it has to be built, and %#v is passed on", got)
			}
			if tt.id != "" && (got.Id() != tt.id || got.State(artifact.StateFingerprint) != strings.Repeat("1", 64)) {
				t.Errorf("got %q of %v", got.Id(), got.State(artifact.StateFingerprint))
			}
		})
	}
}

// TestRun_warnings: the data source has no terminal.
func TestRun_warnings(t *testing.T) {
	for _, pending := range [][]string{nil, {"app"}} {
		rec := decided(amis())
		rec.Pending, rec.Warnings = pending, []string{"git ignores a\x1b.auto.pkrvars.hcl"}
		var b Builder
		if err := prepare(t, &b, encoded(t, rec)); err != nil {
			t.Fatal(err)
		}
		ui := &screen{}
		_, err := b.Run(t.Context(), ui, nil)
		want := []string{"warning: git ignores a.auto.pkrvars.hcl"}
		if diff := cmp.Diff(want, ui.red); diff != "" || err != nil {
			t.Error(diff, err)
		}
	}
}

func TestRun_refused(t *testing.T) {
	for name, tt := range map[string]struct{ in, want string }{
		"nothing to pass through": {encoded(t, decided()), "pass image app through: the record names nothing that exists\n\n" +
			"Set record to the output record of data \"chain-image\" or \"chain\", as it is."},
		"unknown": {option.Unknown, "record is not known" + remedy},
	} {
		t.Run(name, func(t *testing.T) {
			b := Builder{config: Config{Record: tt.in}}
			got, err := b.Run(t.Context(), &screen{}, nil)
			if got != nil || err == nil || err.Error() != tt.want {
				t.Errorf("got %v, %v", got, err)
			}
		})
	}
}

// A source has the name that the record gives it.
func TestRun_showsWhatIsPrintable(t *testing.T) {
	rec := decided()
	rec.Sources, rec.Pending = []string{"a\x1b[2J"}, []string{"a\x1b[2J"}
	ui := &screen{}
	if _, err := (&Builder{config: Config{Record: encoded(t, rec)}}).Run(t.Context(), ui, nil); err != nil {
		t.Fatal(err)
	}
	if len(ui.said) != 1 || strings.Contains(ui.said[0], "\x1b") {
		t.Errorf("got %q", ui.said)
	}
}
