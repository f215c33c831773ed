// SPDX-License-Identifier: MPL-2.0

// Package parametertest is an SSM Parameter Store for tests. It can do what emulators cannot: check
// an AMI after it has accepted it, take its time, drop an AMI that it does not find, throttle,
// refuse, lose a response, and not respond at all. No plugin code imports it.
package parametertest

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// The actions of the server.
const (
	Get = "GetParameter"
	Put = "PutParameter"
)

// Image is the data type of a parameter that names an AMI.
const Image = "aws:ec2:image"

// Parameter is a parameter as SSM shows it.
type Parameter struct {
	Value, Type, DataType string
	Version               int64
}

// Step is how the next request of an action is served.
type Step struct {
	// Status and Code are those of an error. A Status of 0 serves the request.
	Status  int
	Code    string
	Message string
	// Hang leaves the request without a response until the client goes away.
	Hang bool
	// Served serves the request before it fails or hangs: only the response is lost.
	Served bool
}

// Server is an SSM in all regions. It is safe for use by several goroutines.
type Server struct {
	// URL is its address, for AWS_ENDPOINT_URL_SSM.
	URL string
	// Check, if set, returns how long SSM takes until it shows an AMI, and whether it ever does.
	// Nil: it does so at once. Set it before the first request.
	Check func(ami string) (time.Duration, bool)
	// Same has concurrent writes get the same version: that after the one that is shown. Then only
	// the first of them is ever shown.
	Same bool

	mu       sync.Mutex
	shown    map[string]Parameter
	versions map[string]int64
	pending  []pending
	steps    map[string][]Step
	seen     []string
}

// pending is a write that was accepted and is not shown yet.
type pending struct {
	at        time.Time
	key       string
	parameter Parameter
}

// New returns a server that is the [http.RoundTripper] of a client, without a network, as
// testing/synctest needs it.
func New() *Server {
	return &Server{shown: map[string]Parameter{}, versions: map[string]int64{},
		steps: map[string][]Step{}}
}

// Start starts a server on the network, until the test ends.
func Start(t testing.TB) *Server {
	t.Helper()
	s := New()
	listening := httptest.NewServer(s)
	t.Cleanup(listening.Close)
	s.URL = listening.URL
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

// Set puts a parameter there as it is, as somebody else would have done. Version 0 is the next.
func (s *Server) Set(region, name string, p Parameter) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := region + " " + name
	if p.Version == 0 {
		p.Version = s.versions[key] + 1
	}
	s.versions[key] = p.Version
	s.shown[key] = p
}

// Shown returns what SSM shows of a parameter, or the zero Parameter.
func (s *Server) Shown(region, name string) Parameter {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settle()
	return s.shown[region+" "+name]
}

// Next has the next requests of an action served by these steps, in any region.
func (s *Server) Next(action string, steps ...Step) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.steps[action] = append(s.steps[action], steps...)
}

// Seen returns how many requests of an action came in a region so far.
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

var scope = regexp.MustCompile(`Credential=[^/]+/[0-9]+/([^/]+)/ssm/`)

// ServeHTTP serves one request of the protocol AWS JSON 1.1.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	action, ofSSM := strings.CutPrefix(r.Header.Get("X-Amz-Target"), "AmazonSSM.")
	signed := scope.FindStringSubmatch(r.Header.Get("Authorization"))
	var in request
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil || !ofSSM || signed == nil {
		// A client does not retry this status.
		http.Error(w, "not a signed request of SSM", http.StatusTeapot)
		return
	}
	status, out, hang := s.serve(signed[1], action, in)
	if hang {
		<-r.Context().Done()
		return
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(out)
}

// settle shows the writes whose time has come, in the order of their versions.
func (s *Server) settle() {
	now := time.Now()
	slices.SortStableFunc(s.pending, func(a, b pending) int { return a.at.Compare(b.at) })
	for len(s.pending) > 0 && !s.pending[0].at.After(now) {
		one := s.pending[0]
		s.pending = s.pending[1:]
		if one.parameter.Version > s.shown[one.key].Version {
			s.shown[one.key] = one.parameter
		}
	}
}
