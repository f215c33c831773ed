// SPDX-License-Identifier: MPL-2.0

package parametername

import (
	"strings"
	"testing"
)

func TestName_Check(t *testing.T) {
	for name, want := range map[Name]string{
		"":                                   "is required",
		"base":                               "",
		"/images/{image}/{channel}":          "",
		"/a/{image}.{architecture}_{source}": "",
		"/Images-1/x.y_z":                    "",
		"{image}":                            "",
		"/{image}{image}":                    "",
		"/im ages":                           `must be letters, digits, ".", "_", "-" and "/", got "/im ages"`,
		"/images:3":                          `must be letters, digits, ".", "_", "-" and "/", got "/images:3"`,
		"/bäse":                              `must be letters, digits, ".", "_", "-" and "/", got "/bäse"`,
		"/a}":                                `must be letters, digits, ".", "_", "-" and "/", got "/a}"`,
		"/a/{image":                          `must have a "}" for each "{", got "/a/{image"`,
		"/a/{line}":                          "must have no placeholders but {image}, {channel}, {architecture}, {source}, got {line}",
		"/a/{}":                              "must have no placeholders but {image}, {channel}, {architecture}, {source}, got {}",
		"/a/{{image}}":                       "must have no placeholders but {image}, {channel}, {architecture}, {source}, got {{image}",
		"images/{image}":                     `must begin with "/", because there is one in it, got "images/{image}"`,
		"/":                                  `must have something before and after each "/" but the first, got "/"`,
		"/a//b":                              `must have something before and after each "/" but the first, got "/a//b"`,
		"/a/":                                `must have something before and after each "/" but the first, got "/a/"`,
		"//a":                                `must have something before and after each "/" but the first, got "//a"`,
		"awsTestParameter":                   `must not begin with "aws" or "ssm", which AWS reserves, got "awsTestParameter"`,
		"SSM-testparameter":                  `must not begin with "aws" or "ssm", which AWS reserves, got "SSM-testparameter"`,
		"/aWs/testparam1":                    `must not begin with "aws" or "ssm", which AWS reserves, got "/aWs/testparam1"`,
		"/images/aws":                        "",
		Name(strings.Repeat("/a", 15)):       "",
		Name(strings.Repeat("/a", 16)):       "must have at most 15 levels, got 16",
		Name("/" + strings.Repeat("a", 950)): "",
		Name("/" + strings.Repeat("a", 951)): "must have at most 951 characters, because SSM allows 1011 with the parameter's ARN, got 952",
	} {
		got := ""
		if err := name.Check(); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}

func TestName_Fill(t *testing.T) {
	values := Values{Image: "base", Channel: "production", Architecture: "x86_64", Source: "amazon-ebs.arm64"}
	for _, tt := range []struct {
		name   Name
		values Values
		want   string
	}{
		{"/images/{image}/{channel}", values, "/images/base/production"},
		{"/{source}/{architecture}/{image}-{image}", values, "/amazon-ebs.arm64/x86_64/base-base"},
		{"/fixed", values, "/fixed"},
		{"/{image}/x", Values{Image: "a/b c:{channel}é"}, "/a_b_c__channel__/x"},
		{"/{image}/x", Values{}, "//x"},
		// These do not pass Check.
		{"/{line}/{image}", values, "/{line}/{image}"},
		{"/{image}/{", values, "/{image}/{"},
	} {
		if got := tt.name.Fill(tt.values); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.name, got, tt.want)
		}
	}
}

// TestName_Fill_checked: what is filled in can make SSM refuse the name.
func TestName_Fill_checked(t *testing.T) {
	for image, want := range map[string]string{
		"base":                   "",
		"aws-tools":              `must not begin with "aws"`,
		"":                       "must have something before and after each",
		strings.Repeat("a", 960): "must have at most 951 characters",
	} {
		err := Name(Name("/{image}/x").Fill(Values{Image: image})).Check()
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%.20s: got %v, want %q", image, err, want)
		}
	}
}

func TestName_Has(t *testing.T) {
	name := Name("/images/{image}/channel")
	if !name.Has("image") || name.Has("channel") || name.Has("source") {
		t.Errorf("%s: image %v, channel %v, source %v", name, name.Has("image"), name.Has("channel"), name.Has("source"))
	}
}

// FuzzName: whatever Check accepts, the filled name has only characters that SSM takes, and as many
// levels as the user wrote.
func FuzzName(f *testing.F) {
	f.Add("/images/{image}/{channel}", "base", "production", "x86_64", "amazon-ebs.arm64")
	f.Add("{source}{architecture}", "", "/", "{image}", "\xff\x00ü")
	f.Add("/a/{image}}", "{", "}", "..", "//")
	f.Fuzz(func(t *testing.T, name, image, channel, architecture, source string) {
		n := Name(name)
		err := n.Check()
		got := n.Fill(Values{Image: image, Channel: channel, Architecture: architecture, Source: source})
		if err != nil {
			return
		}
		if rest := strings.Trim(got, "/.-_0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"); rest != "" {
			t.Errorf("%q became %q", name, got)
		}
		if strings.Count(got, "/") != strings.Count(name, "/") || strings.Contains(name, "/") && got[0] != '/' {
			t.Errorf("%q became %q, which has other levels", name, got)
		}
		for _, placeholder := range placeholders {
			if n.Has(placeholder) != strings.Contains(name, "{"+placeholder+"}") || strings.Contains(got, "{") {
				t.Errorf("%q became %q", name, got)
			}
		}
		if x := n.Fill(Values{"x", "x", "x", "x"}); Name(x).Check() != nil {
			t.Errorf("%q passes, but %q does not: %v", name, x, Name(x).Check())
		}
	})
}
