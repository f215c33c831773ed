// SPDX-License-Identifier: MPL-2.0

// Package amitest is an EC2 for tests that follows a script: for each region a list of requests in
// their order, and nothing else. It can do what emulators cannot: forget images, throttle, respond
// in pages, refuse, and not respond at all. No plugin code imports it.
package amitest

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
)

// Anywhere is the region of steps for requests to any region without its own script.
const Anywhere = ""

// Step is one request that is expected, and its response.
type Step struct {
	// Want are parameters that the request must have, such as "Action".
	Want map[string]string
	// Absent are parameters that it must not have.
	Absent []string
	// Status is the HTTP status of the response. Default: 200.
	Status int
	Body   string
	// Hang leaves the request without a response until the client goes away.
	Hang bool
}

// On returns the step with an action as the only parameter that the request must have.
func (s Step) On(action string) Step {
	s.Want = map[string]string{"Action": action}
	return s
}

// Server is an EC2 with a script for each region. It is safe for use by several goroutines.
type Server struct {
	// URL is its address, for custom_endpoint_ec2.
	URL string

	http *httptest.Server

	mu      sync.Mutex
	steps   map[string][]Step
	next    map[string]int
	seen    []string
	strange []error
}

// New returns a server that is the [http.RoundTripper] of a client, without a network, as
// testing/synctest needs it. The keys of steps are regions, or [Anywhere].
func New(steps map[string][]Step) *Server { return &Server{steps: steps, next: map[string]int{}} }

// Serve starts a server on the network.
func Serve(steps map[string][]Step) *Server {
	s := New(steps)
	s.http = httptest.NewServer(s)
	s.URL = s.http.URL
	return s
}

// RoundTrip passes a request to the server within the process.
func (s *Server) RoundTrip(r *http.Request) (*http.Response, error) {
	recorder := httptest.NewRecorder()
	s.ServeHTTP(recorder, r)
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	return recorder.Result(), nil
}

// Start is [Serve] for a test, which fails if the requests are not those of the script.
func Start(t testing.TB, steps map[string][]Step) *Server {
	t.Helper()
	s := Serve(steps)
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("the script of EC2: %v", err)
		}
	})
	return s
}

// Close stops the server and returns how the requests differed from the script: those that were not
// expected, had other parameters, or did not come.
func (s *Server) Close() error {
	if s.http != nil {
		s.http.Close()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	errs := s.strange
	for _, region := range slices.Sorted(maps.Keys(s.steps)) {
		if came := s.next[region]; came < len(s.steps[region]) {
			errs = append(errs, fmt.Errorf("%s: %d requests came, %d were expected; the next is %v",
				named(region), came, len(s.steps[region]), s.steps[region][came].Want))
		}
	}
	return errors.Join(errs...)
}

// Seen returns how many requests for an action came in a region so far.
func (s *Server) Seen(region, action string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, one := range s.seen {
		if one == region+" "+action {
			n++
		}
	}
	return n
}

// ServeHTTP responds with the next step of the region that the request is signed for.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_ = r.ParseForm()
	step, ok := s.take(r)
	if !ok {
		// A client does not retry this status.
		http.Error(w, "not in the script", http.StatusTeapot)
		return
	}
	if step.Hang {
		<-r.Context().Done()
		return
	}
	w.Header().Set("Content-Type", "text/xml")
	w.WriteHeader(max(step.Status, http.StatusOK))
	_, _ = io.WriteString(w, step.Body)
}

func (s *Server) take(r *http.Request) (Step, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	signed := signedRegion(r)
	s.seen = append(s.seen, signed+" "+r.PostForm.Get("Action"))
	region := signed
	if _, scripted := s.steps[region]; !scripted {
		region = Anywhere
	}
	n := s.next[region]
	s.next[region]++
	if n >= len(s.steps[region]) {
		s.strange = append(s.strange, fmt.Errorf("%s: request %d was not expected: %v",
			named(signed), n+1, r.PostForm))
		return Step{}, false
	}
	step := s.steps[region][n]
	for _, key := range slices.Sorted(maps.Keys(step.Want)) {
		if got := r.PostForm.Get(key); got != step.Want[key] {
			s.strange = append(s.strange, fmt.Errorf("%s: request %d has %s=%q, want %q",
				named(signed), n+1, key, got, step.Want[key]))
		}
	}
	for _, key := range step.Absent {
		if r.PostForm.Has(key) {
			s.strange = append(s.strange, fmt.Errorf("%s: request %d has %s=%q",
				named(signed), n+1, key, r.PostForm.Get(key)))
		}
	}
	return step, true
}

var scope = regexp.MustCompile(`Credential=[^/]+/[0-9]+/([^/]+)/ec2/`)

// signedRegion returns the region in the signature of a request (AWS Signature Version 4,
// credential scope).
func signedRegion(r *http.Request) string {
	if match := scope.FindStringSubmatch(r.Header.Get("Authorization")); match != nil {
		return match[1]
	}
	return ""
}

func named(region string) string {
	if region == Anywhere {
		return "any region"
	}
	return strings.ToLower(region)
}
