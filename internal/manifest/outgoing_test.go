// SPDX-License-Identifier: MPL-2.0

package manifest

import (
	"strings"
	"testing"
	"unicode"
)

func TestForms(t *testing.T) {
	isTag := func(s string) bool { return IsTag(s, s) }
	tests := []struct {
		name      string
		form      func(string) bool
		good, bad []string
	}{
		{"id", IsID,
			[]string{"sha256:4f1c", "ghcr.io/acme/base:1.2", "File", "my image", "/subscriptions/1/images/x", "refs/heads/main", "12345_1#2"},
			[]string{"", "$(reboot)", "`x`", "a;b", "a|b", "a&b", "x\n", "x\x00", "\u202ex", "--x", " x", "../x", "a/../../b", `a"b`, "a'b", "a<b", "a*", strings.Repeat("x", 1025)}},
		{"name", IsAMIName, []string{"base-2026", "base (1) [x]"}, []string{"", "it's", "$x", "a\"b", "-x", "\x1b[2J"}},
		{"tag", isTag, []string{"", "chain:image", "Über", "a b", "acme@example.com"}, []string{"$x", "a;b", "(x)", "x\ny", "<b>", "-x"}},
		{"URL", IsURL,
			[]string{"https://example.com", "http://ci.example.com:8080/job/1?x=1#/builds/a:b"},
			[]string{"", "javascript:alert(1)", "https://example.com/$(x)", "https://example.com/a b", "https://u:p@example.com/", "https://example.com/?a=1&b=2", "https://example.com/'", "file:///etc"}},
		{"account", IsAccount, []string{"123456789012"}, []string{"", "12345678901", "self", "12345678901x"}},
	}
	for _, tt := range tests {
		for _, s := range tt.good {
			if !tt.form(s) || If(tt.form, s) != s {
				t.Errorf("%q is no %s", s, tt.name)
			}
		}
		for _, s := range tt.bad {
			if tt.form(s) || If(tt.form, s) != "" {
				t.Errorf("%q is taken for %s", s, tt.name)
			}
		}
	}
}

func TestHidesAMI(t *testing.T) {
	const id = "ami-0a1b2c3d4e5f60718"
	for want, entries := range map[bool][]Entry{
		true: {
			{BuilderType: "amazon-ebs", ArtifactID: "x"}, {BuilderType: "file", BuilderID: "mitchellh.amazonebs"},
			{BuilderType: "amazon-ebssurrogate"}, {BuilderType: "amazon-chroot"}, {BuilderType: "amazon-instance"},
			{ArtifactID: id}, {ArtifactID: "eu-west-1:" + id}, {ArtifactID: "x " + id + "\n"},
			{BuilderType: "file", Images: []Image{{Provider: "AWS", ID: id}}},
		},
		false: {
			{BuilderType: "amazon-ebs", Images: []Image{{Provider: "aws", Region: "eu-west-1", ID: id}}},
			{BuilderType: "docker", ArtifactID: "sha256:1"}, {BuilderType: "amazon-ebsvolume", ArtifactID: "eu-west-1:vol-0a1b2c3d"},
			{BuilderType: "docker", ArtifactID: "salami-0a1b2c3d"}, {},
		},
	} {
		for _, entry := range entries {
			if entry.HidesAMI() != want {
				t.Errorf("%+v: want %v", entry, want)
			}
		}
	}
}

func TestParse_relatives(t *testing.T) {
	const print = "4f1c9e2a4f1c9e2a4f1c9e2a4f1c9e2a4f1c9e2a4f1c9e2a4f1c9e2a4f1c9e2a"
	document := func(chain string) []byte {
		return []byte(`{"builds":[{"name":"x"}],"chain":{"schema":1,"image":"app","fingerprint":"` + print + `","seq":1,"write_id":"w",` + chain + `}}`)
	}
	for name, chain := range map[string]string{
		"an ancestor of shell":            `"ancestors":[{"image":"$(reboot)"}]`,
		"a fingerprint that leads away":   `"ancestors":[{"image":"base","fingerprint":"../x"}]`,
		"an ancestor in no region":        `"ancestors":[{"image":"base","amis":{"eu-west-1.example.com/":"ami-0a1b2c3d"}}]`,
		"an ancestor that is no AMI":      `"ancestors":[{"image":"base","amis":{"eu-west-1":"$(reboot)"}}]`,
		"a parent that is no AMI":         `"parents":[{"image":"base","identity":"x","ami":"x","region":"eu-west-1"}]`,
		"a parent of shell":               `"parents":[{"image":"a b","identity":"x"}]`,
		"an ancestor of a parent":         `"parents":[{"image":"base","identity":"x","ancestors":[{"image":""}]}]`,
		"a fingerprint of another length": `"parents":[{"image":"base","identity":"x","fingerprint":"4f1c"}]`,
	} {
		if _, err := Parse(document(chain)); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
	if _, err := Parse(document(`"ancestors":[{"image":"base","amis":{"eu-west-1/amazon-ebs.x":"ami-0a1b2c3d"}}]`)); err != nil {
		t.Error(err)
	}
}

// FuzzOutgoing reads a document that others may have written. What leaves a data source of it means
// nothing to a shell, a terminal or a page.
func FuzzOutgoing(f *testing.F) {
	for _, seed := range []string{
		`{"git":{"sha":"$(reboot)","commit":"x","branch":"main"},"ci":{"provider":"a;b","build_id":"'","build_url":"https://x/&y"}}`,
		`{"ancestors":[{"image":"base"},{"image":"<b>"}],"fingerprint":"../x","git":{"branch":"../../x"}}`,
		`{"ci":{"provider":"github-actions","build_id":"7","build_url":"https://example.com/runs/7?a=1#b"}}`,
		"{\"ci\":{\"build_id\":\"\u202ex\\u0085\"},\"git\":{\"branch\":\"-x\"}}",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var facts Facts
		if Decode(body, &facts) != nil {
			return
		}
		out := facts.Outgoing()
		texts := []string{out.Fingerprint, out.Git.SHA, out.Git.Commit, out.Git.Branch, out.CI.Provider, out.CI.BuildID, out.CI.BuildURL}
		for _, ancestor := range out.Ancestors {
			texts = append(texts, ancestor.Image)
		}
		for _, text := range texts {
			if strings.ContainsAny(text, "\"'`$\\;|&<>(){}*!^") || strings.HasPrefix(text, "-") ||
				strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
				t.Errorf("%s: %q leaves", body, text)
			}
		}
	})
}
