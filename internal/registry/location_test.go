// SPDX-License-Identifier: MPL-2.0

package registry

import (
	"path/filepath"
	"strings"
	"testing"
)

func TestParseLocation(t *testing.T) {
	// On Windows, an absolute path has a drive, and the home folder another variable.
	absolute := func(path string) string {
		path, err := filepath.Abs(filepath.FromSlash(path))
		if err != nil {
			t.Fatal(err)
		}
		return path
	}
	t.Setenv("HOME", absolute("/home/acme"))
	t.Setenv("USERPROFILE", absolute("/home/acme"))
	relative, err := filepath.Abs("images")
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		want    Location
		wantErr string
	}{
		"s3://acme-images/chain":         {want: Location{Bucket: "acme-images", Prefix: "chain"}},
		"s3://acme-images":               {want: Location{Bucket: "acme-images"}},
		"s3://acme-images/":              {want: Location{Bucket: "acme-images"}},
		"s3://acme.images/a/b/":          {want: Location{Bucket: "acme.images", Prefix: "a/b"}},
		"file:///srv/chain":              {want: Location{Dir: absolute("/srv/chain")}},
		"/srv/chain":                     {want: Location{Dir: absolute("/srv/chain")}},
		"./images":                       {want: Location{Dir: relative}},
		"base/../images":                 {want: Location{Dir: relative}},
		"~/chain":                        {want: Location{Dir: absolute("/home/acme/chain")}},
		"~":                              {want: Location{Dir: absolute("/home/acme")}},
		"acme-images/chain":              {wantErr: "must be s3://acme-images/chain for a bucket, or ./acme-images/chain for a folder"},
		"images":                         {wantErr: "must be s3://images for a bucket, or ./images for a folder"},
		"~acme/chain":                    {wantErr: "must be s3://~acme/chain for a bucket"},
		"":                               {wantErr: "is required"},
		"s3://":                          {wantErr: "must name a bucket"},
		"s3://Acme/chain":                {wantErr: "must name a bucket"},
		"s3://a/chain":                   {wantErr: "must name a bucket"},
		"s3://acme-images//chain":        {wantErr: `must not hold "//"`},
		"s3://acme-images/a//b":          {wantErr: `must not hold "//"`},
		"s3://acme-images/a/../b":        {wantErr: `must not hold "//"`},
		"s3://acme-images/a?x=1":         {wantErr: `must not hold "?"`},
		"s3://user:pw@acme/chain":        {wantErr: "must name a bucket"},
		"s3:/acme-images/chain":          {wantErr: "must have two slashes after the colon"},
		"gs://acme-images/chain":         {wantErr: "must be s3://bucket/prefix"},
		"https://example.com/x":          {wantErr: "must be s3://bucket/prefix"},
		"arn:aws:s3:::acme-images":       {wantErr: "must be a URL such as s3://bucket/prefix, not an ARN"},
		"file://host/srv":                {wantErr: "must be a URL with three slashes"},
		"file:///a%00b":                  {wantErr: "must not hold control characters"},
		"file:///":                       {wantErr: "must name a folder"},
		"a\nb":                           {wantErr: "must not hold control characters"},
		"s3://acme/" + long(maxPrefix+1): {wantErr: "must have a prefix of at most 512 bytes"},
	}
	for in, tt := range tests {
		got, err := ParseLocation(in)
		switch {
		case tt.wantErr != "" && (err == nil || !strings.HasPrefix(err.Error(), tt.wantErr)):
			t.Errorf("%q: got %v, want %s", in, err, tt.wantErr)
		case tt.wantErr == "" && (err != nil || got != tt.want):
			t.Errorf("%q: got %+v %v, want %+v", in, got, err, tt.want)
		}
	}
}

func long(n int) string { return strings.Repeat("x", n) }

// What an address holds besides the place used to be printed with it.
func TestParseLocation_hidesSecrets(t *testing.T) {
	for in, want := range map[string]string{
		"s3://AKIDEXAMPLE:hunter2@acme-images/chain":    `got "s3://…@acme-images/chain"`,
		"https://me:hunter2@example.com/a@b":            `got "https://…@b"`,
		"https://example.com/x?X-Amz-Signature=hunter2": `got "https://example.com/x?…"`,
		"file://me:hunter2@host/srv":                    `got "file://…@host/srv"`,
		"s3:/me:hunter2@acme-images/chain":              `got "s3:/…@acme-images/chain"`,
	} {
		if _, err := ParseLocation(in); err == nil || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}
