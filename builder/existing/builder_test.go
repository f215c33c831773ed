// SPDX-License-Identifier: MPL-2.0

package existing

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	packersdk "github.com/hashicorp/packer-plugin-sdk/packer"
	registryimage "github.com/hashicorp/packer-plugin-sdk/packer/registry/image"

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

// screen is a Ui that remembers what it shows.
type screen struct {
	packersdk.Ui
	said []string
}

func (s *screen) Say(text string) { s.said = append(s.said, text) }

func amis() manifest.Entry {
	return manifest.Entry{
		Name: "app", BuilderType: "amazon-ebs", BuilderID: "mitchellh.amazonebs", ArtifactID: "us-east-1:" + ami2 + ",eu-west-1:" + ami1,
		Images: []manifest.Image{
			{Provider: "aws", Region: "us-east-1", ID: ami2},
			{Provider: "aws", Region: "eu-west-1", ID: ami1, SourceID: ami3},
		},
	}
}

func encoded(t *testing.T, needed bool, entries ...manifest.Entry) string {
	t.Helper()
	text, err := record.Record{
		Facts:  manifest.Facts{Image: "app", Fingerprint: strings.Repeat("1", 64)},
		Needed: needed, Reason: "template: 4f1c9e2 -> 98aa01b", Entries: entries,
	}.Encode()
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
		"a record": {encoded(t, false, amis()), ""},
		"ref": {`{"image":"base","identity":"ami-0a1b2c3d4e5f60718"}`,
			`record is not one of data "chain-image": schema 0, this plugin reads 1` + remedy},
		"text":  {"ami", `record is not one of data "chain-image": corrupt: not a JSON object` + remedy},
		"newer": {`{"schema":2}`, `record is not one of data "chain-image": schema 2, this plugin reads 1` + remedy},
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
	var b Builder
	if err := prepare(t, &b, encoded(t, false, amis())); err != nil {
		t.Fatal(err)
	}
	ui := &screen{}
	// Hooks run provisioners; none may be asked for.
	artifact, err := b.Run(t.Context(), ui, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"app: template: 4f1c9e2 -> 98aa01b: nothing is built (fingerprint 111111111111)",
		"eu-west-1: " + ami1, "us-east-1: " + ami2,
	}
	if diff := cmp.Diff(want, ui.said); diff != "" {
		t.Error(diff)
	}
	if artifact.Id() != "eu-west-1:"+ami1+",us-east-1:"+ami2 {
		t.Errorf("got %q", artifact.Id())
	}
}

func TestRun_refused(t *testing.T) {
	const needed = "pass image app through: it has to be built: template: 4f1c9e2 -> 98aa01b\n\n" +
		`Use the source "chain" only if data.chain-image.NAME.needed is false.`
	for name, tt := range map[string]struct{ in, want string }{
		"needed":                  {encoded(t, true, amis()), needed},
		"nothing to pass through": {encoded(t, false), needed},
		"unknown": {option.Unknown,
			"record is not known\n\nSet record = data.chain-image.NAME.record."},
	} {
		t.Run(name, func(t *testing.T) {
			b := Builder{config: Config{Record: tt.in}}
			artifact, err := b.Run(t.Context(), &screen{}, nil)
			if artifact != nil || err == nil || err.Error() != tt.want {
				t.Errorf("got %v, %v", artifact, err)
			}
		})
	}
}

// given are the generated data that are not empty.
func given(state any) map[string]any {
	data := map[string]any{}
	for name, value := range state.(map[string]any) {
		if value != "" {
			data[name] = value
		}
	}
	return data
}

func TestArtifact(t *testing.T) {
	file := manifest.Entry{
		Name: "image", BuilderType: "file", BuilderID: "packer.file", ArtifactID: "File",
		Files: []manifest.File{{Name: "a.img"}, {Name: "b.img"}}, Images: []manifest.Image{{Provider: "docker", ID: "sha256:1"}},
	}
	tests := map[string]struct {
		entries           []manifest.Entry
		id, builder, text string
		files             []string
		images            []*registryimage.Image
		generated         map[string]any
	}{
		"AMIs": {
			entries: []manifest.Entry{amis()}, id: "eu-west-1:" + ami1 + ",us-east-1:" + ami2, builder: "mitchellh.amazonebs",
			text: "app is unchanged:\neu-west-1: " + ami1 + "\nus-east-1: " + ami2 + "\n",
			images: []*registryimage.Image{
				{ImageID: ami2, ProviderName: "aws", ProviderRegion: "us-east-1", Labels: map[string]string{}},
				{ImageID: ami1, ProviderName: "aws", ProviderRegion: "eu-west-1", SourceImageID: ami3, Labels: map[string]string{}},
			},
			generated: map[string]any{"SourceAMI": ami3, "BuildRegion": "eu-west-1", "PackerRunUUID": "run2"},
		},
		"files": {
			entries: []manifest.Entry{file}, id: "File", builder: "packer.file", text: "app is unchanged:\nfile.image: File\n",
			files: []string{"a.img", "b.img"}, generated: map[string]any{"PackerRunUUID": "run2"},
			images: []*registryimage.Image{{ImageID: "sha256:1", ProviderName: "docker", Labels: map[string]string{}}},
		},
		"the same AMI twice": {
			entries: []manifest.Entry{amis(), amis()}, id: "eu-west-1:" + ami1 + ",us-east-1:" + ami2, builder: "mitchellh.amazonebs",
			text:   "app is unchanged:\neu-west-1: " + ami1 + "\nus-east-1: " + ami2 + "\n",
			images: nil, generated: map[string]any{"SourceAMI": ami3, "BuildRegion": "eu-west-1", "PackerRunUUID": "run2"},
		},
		"nothing but a name": {
			entries: []manifest.Entry{{Name: "x", BuilderType: "null"}}, text: "app is unchanged:\nnull.x: \n", generated: map[string]any{"PackerRunUUID": "run2"},
		},
	}
	t.Setenv("PACKER_RUN_UUID", "run2")
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			a := &Artifact{image: "app", entries: tt.entries}
			if a.Id() != tt.id || a.BuilderId() != tt.builder || a.String() != tt.text {
				t.Errorf("got %q, %q, %q", a.Id(), a.BuilderId(), a.String())
			}
			if diff := cmp.Diff(tt.files, a.Files()); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(tt.generated, given(a.State("generated_data"))); diff != "" {
				t.Error(diff)
			}
			if got := a.State(registryimage.ArtifactStateURI); tt.images != nil && !cmp.Equal(any(tt.images), got) {
				t.Error(cmp.Diff(any(tt.images), got))
			}
			if a.State("anything else") != nil || a.Destroy() != nil {
				t.Error("it has another state, or destroys")
			}
		})
	}
}
