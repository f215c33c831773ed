// SPDX-License-Identifier: MPL-2.0

package store_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/packer-chain/packer-plugin-chain/internal/store"
)

func TestCheckKey(t *testing.T) {
	tests := []struct {
		name string
		in   string
		want string
	}{
		{name: "plain", in: "base/refs/latest.json"},
		{name: "odd", in: "a b/é+%/..c"},
		{name: "longest", in: strings.Repeat("k", 1024)},
		{name: "empty", in: "", want: "bad key: it is empty"},
		{
			name: "too long", in: strings.Repeat("k", 1025),
			want: "bad key: it has 1025 bytes, at most 1024 are allowed",
		},
		{name: "up", in: "a/../b", want: `bad key: "a/../b" has the part ".."`},
		{name: "absolute", in: "/etc/passwd", want: `bad key: "/etc/passwd" has the part ""`},
		{name: "folder", in: "a/", want: `bad key: "a/" has the part ""`},
		{name: "dot at the end", in: "a./b", want: `bad key: "a./b" has the part "a."`},
		{name: "newline", in: "a\nb", want: `bad key: "a\nb" has a control character, "\" or ":"`},
		{name: "drive", in: "c:/a", want: `bad key: "c:/a" has a control character, "\" or ":"`},
		{name: "not UTF-8", in: "\xff", want: `bad key: "\xff" is not UTF-8`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := store.CheckKey(tt.in)
			if tt.want == "" && err != nil {
				t.Errorf("error %v, want none", err)
			}
			if tt.want != "" && (!errors.Is(err, store.ErrBadKey) || err.Error() != tt.want) {
				t.Errorf("error %v, want %s", err, tt.want)
			}
		})
	}
}
