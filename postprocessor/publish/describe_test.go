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
			if diff := cmp.Diff(tt.want, images(tt.in), asJSON); diff != "" {
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
			if diff := cmp.Diff(want, images(source), asJSON); diff != "" {
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
	if diff := cmp.Diff(want, got, asJSON); diff != "" {
		t.Error(diff)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = hashFiles(ctx, &screen{}, []string{name})
	if !errors.Is(err, context.Canceled) || !strings.HasPrefix(err.Error(), "read "+name) {
		t.Errorf("got %v", err)
	}
}
