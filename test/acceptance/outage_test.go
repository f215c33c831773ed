// SPDX-License-Identifier: MPL-2.0

package acceptance

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// stuck passes requests through to a server until the first one that match picks. That one and all
// after it hang. If landed is true, the first one still reaches the server.
func stuck(
	t testing.TB, target string, landed bool, match func(*http.Request) bool,
) (endpoint string, reached <-chan struct{}) {
	t.Helper()
	to, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(to) }}
	hung, quit := make(chan struct{}), make(chan struct{})
	var mu sync.Mutex
	isStuck := false
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		first := !isStuck && match(r)
		isStuck = isStuck || first
		hang := isStuck
		mu.Unlock()
		switch {
		case !hang:
			proxy.ServeHTTP(w, r)
			return
		case first && landed:
			proxy.ServeHTTP(httptest.NewRecorder(), r)
		}
		if first {
			close(hung)
		}
		<-quit
	}))
	t.Cleanup(func() {
		close(quit)
		server.Close()
	})
	return server.URL, hung
}

// refusing returns an error of S3 to all requests.
func refusing(t testing.TB, status int, code string) (endpoint string) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		fmt.Fprintf(w, "<Error><Code>%s</Code><Message>for the test</Message></Error>", code)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// readOnly passes requests through to a server, but for those that write.
func readOnly(t testing.TB, target string) (endpoint string) {
	t.Helper()
	to, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	denying, err := url.Parse(refusing(t, http.StatusForbidden, "AccessDenied"))
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		if r.In.Method == http.MethodGet {
			r.SetURL(to)
		} else {
			r.SetURL(denying)
		}
	}})
	t.Cleanup(server.Close)
	return server.URL
}

// forgetful passes requests through to a server, but shows an AMI in none of the first n answers of
// EC2 about it.
func forgetful(t testing.TB, target, ami string, n int) (endpoint string) {
	t.Helper()
	to, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(to) }}
	var asked atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		form := string(body)
		r.Body = io.NopCloser(strings.NewReader(form))
		isAbout := strings.Contains(form, "Action=DescribeImages") && strings.Contains(form, ami)
		if isAbout && asked.Add(1) <= int64(n) {
			fmt.Fprint(w, "<DescribeImagesResponse><imagesSet/></DescribeImagesResponse>")
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// deprecate makes EC2 say that the deprecation time of an AMI has passed. moto knows no such time.
func deprecate(ts *testscript.TestScript, l *lab, args []string) error {
	to, err := url.Parse(l.aws.Endpoint)
	if err != nil {
		return err
	}
	id := "<imageId>" + args[0] + "</imageId>"
	const passed = "<deprecationTime>2026-01-01T00:00:00.000Z</deprecationTime>"
	server := httptest.NewServer(&httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(to) },
		ModifyResponse: func(r *http.Response) error {
			body, err := io.ReadAll(r.Body)
			text := strings.ReplaceAll(string(body), id, id+passed)
			r.Body, r.ContentLength = io.NopCloser(strings.NewReader(text)), int64(len(text))
			r.Header.Set("Content-Length", strconv.Itoa(len(text)))
			return err
		},
	})
	l.t.Cleanup(server.Close)
	ts.Setenv("AWS_ENDPOINT_URL_EC2", server.URL)
	return nil
}

// hide makes EC2 not show an AMI in its next answers, as it may for minutes after it was made.
func hide(ts *testscript.TestScript, l *lab, args []string) error {
	n, err := strconv.Atoi(args[1])
	ts.Setenv("AWS_ENDPOINT_URL_EC2", forgetful(l.t, l.aws.Endpoint, args[0], n))
	return err
}

func anyRequest(*http.Request) bool { return true }

// putTo matches what writes an object whose key holds part.
func putTo(parts ...string) func(*http.Request) bool {
	return func(r *http.Request) bool {
		return r.Method == http.MethodPut && slices.ContainsFunc(parts, func(part string) bool {
			return strings.Contains(r.URL.Path, part)
		})
	}
}
