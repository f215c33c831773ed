// SPDX-License-Identifier: MPL-2.0

package manifest

import (
	"strings"
	"testing"
)

func TestLine_Document(t *testing.T) {
	a, x := strings.Repeat("a", 99), strings.Repeat("x", 128)
	tests := []struct {
		name string
		in   Line
		want string
	}{
		{"branch", Line{LineBranch, "main"}, "main"},
		{"folder", Line{LineBranch, "feature/x"}, "feature_2fx"},
		{"underscore", Line{LineBranch, "a_2fb"}, "a_5f2fb"},
		{"upper case", Line{LineBranch, "Main"}, "_4dain"},
		{"dots", Line{LineBranch, ".a..b.c."}, "_2ea._2eb.c_2e"},
		{"not ASCII", Line{LineBranch, "ä\xff\x00"}, "_c3_a4_ff_00"},
		{"like a pull request", Line{LineBranch, "pr-42"}, "_70r-42"},
		{"like a tag", Line{LineBranch, "tag-v1"}, "_74ag-v1"},
		{"like a queue", Line{LineBranch, "queue-main"}, "_71ueue-main"},
		{"like a local run", Line{LineBranch, "local"}, "_6cocal"},
		{"almost like others", Line{LineBranch, "pr42-tag-local"}, "pr42-tag-local"},
		{"begins like a local run", Line{LineBranch, "local-x"}, "local-x"},
		{"pull request", Line{LinePullRequest, "42"}, "pr-42"},
		{"hostile number", Line{LinePullRequest, "../main"}, "pr-_2e_2e_2fmain"},
		{"queue", Line{LineQueue, "main"}, "queue-main"},
		{"tag", Line{LineTag, "v1.2"}, "tag-v1.2"},
		{"local", Line{Kind: LineLocal}, "local"},
		{"local with a name", Line{LineLocal, "main"}, "local"},
		{"zero", Line{}, "local"},
		{"unknown kind", Line{"trunk", "main"}, "local"},
		{"branch without a name", Line{Kind: LineBranch}, "local"},
		{"pull request without a number", Line{Kind: LinePullRequest}, "pr-"},
		{"longest", Line{LineBranch, x}, x},
		{"too long", Line{LineBranch, x + "x"}, x[:100] + "__676d956f2240b97c"},
		{"too long, cut before an escape", Line{LineBranch, a + "/" + a}, a + "__513ef6596dac4df2"},
		{"too long, cut in an escape", Line{LineBranch, a[1:] + "/" + a}, a[1:] + "__74454d797b134766"},
		{"too long, cut after an escape", Line{LineBranch, a[2:] + "/" + a}, a[2:] + "_2f__0c705f689d34a885"},
		{"too long tag", Line{LineTag, x}, "tag-" + x[:96] + "__b3c1d6fb2e5cc47e"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := tt.in.Document()
			if got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			if err := CheckLine(got); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestLine_On(t *testing.T) {
	branch := func(name string) Line { return Line{LineBranch, name} }
	tests := []struct {
		name     string
		line     Line
		patterns []string
		want     bool
	}{
		{"same name", branch("main"), []string{"main"}, true},
		{"another name", branch("maine"), []string{"main"}, false},
		{"second pattern", branch("release/1"), []string{"main", "release/*"}, true},
		{"nothing in the place of a star", branch("release/"), []string{"release/*"}, true},
		{"star over a slash", branch("release/1/x"), []string{"release/*"}, true},
		{"star at the start", branch("x/hotfix"), []string{"*hotfix"}, true},
		{"stars around", branch("a/b/c"), []string{"*/b/*"}, true},
		{"stars in order", branch("a/b/c"), []string{"*c*b*"}, false},
		{"no overlap", branch("ab"), []string{"ab*b"}, false},
		{"other signs are plain", branch("a.b"), []string{"a?b", "a[.]b", "A.B"}, false},
		{"all branches", branch("x/y"), []string{"*"}, true},
		{"no patterns", branch("main"), nil, false},
		{"empty pattern", branch("main"), []string{""}, false},
		{"branch named like a tag's ref", branch("refs/tags/v1"), []string{"refs/tags/*", "refs/*"}, false},
		{"branch without a name", Line{Kind: LineBranch}, []string{"", "*"}, false},
		{"tag", Line{LineTag, "v1"}, []string{"refs/tags/v*"}, true},
		{"other tag", Line{LineTag, "x1"}, []string{"refs/tags/v*"}, false},
		{"tag, all branches", Line{LineTag, "v1"}, []string{"*", "v1", "refs/*"}, false},
		{"pull request", Line{LinePullRequest, "42"}, []string{"refs/pull/*"}, true},
		{"pull request, others", Line{LinePullRequest, "42"}, []string{"*", "refs/tags/*", "refs/queue/*", "42"}, false},
		{"queue", Line{LineQueue, "main"}, []string{"refs/queue/main"}, true},
		{"queue, others", Line{LineQueue, "main"}, []string{"*", "main", "refs/pull/*"}, false},
		{"local", Line{Kind: LineLocal}, []string{"*", "local", "", "refs/tags/*"}, false},
		{"unknown kind", Line{"trunk", "main"}, []string{"*", "main"}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.line.On(tt.patterns); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

func TestLine_String(t *testing.T) {
	for want, line := range map[string]Line{
		"branch feature-x": {LineBranch, "feature-x"}, "pull request 42": {LinePullRequest, "42"},
		"merge queue main": {LineQueue, "main"}, "tag v1.2[31m": {LineTag, "v1.2\x1b[31m"},
		"local": {Kind: LineBranch},
	} {
		if got := line.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestCheckLine(t *testing.T) {
	good := []string{"main", "feature_2fx", "pr-42", "tag-v1.2", "_2e", "local", strings.Repeat("x", 128), "x__0123456789abcdef"}
	for _, name := range good {
		if err := CheckLine(name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	bad := []string{
		"", "a/b", "Main", "a b", "a\n", "..", "a..b", ".a", "a.", "_", "a_", "a_2", "a_2F", "a__", "a__12",
		"__0123456789abcdef", "x__0123456789abcdeg", "x__0123456789abcdef0", strings.Repeat("x", 129),
	}
	for _, name := range bad {
		if CheckLine(name) == nil {
			t.Errorf("%q is taken", name)
		}
	}
}

func TestCheckBranchPattern(t *testing.T) {
	for _, s := range []string{
		"main", "*", "release/*", "refs/tags/*", "refs/tags/v*", "refs/pull/*", "refs/queue/main", "references",
	} {
		if err := CheckBranchPattern(s); err != nil {
			t.Errorf("%s: %v", s, err)
		}
	}
	for _, s := range []string{
		"", "a b", "a?", "[a]", "a\n", "refs/*", "refs/heads/main", "refs/tags/", "refs/x", "refs/tags/refs/x",
		strings.Repeat("x", 256),
	} {
		if CheckBranchPattern(s) == nil {
			t.Errorf("%q is taken", s)
		}
	}
}

// FuzzLine_Document gives lines the names of any bytes: two documents are the same only if the
// lines are, also on a disk that ignores the case of letters.
func FuzzLine_Document(f *testing.F) {
	kinds := []LineKind{LineBranch, LinePullRequest, LineQueue, LineTag, LineLocal}
	long := strings.Repeat("a", 99)
	for _, pair := range [][2]string{
		{"main", "Main"}, {"pr-1", "1"}, {"tag-v1", "v1"}, {"queue-main", "main"}, {"local", ""},
		{"feature/x", "feature_2fx"}, {"a..b", "a.b"}, {".", "_2e"}, {long + "/" + long, long},
		{long + long, long + "__0123456789abcdef"}, {"ä", "\xc3\xa4"}, {"_70r-1", "pr-1"},
	} {
		f.Add(pair[0], pair[1])
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		seen := map[string]Line{}
		for _, kind := range kinds {
			for _, name := range []string{a, b} {
				line := Line{kind, name}
				document := line.Document()
				if err := CheckLine(document); err != nil {
					t.Errorf("%+v: %v", line, err)
				}
				if document == localDocument {
					if line.On([]string{"*", "refs/tags/*", "refs/pull/*", "refs/queue/*"}) {
						t.Errorf("%+v has the document of a local run", line)
					}
					continue
				}
				document = strings.ToLower(document)
				if other, taken := seen[document]; taken && other != line {
					t.Errorf("%+v and %+v are both %s", line, other, document)
				}
				seen[document] = line
			}
		}
	})
}
