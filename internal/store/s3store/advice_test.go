// SPDX-License-Identifier: MPL-2.0

package s3store

import (
	"context"
	"encoding/xml"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/packer-chain/packer-plugin-chain/internal/awserror/awserrortest"
)

// calls are the requests to a bucket, by the parts of S3 that awserrortest names.
var calls = []struct {
	parts []string
	do    func(context.Context, *Store) error
}{
	{[]string{"s3", "read"}, func(ctx context.Context, s *Store) error {
		_, err := s.Get(ctx, key)
		return err
	}},
	{[]string{"s3", "write", "create"}, func(ctx context.Context, s *Store) error {
		_, err := s.Put(ctx, key, []byte("{}"), "")
		return err
	}},
	{[]string{"s3", "write", "replace"}, func(ctx context.Context, s *Store) error {
		_, err := s.Put(ctx, key, []byte("{}"), `"now"`)
		return err
	}},
}

// respond writes an error as S3 and STS do. The text between tags is escaped.
func respond(t *testing.T, w http.ResponseWriter, r awserrortest.Response) {
	t.Helper()
	var message strings.Builder
	if err := xml.EscapeText(&message, []byte(r.Message)); err != nil {
		t.Error(err)
	}
	body := "<Error><Code>" + r.Code + "</Code><Message>" + message.String() + "</Message></Error>"
	if r.Of == "sts" {
		body = "<ErrorResponse>" + body + "</ErrorResponse>"
	}
	w.Header().Set("X-Amz-Request-Id", "REQ123")
	w.WriteHeader(r.Status)
	_, _ = w.Write([]byte(body))
}

// TestStore_advice: whatever S3 responds, the error of a request says what to do.
func TestStore_advice(t *testing.T) {
	var now awserrortest.Response
	_, server := serve(t, func(w http.ResponseWriter, _ *http.Request) { respond(t, w, now) })
	for _, now = range awserrortest.Responses() {
		for _, call := range calls {
			if slices.Contains(call.parts, now.Of) {
				wantAdvice(t, call.do(t.Context(), amazon(t, server, Options{})), now)
			}
		}
	}
}

// TestStore_advice_credentials: in the middle of a run, new credentials are needed.
func TestStore_advice_credentials(t *testing.T) {
	var now awserrortest.Response
	_, server := serve(t, func(w http.ResponseWriter, _ *http.Request) { respond(t, w, now) })
	cfg := loadConfig(t)
	cfg.RetryMaxAttempts, cfg.BaseEndpoint = 1, &server
	for _, now = range awserrortest.Responses() {
		if now.Of != "sts" {
			continue
		}
		role := stscreds.NewAssumeRoleProvider(
			sts.NewFromConfig(cfg), "arn:aws:iam::123456789012:role/acme")
		for _, call := range calls {
			s := amazon(t, server, Options{})
			s.client.Store(s3.New(s.client.Load().Options(), func(o *s3.Options) {
				o.Credentials = aws.NewCredentialsCache(role)
			}))
			wantAdvice(t, call.do(t.Context(), s), now)
		}
	}
}

// TestStore_advice_network: no response of S3, because of what is in between.
func TestStore_advice_network(t *testing.T) {
	strange := httptest.NewTLSServer(http.NotFoundHandler())
	defer strange.Close()
	proxy := httptest.NewServer(page(http.StatusProxyAuthRequired, "<html>Who are you?</html>"))
	defer proxy.Close()
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	for _, tt := range []struct{ name, server, want string }{
		{"certificate", strange.URL, "Set AWS_CA_BUNDLE"},
		{"proxy in place of S3", proxy.URL, "Set HTTPS_PROXY"},
		{"nobody listens", closed.URL, "Check the endpoint, and HTTPS_PROXY"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, call := range calls {
				s := foreign(t, tt.server, Options{ConditionalWrites: Off})
				if err := call.do(t.Context(), s); err != nil {
					wantAdvice(t, err, awserrortest.Response{Code: tt.name, Want: tt.want})
				} else {
					t.Error("no error")
				}
			}
		})
	}
}

// TestStore_advice_proxy: a proxy refuses to connect. Then there is no response at all.
func TestStore_advice_proxy(t *testing.T) {
	proxy := httptest.NewServer(page(http.StatusProxyAuthRequired, "Who are you?"))
	defer proxy.Close()
	cfg := loadConfig(t)
	cfg.HTTPClient = awshttp.NewBuildableClient().WithTransportOptions(func(tr *http.Transport) {
		tr.Proxy = func(*http.Request) (*url.URL, error) { return url.Parse(proxy.URL) }
	})
	for _, call := range calls {
		s := in(cfg, Options{Endpoint: "https://s3.example.com", ConditionalWrites: Off})
		wantAdvice(t, call.do(t.Context(), s), awserrortest.Response{Code: "407", Want: "Set HTTPS_PROXY"})
	}
}

func wantAdvice(t *testing.T, err error, r awserrortest.Response) {
	t.Helper()
	if err == nil {
		t.Errorf("%s: no error", r.Code)
		return
	}
	what, advice, _ := strings.Cut(err.Error(), "\n\n")
	if !strings.Contains(advice, r.Want) || strings.Contains(advice, "\n") ||
		!strings.Contains(what, address) {
		t.Errorf("%s: got %v\nwant %s, and a paragraph with %q", r.Code, err, address, r.Want)
	}
}
