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
	"github.com/packer-chain/packer-plugin-chain/internal/record"
)

// TestFromState reads the state in every shape that it takes on its way over RPC.
func TestFromState(t *testing.T) {
	over := func(id, region string) map[any]any {
		return map[any]any{"ImageID": id, "ProviderName": "aws", "ProviderRegion": region, "SourceImageID": ami2, "Labels": map[any]any{"a": 1}}
	}
	one := []manifest.Image{{Provider: "aws", Region: "eu-west-1", ID: ami1, SourceID: ami2}}
	itself := &registryimage.Image{ImageID: ami1, ProviderName: "aws", ProviderRegion: "eu-west-1", SourceImageID: ami2}
	tests := map[string]struct {
		in   any
		want []manifest.Image
	}{
		"nil":                   {nil, nil},
		"itself":                {itself, one},
		"list of itself":        {[]*registryimage.Image{itself}, one},
		"list with a nil":       {[]*registryimage.Image{nil, itself}, one},
		"values":                {[]registryimage.Image{*itself}, one},
		"map":                   {over(ami1, "eu-west-1"), one},
		"list of maps":          {[]any{over(ami1, "eu-west-1")}, one},
		"maps of strings":       {[]any{map[string]any{"ImageID": ami1, "ProviderName": "aws", "ProviderRegion": "eu-west-1", "SourceImageID": ami2}}, one},
		"of another provider":   {map[string]any{"ImageID": "sha256:1", "ProviderName": "docker"}, []manifest.Image{{Provider: "docker", ID: "sha256:1"}}},
		"no AMI":                {[]any{over("ami-1", "eu-west-1"), over(ami1, "../x"), over("", "eu-west-1")}, nil},
		"one of two is good":    {[]any{over("ami-1", "eu-west-1"), over(ami1, "eu-west-1")}, one},
		"one of many is good":   {[]any{"x", 7, nil, []any{}, map[any]any{"ImageID": []any{map[any]any{}}}, over(ami1, "eu-west-1")}, one},
		"string":                {"ami", nil},
		"number":                {7, nil},
		"list of lists":         {[]any{[]any{[]any{7}}}, nil},
		"keys that are no text": {map[any]any{7: 8, nil: nil}, nil},
		"function":              {func() {}, nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, fromState(tt.in), whole); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestImages(t *testing.T) {
	state := map[string]any{registryimage.ArtifactStateURI: []any{
		map[any]any{"ImageID": ami2, "ProviderName": "aws", "ProviderRegion": "us-east-1"},
		map[any]any{"ImageID": ami1, "ProviderName": "aws", "ProviderRegion": "eu-west-1"}}}
	two := []manifest.Image{{Provider: "aws", Region: "eu-west-1", ID: ami1}, {Provider: "aws", Region: "us-east-1", ID: ami2}}
	tests := map[string]struct {
		in   *artifact
		want []manifest.Image
	}{
		"state, sorted":      {&artifact{id: "x", state: state}, two},
		"id":                 {&artifact{id: "us-east-1:" + ami2 + ",eu-west-1:" + ami1}, two},
		"id of another form": {&artifact{id: "File"}, nil},
		"neither":            {&artifact{}, nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, images(tt.in), whole); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestSourceAMI(t *testing.T) {
	tests := map[string]struct {
		in   any
		want string
	}{
		"nil":       {nil, ""},
		"of text":   {map[string]any{"SourceAMI": ami1}, ami1},
		"over RPC":  {map[any]any{"SourceAMI": ami1, 7: 8}, ami1},
		"plain":     {map[string]string{"SourceAMI": ami1}, ami1},
		"unknown":   {map[string]any{"SourceAMI": record.Unknown}, ""},
		"no text":   {map[string]any{"SourceAMI": []any{ami1}}, ""},
		"not there": {map[string]any{}, ""},
		"list":      {[]any{ami1}, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := sourceAMI(tt.in); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
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
		"a parent that is no AMI":      {[]manifest.Parent{docker}, other, ""},
		"the builder does not say":     {[]manifest.Parent{base}, "", ""},
		"something else": {[]manifest.Parent{base}, other,
			"it was built on " + other + ", but its parent is " + ami1 + " (base)" + remedy},
		"none of two": {[]manifest.Parent{base, docker, tools}, other,
			"it was built on " + other + ", but its parent is " + ami1 + " (base) or ami-0e4f5a6b708192a3b (tools)" + remedy},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			source := &artifact{state: map[string]any{"generated_data": map[any]any{"SourceAMI": tt.built}}}
			got := ""
			if err := sameParent(record.Record{Parents: tt.parents}, source); err != nil {
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
