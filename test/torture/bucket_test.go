// SPDX-License-Identifier: MPL-2.0

package torture

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/packer-chain/packer-plugin-chain/internal/registry"
	"github.com/packer-chain/packer-plugin-chain/internal/store/s3store"
	"github.com/packer-chain/packer-plugin-chain/internal/store/storetest/s3server"
)

const bucket = "acme-images"

// bucketOptions describe how the tests open a bucket.
type bucketOptions struct {
	// trusted makes the store take the server for Amazon's, which it does not test.
	trusted bool
	// attempt is the limit of one request. 0 means the default of the plugin.
	attempt time.Duration
}

// openStore opens the bucket of a server, with its own connections and self-test.
func openStore(t *testing.T, server string, o bucketOptions) *s3store.Store {
	t.Helper()
	cfg := aws.Config{Region: "us-east-1", Credentials: credentials.NewStaticCredentialsProvider(
		s3server.AccessKey, s3server.SecretKey, "")}
	options := s3store.Options{
		Bucket: bucket, Prefix: "chain", Endpoint: server, UsePathStyle: true, AttemptTimeout: o.attempt,
	}
	if o.trusted {
		options.Endpoint = "http://s3.us-east-1.amazonaws.com"
		cfg.HTTPClient = &http.Client{Transport: &http.Transport{
			MaxIdleConnsPerHost: 2,
			DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
				return (&net.Dialer{}).DialContext(ctx, network, strings.TrimPrefix(server, "http://"))
			},
		}}
	}
	return s3store.New(cfg, options)
}

// bucketOpener returns an opener of the bucket of a server.
func bucketOpener(t *testing.T, server string, o bucketOptions) opener {
	return func() *registry.Registry { return registry.New(openStore(t, server, o)) }
}

// serve serves a handler until the test ends. It returns the URL.
func serve(t *testing.T, handler http.Handler) (url string) {
	server := httptest.NewServer(handler)
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	return server.URL
}

// fakeBucket returns an empty bucket in memory.
func fakeBucket(t *testing.T) http.Handler {
	t.Helper()
	handler, err := s3server.Fake(bucket)
	if err != nil {
		t.Fatal(err)
	}
	return handler
}

// startGateway starts versitygw with an empty bucket, until the test ends.
func startGateway(ctx context.Context, t *testing.T) *s3server.Gateway {
	t.Helper()
	gateway, err := s3server.Versitygw(ctx, t.TempDir(), bucket)
	if errors.Is(err, s3server.ErrNoVersitygw) {
		missing(t, err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { gateway.Stop() })
	return gateway
}
