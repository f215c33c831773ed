// SPDX-License-Identifier: MPL-2.0

package artifact

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	registryimage "github.com/hashicorp/packer-plugin-sdk/packer/registry/image"

	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
)

const ami3 = "ami-0d3e4f5a6b708192a"

func amis() manifest.Entry {
	return manifest.Entry{
		Name: "app", BuilderType: "amazon-ebs", BuilderID: "mitchellh.amazonebs", ArtifactID: "us-east-1:" + ami2 + ",eu-west-1:" + ami1,
		Images: []manifest.Image{
			{Provider: "aws", Region: "us-east-1", ID: ami2},
			{Provider: "aws", Region: "eu-west-1", ID: ami1, SourceID: ami3},
		},
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

func TestExisting(t *testing.T) {
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
			text: "app exists:\neu-west-1: " + ami1 + "\nus-east-1: " + ami2 + "\n",
			images: []*registryimage.Image{
				{ImageID: ami2, ProviderName: "aws", ProviderRegion: "us-east-1", Labels: map[string]string{}},
				{ImageID: ami1, ProviderName: "aws", ProviderRegion: "eu-west-1", SourceImageID: ami3, Labels: map[string]string{}},
			},
			generated: map[string]any{"SourceAMI": ami3, "BuildRegion": "eu-west-1", "PackerRunUUID": "run2"},
		},
		"files": {
			entries: []manifest.Entry{file}, id: "File", builder: "packer.file", text: "app exists:\nfile.image: File\n",
			files: []string{"a.img", "b.img"}, generated: map[string]any{"PackerRunUUID": "run2"},
			images: []*registryimage.Image{{ImageID: "sha256:1", ProviderName: "docker", Labels: map[string]string{}}},
		},
		"the same AMI twice": {
			entries: []manifest.Entry{amis(), amis()}, id: "eu-west-1:" + ami1 + ",us-east-1:" + ami2, builder: "mitchellh.amazonebs",
			text:   "app exists:\neu-west-1: " + ami1 + "\nus-east-1: " + ami2 + "\n",
			images: nil, generated: map[string]any{"SourceAMI": ami3, "BuildRegion": "eu-west-1", "PackerRunUUID": "run2"},
		},
		"nothing but a name": {
			entries: []manifest.Entry{{Name: "x", BuilderType: "null"}}, text: "app exists:\nnull.x: \n", generated: map[string]any{"PackerRunUUID": "run2"},
		},
	}
	t.Setenv("PACKER_RUN_UUID", "run2")
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			a := NewExisting("app", "4f1c", tt.entries)
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
			if got := a.State(StateFingerprint); got != "4f1c" {
				t.Errorf("it is of fingerprint %v", got)
			}
			if a.State("anything else") != nil || a.Destroy() != nil {
				t.Error("it has another state, or destroys")
			}
		})
	}
}

// The post-processor reads an existing image as it reads one of the builder.
func TestExisting_read(t *testing.T) {
	a := NewExisting("app", "4f1c", []manifest.Entry{amis()})
	want := []manifest.Image{
		{Provider: "aws", Region: "us-east-1", ID: ami2}, {Provider: "aws", Region: "eu-west-1", ID: ami1, SourceID: ami3},
	}
	if diff := cmp.Diff(want, FromState(a.State(registryimage.ArtifactStateURI))); diff != "" {
		t.Error(diff)
	}
	data := a.State("generated_data")
	if SourceAMI(data) != ami3 || Region(data) != "eu-west-1" {
		t.Errorf("built on %q in %q", SourceAMI(data), Region(data))
	}
}

// Names in a manifest are whatever someone wrote.
func TestExisting_hostile(t *testing.T) {
	a := NewExisting("app", "4f1c", []manifest.Entry{{Name: "x\x1b[2J", BuilderType: "file", ArtifactID: "a\nb\x1b]0;x\a"}})
	if diff := cmp.Diff("app exists:\nfile.x[2J: a b]0;x\n", a.String()); diff != "" {
		t.Error(diff)
	}
}
