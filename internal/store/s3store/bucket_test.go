// SPDX-License-Identifier: MPL-2.0

package s3store

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"

	"github.com/packer-chain/packer-plugin-chain/internal/store"
	"github.com/packer-chain/packer-plugin-chain/internal/store/storetest/s3server"
)

const (
	bucket    = "acme-images"
	key       = "base/refs/latest.json"
	address   = "s3://acme-images/chain/base/refs/latest.json"
	tagHeader = "ETag"
)

// loadConfig is what the SDK makes of an environment that has nothing but these keys.
func loadConfig(t *testing.T, env ...string) aws.Config {
	t.Helper()
	for name, value := range map[string]string{
		"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "testtest", "AWS_SESSION_TOKEN": "",
		"AWS_REGION": "us-east-1", "AWS_PROFILE": "", "AWS_CA_BUNDLE": "", "AWS_ENDPOINT_URL": "",
		"AWS_ENDPOINT_URL_S3": "", "AWS_CONFIG_FILE": "/dev/null",
		"AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
		"AWS_EC2_METADATA_DISABLED":   "true", "AWS_MAX_ATTEMPTS": "", "AWS_RETRY_MODE": "",
		"AWS_REQUEST_CHECKSUM_CALCULATION": "", "AWS_RESPONSE_CHECKSUM_VALIDATION": "",
	} {
		t.Setenv(name, value)
	}
	for _, pair := range env {
		name, value, _ := strings.Cut(pair, "=")
		t.Setenv(name, value)
	}
	cfg, err := config.LoadDefaultConfig(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// recorder keeps the requests that came to a server, with their bodies.
type recorder struct {
	mu       sync.Mutex
	requests []recorded
}

type recorded struct {
	method, path, body string
	header             http.Header
}

// serve starts a server; every request is recorded before the handler sees it.
func serve(t *testing.T, handler http.HandlerFunc) (*recorder, string) {
	t.Helper()
	r := &recorder{}
	server := httptest.NewServer(r.record(t, handler))
	t.Cleanup(server.Close)
	return r, server.URL
}

func (r *recorder) record(t *testing.T, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(req.Body)
		if err != nil {
			t.Error(err)
		}
		req.Body = io.NopCloser(strings.NewReader(string(body)))
		r.mu.Lock()
		r.requests = append(r.requests,
			recorded{req.Method, req.URL.Path, string(body), req.Header.Clone()})
		r.mu.Unlock()
		next.ServeHTTP(w, req)
	})
}

func (r *recorder) all() []recorded {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]recorded{}, r.requests...)
}

// amazon is a store that believes to talk to Amazon, while its connections go to the server.
func amazon(t *testing.T, server string, options Options) *Store {
	t.Helper()
	cfg := loadConfig(t)
	var dialer net.Dialer
	to := strings.TrimPrefix(server, "http://")
	cfg.HTTPClient = awshttp.NewBuildableClient().WithTransportOptions(func(tr *http.Transport) {
		tr.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, network, to)
		}
		tr.Proxy = nil
	})
	options.Endpoint = "http://s3.us-east-1.amazonaws.com"
	return in(cfg, options)
}

// foreign is a store that talks to a server which is not Amazon's.
func foreign(t *testing.T, server string, options Options) *Store {
	t.Helper()
	options.Endpoint = server
	return in(loadConfig(t), options)
}

func in(cfg aws.Config, options Options) *Store {
	options.Bucket, options.UsePathStyle = bucket, true
	if options.Prefix == "" {
		options.Prefix = "chain"
	}
	s := New(cfg, options)
	s.backoff = noWait
	return s
}

// fakeS3 is a whole bucket in memory.
func fakeS3(t *testing.T) http.Handler {
	t.Helper()
	handler, err := s3server.Fake(bucket)
	if err != nil {
		t.Fatal(err)
	}
	return handler
}

// fail responds with an error as S3 does; an empty code means an empty body.
func fail(w http.ResponseWriter, status int, code string) { s3server.Fail(w, status, code) }

func wantErr(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("error %v, want %v", err, want)
	}
}

// noWait repeats at once.
var noWait = store.Backoff{Rand: func(time.Duration) time.Duration { return 0 }}
