// SPDX-License-Identifier: MPL-2.0

package publish

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	registryimage "github.com/hashicorp/packer-plugin-sdk/packer/registry/image"

	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
)

func TestImages(t *testing.T) {
	state := map[string]any{registryimage.ArtifactStateURI: []any{
		map[any]any{"ImageID": ami2, "ProviderName": "aws", "ProviderRegion": "us-east-1"},
		map[any]any{"ImageID": ami1, "ProviderName": "aws", "ProviderRegion": "eu-west-1"}}}
	two := []manifest.Image{{Provider: "aws", Region: "eu-west-1", ID: ami1}, {Provider: "aws", Region: "us-east-1", ID: ami2}}
	tests := map[string]struct {
		in   *fakeArtifact
		want []manifest.Image
	}{
		"state, sorted":      {&fakeArtifact{id: "x", state: state}, two},
		"id":                 {&fakeArtifact{id: "us-east-1:" + ami2 + ",eu-west-1:" + ami1}, two},
		"id of another form": {&fakeArtifact{id: "File"}, nil},
		"neither":            {&fakeArtifact{}, nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, images(tt.in), whole); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestImages_described reads the images as builders describe them, before they go over RPC.
func TestImages_described(t *testing.T) {
	image := &registryimage.Image{ImageID: ami1, ProviderName: "aws", ProviderRegion: "eu-west-1", SourceImageID: ami2}
	want := []manifest.Image{{Provider: "aws", Region: "eu-west-1", ID: ami1, SourceID: ami2}}
	for name, state := range map[string]any{
		"one":             image,
		"list":            []*registryimage.Image{image},
		"list with a nil": []*registryimage.Image{nil, image},
		"list of values":  []registryimage.Image{*image},
	} {
		t.Run(name, func(t *testing.T) {
			source := &fakeArtifact{state: map[string]any{registryimage.ArtifactStateURI: state}}
			if diff := cmp.Diff(want, images(source), whole); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestSameParent(t *testing.T) {
	other := "ami-0d3e4f5a6b708192a"
	base := manifest.Parent{Image: "base", AMI: ami1, AMIs: map[string]string{"eu-west-1": ami1, "us-east-1": ami2}}
	tools := manifest.Parent{Image: "tools", AMI: "ami-0e4f5a6b708192a3b"}
	docker := manifest.Parent{Image: "docker", Identity: "sha256:1"}
	const remedy = "\n\nSet source_ami = data.chain.NAME.id, of the data source whose ref is in parents. Nothing was tagged or published."
	tests := map[string]struct {
		parents []manifest.Parent
		built   string
		want    string
	}{
		"the parent":                   {[]manifest.Parent{base}, ami1, ""},
		"the parent in another region": {[]manifest.Parent{base}, ami2, ""},
		"the second parent":            {[]manifest.Parent{tools, base}, ami1, ""},
		"no parent":                    {nil, other, ""},
		"a parent that is not an AMI":  {[]manifest.Parent{docker}, other, ""},
		"the builder does not say":     {[]manifest.Parent{base}, "", ""},
		"something else": {[]manifest.Parent{base}, other,
			"it was built on " + other + ", but its parent is " + ami1 + " (base)" + remedy},
		"none of two": {[]manifest.Parent{base, docker, tools}, other,
			"it was built on " + other + ", but its parent is " + ami1 + " (base) or ami-0e4f5a6b708192a3b (tools)" + remedy},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			source := &fakeArtifact{state: map[string]any{"generated_data": map[any]any{"SourceAMI": tt.built}}}
			got := ""
			if err := checkParent(tt.parents, source); err != nil {
				got = err.Error()
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestHashFiles(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "image.txt")
	check(t, os.WriteFile(name, []byte("hello"), 0o644))
	gone := filepath.Join(dir, "gone")
	got, err := hashFiles(t.Context(), &screen{}, []string{name, gone, dir})
	check(t, err)
	want := []manifest.File{
		{Name: name, Size: 5, SHA256: "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"}, {Name: gone}, {Name: dir}}
	if diff := cmp.Diff(want, got, whole); diff != "" {
		t.Error(diff)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = hashFiles(ctx, &screen{}, []string{name})
	if !errors.Is(err, context.Canceled) || !strings.HasPrefix(err.Error(), "read "+name) {
		t.Errorf("got %v", err)
	}
}
