// SPDX-License-Identifier: MPL-2.0

// Package s3server is S3 for tests: a bucket in memory, versitygw as a real process, and handlers
// that break a bucket on purpose, in front of either.
package s3server

import (
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync"
	"time"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
)

// Fake is a bucket in memory, by gofakes3.
func Fake(bucket string) (http.Handler, error) {
	backend := s3mem.New()
	if err := backend.CreateBucket(bucket); err != nil {
		return nil, err
	}
	return &matchAbsent{next: gofakes3.New(backend, gofakes3.WithTimeSkewLimit(0)).Server()}, nil
}

// matchAbsent rejects If-Match on an absent object as Amazon does, with 404; gofakes3 sends 412.
type matchAbsent struct {
	mu   sync.Mutex
	next http.Handler
}

func (m *matchAbsent) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPut {
		m.next.ServeHTTP(w, r)
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if r.Header.Get("If-Match") != "" {
		head := httptest.NewRequest(http.MethodHead, r.URL.String(), nil)
		response := httptest.NewRecorder()
		m.next.ServeHTTP(response, head)
		if response.Code == http.StatusNotFound {
			Fail(w, http.StatusNotFound, "NoSuchKey")
			return
		}
	}
	m.next.ServeHTTP(w, r)
}

// Fail sends an error as S3 does; an empty code means an empty body.
func Fail(w http.ResponseWriter, status int, code string) {
	w.Header().Set("X-Amz-Request-Id", "REQ123")
	w.WriteHeader(status)
	if code != "" {
		_, _ = io.WriteString(w, "<Error><Code>"+code+"</Code><Message>on purpose</Message></Error>")
	}
}

// Proxy passes requests through to the server at an address. It keeps the name of the host, which
// is signed. It prints no errors, because killed processes cause many.
func Proxy(address string) (*httputil.ReverseProxy, error) {
	to, err := url.Parse(address)
	if err != nil {
		return nil, err
	}
	return &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme, r.Out.URL.Host = to.Scheme, to.Host
		},
		ErrorLog: log.New(io.Discard, "", 0),
		Transport: &http.Transport{
			DisableCompression: true, MaxIdleConnsPerHost: 256, ExpectContinueTimeout: time.Second,
		},
	}, nil
}
