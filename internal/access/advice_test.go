// SPDX-License-Identifier: MPL-2.0

package access

import (
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/packer-chain/packer-plugin-chain/internal/awserror/awserrortest"
)

// startRefusal is an STS that responds with one error.
func startRefusal(t *testing.T) *awserrortest.Response {
	t.Helper()
	isolate(t)
	now := &awserrortest.Response{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(now.Status)
		fmt.Fprintf(w, "<ErrorResponse><Error><Code>%s</Code><Message>%s</Message></Error></ErrorResponse>",
			now.Code, html.EscapeString(now.Message))
	}))
	t.Cleanup(server.Close)
	t.Setenv("AWS_ENDPOINT_URL_STS", server.URL)
	t.Setenv("AWS_MAX_ATTEMPTS", "1")
	return now
}

// TestConfig_sessions_advice: whatever STS responds, the error says what to do.
func TestConfig_sessions_advice(t *testing.T) {
	now := startRefusal(t)
	c := Config{AccessKey: "KEY", SecretKey: "0123456789", Region: "eu-west-1", AssumeRole: role("a")}
	for _, *now = range awserrortest.Responses() {
		if now.Of == "sts" {
			_, err := session(t, &c)
			wantAdvice(t, err, "assume role "+c.AssumeRole.RoleARN+": ", now.Want)
		}
	}
}

// TestConfig_sessions_adviceFiles: what the environment and the shared files name does not work.
func TestConfig_sessions_adviceFiles(t *testing.T) {
	const header = "[profile acme]\nregion = eu-west-1\n"
	const loading, getting = "load the AWS configuration: ", "get AWS credentials: "
	for _, tt := range []struct {
		name, profile string
		env           map[string]string
		what, want    string
	}{
		{"code", "role_arn = arn:aws:iam::123456789012:role/a\nmfa_serial = arn:aws:iam::123456789012:mfa/x\n" +
			"source_profile = acme\naws_access_key_id = A\naws_secret_access_key = B\n", nil,
			loading, "Get credentials with it before Packer runs"},
		{"process", "credential_process = /does/not/exist\n", nil, getting, "Run that command in a shell"},
		{"bundle", "", map[string]string{"AWS_CA_BUNDLE": "/does/not/exist.pem"}, loading, "AWS_CA_BUNDLE"},
		{"token file", "role_arn = arn:aws:iam::123456789012:role/a\nweb_identity_token_file = /does/not/exist\n", nil,
			getting, "AWS_WEB_IDENTITY_TOKEN_FILE"},
		{"token refused", "role_arn = arn:aws:iam::123456789012:role/a\nweb_identity_token_file = TOKEN\n", nil,
			getting, "compare the conditions on the subject and the audience"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			now := startRefusal(t)
			*now = awserrortest.Response{Status: 403, Code: "AccessDenied", Message: "no"}
			folder := t.TempDir()
			write(t, filepath.Join(folder, "token"), "token")
			file := filepath.Join(folder, "config")
			write(t, file, header+strings.ReplaceAll(tt.profile, "TOKEN", filepath.Join(folder, "token")))
			t.Setenv("AWS_CONFIG_FILE", file)
			for name, value := range tt.env {
				t.Setenv(name, value)
			}
			_, err := session(t, &Config{Profile: "acme"})
			wantAdvice(t, err, tt.what, tt.want)
		})
	}
}

func wantAdvice(t *testing.T, err error, what, want string) {
	t.Helper()
	if err == nil {
		t.Errorf("no error, want %q", want)
		return
	}
	text, advice, _ := strings.Cut(err.Error(), "\n\n")
	if !strings.HasPrefix(text, what) || !strings.Contains(advice, want) {
		t.Errorf("got %v\nwant %s, and a paragraph with %q", err, what, want)
	}
}
