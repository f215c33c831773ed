// SPDX-License-Identifier: MPL-2.0

package tags

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCheck(t *testing.T) {
	fifty := map[string]string{}
	for c := range 50 {
		fifty["key-"+string(rune('A'+c))] = "v"
	}
	tests := []struct {
		name string
		in   map[string]string
		want []string
	}{
		{name: "none"},
		{name: "good", in: map[string]string{"chain:git-sha": "4f1c9e2", "Größe": "ein halbes Kilo", "empty": ""}},
		{name: "exactly the limits", in: map[string]string{strings.Repeat("ü", 127): strings.Repeat("語", 255)}},
		{name: "fifty", in: fifty},
		{name: "key too long", in: map[string]string{strings.Repeat("k", 128): "v"},
			want: []string{`tag "` + strings.Repeat("k", 128) + `": the key has 128 characters, 127 are allowed`}},
		{name: "value too long", in: map[string]string{"k": strings.Repeat("v", 256)},
			want: []string{`tag "k": the value has 256 characters, 255 are allowed`}},
		{name: "reserved, in any case", in: map[string]string{"aws:x": "", "AWS:y": "", "aws": "aws:ok"},
			want: []string{`tag "AWS:y": keys that begin with "aws:" are reserved for AWS`,
				`tag "aws:x": keys that begin with "aws:" are reserved for AWS`}},
		{name: "every violation", in: map[string]string{"": "a\nb", "a\x00b": "\xff"},
			want: []string{"a tag has an empty key", `tag "": the value has the control character '\n'`,
				`tag "a\x00b": the key has the control character '\x00'`, `tag "a\x00b": the value is not valid UTF-8`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, Check(tt.in)); diff != "" {
				t.Error(diff)
			}
		})
	}
	fifty["one more"] = ""
	if got := Check(fifty); len(got) != 1 || got[0] != "there are 51 tags, EC2 allows 50" {
		t.Errorf("51 tags: got %q", got)
	}
}

// FuzzValue makes tag values of whatever is in a manifest or the environment.
func FuzzValue(f *testing.F) {
	f.Add("\x7f\u0085")
	f.Add("https://ci.example.com/1")
	f.Add("a\x00b\n\xff" + strings.Repeat("é", 300))
	f.Fuzz(func(t *testing.T, text string) {
		if broken := Check(map[string]string{"key": Value(text)}); len(broken) > 0 {
			t.Errorf("%q became a value that EC2 refuses: %v", text, broken)
		}
	})
}
