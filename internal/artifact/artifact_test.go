// SPDX-License-Identifier: MPL-2.0

package artifact

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
)

const (
	ami1 = "ami-0a1b2c3d4e5f60718"
	ami2 = "ami-0b1b2c3d4e5f60718"
)

// whole compares images with the fields that only a newer plugin knows.
var whole = cmp.AllowUnexported(manifest.Image{})

// TestFromState reads the shapes that the state takes on its way over RPC.
func TestFromState(t *testing.T) {
	over := func(id, region string) map[any]any {
		return map[any]any{"ImageID": id, "ProviderName": "aws", "ProviderRegion": region, "SourceImageID": ami2, "Labels": map[any]any{"a": 1}}
	}
	one := []manifest.Image{{Provider: "aws", Region: "eu-west-1", ID: ami1, SourceID: ami2}}
	tests := map[string]struct {
		in   any
		want []manifest.Image
	}{
		"nil":                   {nil, nil},
		"nil in a list":         {[]any{nil, over(ami1, "eu-west-1")}, one},
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
			if diff := cmp.Diff(tt.want, FromState(tt.in), whole); diff != "" {
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
		"unknown":   {map[string]any{"SourceAMI": "<unknown>"}, ""},
		"no text":   {map[string]any{"SourceAMI": []any{ami1}}, ""},
		"not there": {map[string]any{}, ""},
		"list":      {[]any{ami1}, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := SourceAMI(tt.in); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestRegion(t *testing.T) {
	tests := map[string]struct {
		in   any
		want string
	}{
		"nil":       {nil, ""},
		"of text":   {map[string]any{"BuildRegion": "eu-west-1"}, "eu-west-1"},
		"over RPC":  {map[any]any{"BuildRegion": "eu-west-1", 7: 8}, "eu-west-1"},
		"plain":     {map[string]string{"BuildRegion": "eu-west-1"}, "eu-west-1"},
		"unknown":   {map[string]any{"BuildRegion": "<unknown>"}, ""},
		"a host":    {map[string]any{"BuildRegion": "eu-west-1.example.com/"}, ""},
		"no text":   {map[string]any{"BuildRegion": []any{"eu-west-1"}}, ""},
		"not there": {map[string]any{"SourceAMI": ami1}, ""},
		"list":      {[]any{"eu-west-1"}, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := Region(tt.in); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
