// SPDX-License-Identifier: MPL-2.0

package text

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// A revocation or an artifact id is whatever someone wrote: escape sequences used to reach the
// terminal.
func TestOneLine_dropsWhatATerminalWouldObey(t *testing.T) {
	for in, want := range map[string]string{
		"bad kernel":                  "bad kernel",
		" a\n\tb  c\u2028d ":          "a b c d",
		"a \x00 b":                    "a b",
		"\x1b[2Jgone\x00\u202e\u009b": "[2Jgone",
		strings.Repeat("é", 300):      strings.Repeat("é", 200),
		"":                            "",
	} {
		if got := OneLine(in); got != want {
			t.Errorf("%q became %q, want %q", in, got, want)
		}
	}
}

func TestClip_marksWhatItCuts(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"fits", "ähm", "ähm"},
		{"one too many", "ähm!", "ähm…"},
		{"fits without control characters", "\x1bä\u202ehm\n", "ähm"},
		{"not UTF-8", "a\xff\xfe", "a\ufffd\ufffd"},
		{"empty", "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := Clip(tt.in, 3); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestList_cleansEachName(t *testing.T) {
	if got, want := List([]string{"a\nb", "\x1b[31mc"}), "a b, [31mc"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := List(nil); got != "" {
		t.Errorf("no names: got %q", got)
	}
}

func TestFile_quotesWhatWouldNotShow(t *testing.T) {
	for in, want := range map[string]string{
		"d é":                 "d é",
		"a\x1b[2J\n::error::": `"a\x1b[2J\n::error::"`,
		"::error::c":          `"::error::c"`,
		`a"b`:                 `"a\"b"`,
	} {
		if got := File(in); got != want {
			t.Errorf("%q became %s, want %s", in, got, want)
		}
	}
}

func TestNames_showsTheFirst(t *testing.T) {
	for want, in := range map[string][]string{
		"":                  nil,
		"a, b":              {"a", "b"},
		"a, b and 2 more":   {"a", "b", "c", "d"},
		`"::error::x", b c`: {"::error::x", "b c"},
	} {
		if got := Names(in, 2); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestSHA256_sameForStringsAndBytes(t *testing.T) {
	const want = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
	if text, bytes := SHA256("hello"), SHA256([]byte("hello")); text != want || bytes != want {
		t.Errorf("got %s and %s, want %s", text, bytes, want)
	}
}

// FuzzOneLine makes messages of whatever a document holds.
func FuzzOneLine(f *testing.F) {
	f.Add("a \x00 b\u0085\xff", 3)
	f.Add("\x1b[2J"+strings.Repeat("é", 300), 200)
	f.Fuzz(func(t *testing.T, s string, limit int) {
		limit &= 0xff
		for got, most := range map[string]int{OneLine(s): 200, Clip(s, limit): limit + 1} {
			bad := strings.ContainsFunc(got, func(r rune) bool { return !unicode.IsPrint(r) })
			if bad || utf8.RuneCountInString(got) > most {
				t.Errorf("%q became %q", s, got)
			}
		}
	})
}
