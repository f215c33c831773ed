// SPDX-License-Identifier: MPL-2.0

package torture

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/packer-chain/packer-plugin-chain/internal/store/storetest/s3server"
	"github.com/packer-chain/packer-plugin-chain/internal/tags"
)

// reaper passes the requests of a process through to the emulator, and has the process killed
// before or after one of them.
type reaper struct {
	proxy http.Handler

	mu sync.Mutex
	// steps are the changes that were requested, in order. Repeated ones have a number.
	steps []string
	at    string
	after bool
	// strike is closed when the process must die, gone when it is dead.
	strike, gone chan struct{}
}

func newReaper(target string) (*reaper, error) {
	proxy, err := s3server.Proxy(target)
	return &reaper{proxy: proxy}, err
}

// arm forgets all steps, and waits for the next one called at. An empty name kills nobody.
func (p *reaper) arm(at string, after bool) (strike <-chan struct{}, gone chan<- struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.steps, p.at, p.after = nil, at, after
	p.strike, p.gone = make(chan struct{}), make(chan struct{})
	return p.strike, p.gone
}

// seen returns the steps since [reaper.arm].
func (p *reaper) seen() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.steps)
}

func (p *reaper) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	due, after, strike, gone := p.note(r)
	if !due {
		p.proxy.ServeHTTP(w, r)
		return
	}
	if after {
		p.proxy.ServeHTTP(httptest.NewRecorder(), r)
	}
	close(strike)
	<-gone
}

// note notes the step, and reports whether the process is due to die.
func (p *reaper) note(r *http.Request) (due, after bool, strike, gone chan struct{}) {
	step := stepOf(r)
	p.mu.Lock()
	defer p.mu.Unlock()
	if step == "" {
		return false, false, nil, nil
	}
	before := 0
	for _, other := range p.steps {
		if other == step || strings.HasPrefix(other, step+" #") {
			before++
		}
	}
	if before > 0 {
		step = fmt.Sprintf("%s #%d", step, before+1)
	}
	p.steps = append(p.steps, step)
	return step == p.at, p.after, p.strike, p.gone
}

// scope is the region and the service in the signature of a request (Signature Version 4).
var scope = regexp.MustCompile(`Credential=[^/]+/\d+/([a-z0-9-]+)/([a-z0-9]+)/`)

// stepOf returns what a request changes, or "" for one that reads.
func stepOf(r *http.Request) string {
	found := scope.FindStringSubmatch(r.Header.Get("Authorization"))
	if found == nil {
		return ""
	}
	if found[2] == "s3" {
		if r.Method != http.MethodPut {
			return ""
		}
		return documentOf(r.URL.Path)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return ""
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	switch {
	case !strings.Contains(string(body), "Action=CreateTags"):
		return ""
	case strings.Contains(string(body), url.QueryEscape(tags.Manifest)):
		return "mark in " + found[1]
	}
	return "tags in " + found[1]
}

// documentOf returns which document of a registry a path names.
func documentOf(path string) string {
	file := strings.TrimSuffix(path, ".json")
	if _, name, isChannel := strings.Cut(file, "/channels/"); isChannel {
		return "channel " + name
	}
	if _, name, isLine := strings.Cut(file, "/lines/"); isLine {
		return "line " + name
	}
	if strings.Contains(file, "/builds/") {
		return "manifest"
	}
	return "test of the store"
}
