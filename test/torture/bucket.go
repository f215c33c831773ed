// SPDX-License-Identifier: MPL-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/packer-chain/packer-plugin-chain/internal/registry"
	"github.com/packer-chain/packer-plugin-chain/internal/store/s3store"
	"github.com/packer-chain/packer-plugin-chain/internal/store/storetest/s3server"
)

const bucket = "acme-images"

// bucketOptions say how the tests open a bucket.
type bucketOptions struct {
	// trusted hides from the store that the server is not Amazon's, so that it does not test it.
	trusted bool
	// attempt is the limit of one request. 0: the default of the plugin.
	attempt time.Duration
}

// openBucket is a registry in the bucket of a server, with connections and a self-test of its own.
func openBucket(ctx context.Context, server string, o bucketOptions) (*registry.Registry, error) {
	s, err := openStore(ctx, server, o)
	if err != nil {
		return nil, err
	}
	return registry.New(s), nil
}

func openStore(ctx context.Context, server string, o bucketOptions) (*s3store.Store, error) {
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
	return s3store.New(cfg, options), nil
}

// bucketOpener opens the bucket of a server for many writers.
func bucketOpener(ctx context.Context, server string, o bucketOptions) opener {
	return func(int) (*registry.Registry, error) { return openBucket(ctx, server, o) }
}

// serve begins to serve a handler. The caller calls stop.
func serve(handler http.Handler) (url string, stop func()) {
	server := httptest.NewServer(handler)
	return server.URL, func() {
		server.CloseClientConnections()
		server.Close()
	}
}

// fakeBucket is an empty bucket in memory.
func fakeBucket() (http.Handler, error) { return s3server.Fake(bucket) }

// startGateway starts versitygw with an empty bucket. The caller stops it.
func startGateway(ctx context.Context, r *Run) (*s3server.Gateway, error) {
	gateway, err := s3server.Versitygw(ctx, r.TempDir(), bucket)
	if errors.Is(err, s3server.ErrNoVersitygw) {
		return nil, fmt.Errorf("%w: %w", errNoTool, err)
	}
	return gateway, err
}
