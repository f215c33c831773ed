// SPDX-License-Identifier: MPL-2.0

package acceptance

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/packer-chain/packer-plugin-chain/test/lab/packercli"
)

const (
	// interruptLimit is the promise: how long a publication may go on after Ctrl-C.
	interruptLimit = 5 * time.Second
	// machineSlack is for a machine that is busy with other tests. The full run has none.
	machineSlack = 5 * time.Second
)

// stuck hands requests on to a server until the first one that match picks. That one and all after it
// are never answered; the first one is handed on before, if landed is true.
func stuck(t *testing.T, target string, landed bool, match func(*http.Request) bool) (endpoint string, reached <-chan struct{}) {
	t.Helper()
	to, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(to) }}
	hung, quit := make(chan struct{}), make(chan struct{})
	var mu sync.Mutex
	var once sync.Once
	isStuck := false
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		first := !isStuck && match(r)
		isStuck = isStuck || first
		hang := isStuck
		mu.Unlock()
		if !hang || (first && landed) {
			var answer = w
			if hang {
				answer = httptest.NewRecorder()
			}
			proxy.ServeHTTP(answer, r)
		}
		if hang {
			once.Do(func() { close(hung) })
			<-quit
		}
	}))
	t.Cleanup(func() {
		close(quit)
		server.Close()
	})
	return server.URL, hung
}

// interrupted runs packer build, interrupts it when reached is closed, and answers how long
// packer went on from there.
func (l *lab) interrupted(folder string, reached <-chan struct{}) (packercli.Result, time.Duration) {
	l.t.Helper()
	ctx, cancel := context.WithTimeout(l.t.Context(), 2*time.Minute)
	defer cancel()
	at := make(chan time.Time, 1)
	go func() {
		select {
		case <-reached:
			at <- time.Now()
			cancel()
		case <-ctx.Done():
		}
	}()
	// That the context ended is no surprise.
	result, _ := l.packer.Run(ctx, filepath.Join(l.repo.Dir, folder), "build", "-color=false", ".")
	select {
	case began := <-at:
		return result, time.Since(began)
	default:
		l.t.Fatalf("packer never got to where it hangs\n%s", result)
		return result, 0
	}
}

// wantSoon ends the test unless packer ended in time, and not with success.
func (l *lab) wantSoon(result packercli.Result, took time.Duration, texts ...string) {
	l.t.Helper()
	l.t.Logf("packer went on for %s", took)
	limit := interruptLimit
	if os.Getenv("CHAIN_LONG") == "" {
		limit += machineSlack
	}
	if took > limit {
		l.t.Errorf("packer went on for %s, want at most %s\n%s", took, limit, result)
	}
	wantOutput(l.t, wantCode(l.t, 1, result), texts...)
}

// TestAccInterrupt presses Ctrl-C while the registry does not answer: packer ends soon, and the text says
// what is published. Cause of what it found: after Ctrl-C the plugin went on for up to 20 seconds to take
// back what it had published, from a registry that did not answer.
func TestAccInterrupt(t *testing.T) {
	t.Parallel()
	put := func(part string) func(*http.Request) bool {
		return func(r *http.Request) bool { return r.Method == http.MethodPut && strings.Contains(r.URL.Path, part) }
	}
	const keep, fail = "", `on_failure = "fail"`
	for _, tt := range []struct {
		name, options string
		landed        bool
		match         func(*http.Request) bool
		want          []string
		manifests     int
	}{
		{"test of the store", keep, false, put("conditional-write-test"),
			[]string{"The manifest is not published.", "The image is kept: File", "run the same packer build again, in the same folder"}, 0},
		{"manifest", keep, true, put("/builds/"),
			[]string{"It is unknown whether the manifest is published: read s3://acme-images/chain/base/builds/", "The image is kept: File"}, 1},
		{"ref", keep, true, put("/refs/latest"),
			[]string{"The manifest is published (s3://acme-images/chain/base/builds/", "the refs or the local manifest are not complete."}, 1},
		{"manifest, fail", fail, true, put("/builds/"),
			[]string{"Post-processor failed: publish base: ", "It is unknown whether the manifest is published: read s3://"}, 1},
		{"ref, fail", fail, true, put("/refs/latest"),
			[]string{"Post-processor failed: publish base: ", "It could not be taken back: "}, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			l := failureLab(t, inFile(t, replaceOnce(t, breakable(t, tt.options), `"4s"`, `"10m"`)))
			endpoint, reached := stuck(t, l.aws.Endpoint, tt.landed, tt.match)
			healthy := l.packer
			l.packer = healthy.With("PKR_VAR_endpoint=" + endpoint).InTerminal()
			result, took := l.interrupted("base", reached)
			l.wantSoon(result, took, append(tt.want, "Cancelling build after receiving interrupt", "context canceled")...)
			if n := l.manifests("base"); n != tt.manifests {
				t.Errorf("%d manifests, want %d", n, tt.manifests)
			}

			t.Log("the same build again finishes")
			l.packer = healthy
			l.mustBuild("base")
			wantOutput(t, l.mustBuild("base"), "unchanged: nothing is built")
			if ref := l.ref("base", "latest"); ref.Fingerprint == "" {
				t.Errorf("latest: %+v", ref)
			}
		})
	}
}

// TestAccInterrupt_tags is told to end by a CI agent while EC2 does not answer: the AMI is kept, and
// published by the next build.
func TestAccInterrupt_tags(t *testing.T) {
	t.Parallel()
	template := replaceOnce(t, breakable(t, `custom_endpoint_ec2 = var.ec2`), `"4s"`, `"10m"`) + "\nvariable \"ec2\" { type = string }\n"
	l := failureLab(t, template)
	endpoint, reached := stuck(t, l.aws.Endpoint, false, func(*http.Request) bool { return true })
	healthy := l.packer.With("PKR_VAR_ec2=" + l.aws.Endpoint)
	l.packer = l.packer.With("PKR_VAR_ec2=" + endpoint)
	result, took := l.interrupted("base", reached)
	l.wantSoon(result, took, "Cancelling build after receiving terminated", "The manifest is not published.", "The image is kept: "+region+":ami-")
	l.wantNothingBuilt(1, result)
	l.packer = healthy
	l.wantNothingBuilt(1, l.mustBuild("base"))
	wantOutput(t, l.mustBuild("base"), "unchanged: nothing is built")
}

// TestAccInterrupt_dataSource presses Ctrl-C before anything is built. Cause of what it found: Packer gives a
// data source no context, so it went on until its own time limit of minutes; and when it answered faster than
// Packer saw the signal, Packer exited with 0.
func TestAccInterrupt_dataSource(t *testing.T) {
	t.Parallel()
	for name, template := range map[string]string{
		"chain": fmt.Sprintf(asker, "registry = var.registry\nimage = \"base\"\nregistry_access {\n"+`
			endpoint = var.endpoint
			use_path_style = true
		}`),
		"chain-image": replaceOnce(t, inFile(t, bakery), "path     = path.root", `path     = path.root
			registry_access {
				endpoint = var.endpoint
				use_path_style = true
			}`),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := failureLab(t, template+"\nvariable \"endpoint\" { type = string }\n")
			endpoint, reached := stuck(t, l.aws.Endpoint, false, func(*http.Request) bool { return true })
			l.packer = l.packer.With("PKR_VAR_endpoint=" + endpoint).InTerminal()
			result, took := l.interrupted("base", reached)
			l.wantSoon(result, took, "context canceled", "Cancelling build after receiving interrupt")
		})
	}
}

// inFile makes a template build a file instead of an AMI.
func inFile(t *testing.T, template string) string {
	t.Helper()
	begin, end := strings.Index(template, `source "amazon-ebs" "image" {`), strings.Index(template, `source "chain" "unchanged"`)
	if begin < 0 || end < begin {
		t.Fatal("the template has no source amazon-ebs")
	}
	template = template[:begin] + "source \"file\" \"image\" {\n  content = \"hello\"\n  target  = \"${path.root}/../out/image\"\n}\n" + template[end:]
	return replaceOnce(t, template, "source.amazon-ebs.image", "source.file.image")
}

// manifests counts those of an image in the registry.
func (l *lab) manifests(image string) int {
	l.t.Helper()
	n := 0
	for _, key := range l.keys(image) {
		if strings.HasPrefix(key, "builds/") {
			n++
		}
	}
	return n
}
