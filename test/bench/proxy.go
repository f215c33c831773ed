// SPDX-License-Identifier: MPL-2.0

package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"time"

	"github.com/packer-chain/packer-plugin-chain/internal/store/storetest/s3server"
)

// The addresses that all programs use. At an address of this machine, the plugin would first test
// whether the store keeps conditions.
const (
	s3Host  = "s3.eu-west-1.amazonaws.com"
	ec2Host = "ec2.eu-west-1.amazonaws.com"
)

// proxy is the HTTP_PROXY of all programs. They talk to AWS over plain HTTP, and it passes their
// requests through to the servers of this machine, after delay, and in rounds if they are counted.
type proxy struct {
	*httptest.Server
	rounds rounds
	delay  atomic.Int64
}

func startProxy(s3, ec2 string) (*proxy, error) {
	toS3, err := s3server.Proxy(s3)
	if err != nil {
		return nil, err
	}
	toEC2, err := s3server.Proxy(ec2)
	if err != nil {
		return nil, err
	}
	// The emulator has one thread, and a connection that is kept open would hold it up.
	toEC2.Transport = &http.Transport{DisableCompression: true, DisableKeepAlives: true}
	p := &proxy{}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next, what := toEC2, "EC2"
		if strings.HasSuffix(r.Host, s3Host) {
			next, what = toS3, "S3 "+r.Method+" "+r.URL.Path
		} else {
			// The emulator would take the region from the name of the host, not from the signature.
			r.Host = strings.TrimPrefix(ec2, "http://")
			if target := r.Header.Get("X-Amz-Target"); target != "" {
				what = target
			}
		}
		// Both plugins use the AWS SDK; the Amazon plugin adds a mark of its maker.
		if strings.Contains(r.UserAgent(), "HashiCorp/") {
			p.rounds.restart()
		} else {
			defer p.rounds.enter(what)()
		}
		time.Sleep(time.Duration(p.delay.Load()))
		next.ServeHTTP(w, r)
	}))
	return p, nil
}
