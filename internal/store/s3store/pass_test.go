// SPDX-License-Identifier: MPL-2.0

package s3store

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/packer-chain/packer-plugin-chain/internal/store"
	"github.com/packer-chain/packer-plugin-chain/internal/store/storetest"
	"github.com/packer-chain/packer-plugin-chain/internal/store/storetest/s3server"
	"github.com/packer-chain/packer-plugin-chain/internal/version"
)

// testWrites counts the writes of the self-test, without those that remember a pass.
func testWrites(requests *recorder) (n int) {
	for _, r := range requests.all() {
		isTest := r.method == http.MethodPut && strings.HasSuffix(r.path, testKey)
		if isTest && !strings.Contains(r.body, `"passed":`) {
			n++
		}
	}
	return n
}

// readTogether holds back the first n reads of the test object until all of them have come.
func readTogether(bucket http.Handler, n int) http.HandlerFunc {
	var mu sync.Mutex
	all := make(chan struct{})
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, testKey) {
			mu.Lock()
			if n--; n == 0 {
				close(all)
			}
			mu.Unlock()
			<-all
		}
		bucket.ServeHTTP(w, r)
	}
}

// mustPut writes an object as a new process would.
func mustPut(t *testing.T, server, name string) {
	t.Helper()
	if _, err := foreign(t, server, Options{}).Put(t.Context(), name, []byte("{}"), ""); err != nil {
		t.Fatalf("write %s: %v", name, err)
	}
}

// document is the test object as it lies in the bucket.
func document(t *testing.T, server string) []byte {
	t.Helper()
	object, err := foreign(t, server, Options{}).Get(t.Context(), testKey)
	if err != nil {
		t.Fatal(err)
	}
	return object.Body
}

func remembered(t *testing.T, server string) bool {
	t.Helper()
	return bytes.Contains(document(t, server), []byte(`"passed":`))
}

// plant puts a test object into the bucket.
func plant(t *testing.T, server string, body []byte) {
	t.Helper()
	s := foreign(t, server, Options{})
	if _, err := s.putOnce(t.Context(), overwrite, testKey, body, ""); err != nil {
		t.Fatal(err)
	}
}

// The second process reads one document and tests nothing.
func TestPass_secondProcess(t *testing.T) {
	gateway, err := s3server.Proxy(startVersitygw(t))
	if err != nil {
		t.Fatal(err)
	}
	for name, bucket := range map[string]http.Handler{"gofakes3": fakeS3(t), "versitygw": gateway} {
		t.Run(name, func(t *testing.T) {
			requests, server := serve(t, bucket.ServeHTTP)
			mustPut(t, server, "a.json")
			before := len(requests.all())
			if before != selfTestRequests+1 {
				t.Errorf("first process: %d requests, want %d", before, selfTestRequests+1)
			}
			mustPut(t, server, "b.json")
			want := []string{"GET " + testKey, "PUT b.json *"}
			if diff := cmp.Diff(want, methods(requests.all()[before:])); diff != "" {
				t.Errorf("second process (-want +got):\n%s", diff)
			}
		})
	}
}

func TestPass_document(t *testing.T) {
	_, server := serve(t, fakeS3(t).ServeHTTP)
	secret := strings.Replace(server, "//", "//user:passw0rd@", 1)
	mustPut(t, secret, key)
	body := document(t, server)
	if bytes.Contains(body, []byte("passw0rd")) || bytes.Contains(body, []byte("user")) {
		t.Errorf("the document holds credentials: %s", body)
	}
	var got testDocument
	if err := json.Unmarshal(body, &got); err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	want := &tested{
		Endpoint: u.Host, Bucket: bucket, Prefix: "chain", Plugin: version.String(), Test: testVersion,
	}
	if diff := cmp.Diff(want, got.Passed); diff != "" {
		t.Errorf("pass (-want +got):\n%s", diff)
	}
	if age := time.Since(got.PassedAt); age < 0 || age > time.Minute || got.ID == "" {
		t.Errorf("passed at %s, id %q", got.PassedAt, got.ID)
	}
}

// What is damaged, or of something else, counts for nothing, and is replaced.
func TestPass_void(t *testing.T) {
	change := func(field string, value any) func(map[string]any) {
		return func(passed map[string]any) { passed[field] = value }
	}
	whole := func(edit func([]byte) []byte) func(*testing.T, []byte) []byte {
		return func(_ *testing.T, body []byte) []byte { return edit(body) }
	}
	text := func(s string) func(*testing.T, []byte) []byte {
		return whole(func([]byte) []byte { return []byte(s) })
	}
	field := func(edit func(map[string]any)) func(*testing.T, []byte) []byte {
		return func(t *testing.T, body []byte) []byte {
			var d map[string]any
			if err := json.Unmarshal(body, &d); err != nil {
				t.Fatal(err)
			}
			edit(d["passed"].(map[string]any))
			body, err := json.Marshal(d)
			if err != nil {
				t.Fatal(err)
			}
			return body
		}
	}
	requests, server := serve(t, fakeS3(t).ServeHTTP)
	mustPut(t, server, "first.json")
	good := document(t, server)
	for name, edit := range map[string]func(*testing.T, []byte) []byte{
		"cut":             whole(func(b []byte) []byte { return b[:len(b)-5] }),
		"twice":           whole(func(b []byte) []byte { return append(b, b...) }),
		"empty":           text(""),
		"null":            text("null"),
		"list":            text("[]"),
		"true":            text(`{"passed":true}`),
		"no fields":       text(`{"passed":{}}`),
		"a test":          whole(func([]byte) []byte { return testDocument{}.body() }),
		"other endpoint":  field(change("endpoint", "127.0.0.1:1")),
		"no endpoint":     field(change("endpoint", "")),
		"other bucket":    field(change("bucket", "acme-images2")),
		"other prefix":    field(change("prefix", "chain/a")),
		"older plugin":    field(change("plugin", "0.0.9")),
		"older test":      field(change("test", testVersion-1)),
		"newer test":      field(change("test", testVersion+1)),
		"test as a text":  field(change("test", fmt.Sprint(testVersion))),
		"without a field": field(func(passed map[string]any) { delete(passed, "plugin") }),
	} {
		t.Run(name, func(t *testing.T) {
			plant(t, server, edit(t, bytes.Clone(good)))
			before := testWrites(requests)
			mustPut(t, server, name+"/a.json")
			if got := testWrites(requests) - before; got != selfTestWrites {
				t.Errorf("%d writes of the test, want %d", got, selfTestWrites)
			}
			before = testWrites(requests)
			mustPut(t, server, name+"/b.json")
			if got := testWrites(requests) - before; got != 0 {
				t.Errorf("%d writes of the test, want none: a new pass is remembered", got)
			}
		})
	}
}

// A bucket may be copied to a store that lies, with the document that praises the old one.
func TestPass_copiedToLiar(t *testing.T) {
	_, good := serve(t, fakeS3(t).ServeHTTP)
	mustPut(t, good, key)
	praise := document(t, good)
	for _, tt := range []struct {
		name string
		make func(http.Handler) http.Handler
		want error
	}{
		{"ignores", s3server.Unconditional, errConditionsIgnored},
		{"refuses", s3server.Unimplemented, errNoConditions},
		{"races", func(h http.Handler) http.Handler {
			return s3server.Racy(h, 20*time.Millisecond)
		}, errConditionsRacy},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, server := serve(t, tt.make(fakeS3(t)).ServeHTTP)
			plant(t, server, praise)
			for range 2 {
				_, err := foreign(t, server, Options{}).Put(t.Context(), key, []byte("{}"), "")
				wantErr(t, err, tt.want)
			}
			if body := document(t, server); !bytes.Equal(body, praise) && remembered(t, server) {
				t.Errorf("a failed test is remembered as passed: %s", body)
			}
		})
	}
}

// meddle lets another process replace the test object before each write that is to replace it.
func meddle(bucket http.Handler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("If-Match") != "" && r.Header.Get("If-Match") != madeUpTag {
			body := testDocument{}.body()
			theirs := httptest.NewRequest(http.MethodPut, r.URL.String(), bytes.NewReader(body))
			theirs.Header.Set("Content-Length", fmt.Sprint(len(body)))
			bucket.ServeHTTP(httptest.NewRecorder(), theirs)
		}
		bucket.ServeHTTP(w, r)
	}
}

// once responds to the n-th write that is to replace the test object in its own way.
func once(bucket http.Handler, n int, answer http.HandlerFunc) http.HandlerFunc {
	var mu sync.Mutex
	return func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		if r.Header.Get("If-Match") != "" {
			n--
		}
		chosen := r.Header.Get("If-Match") != "" && n == 0
		mu.Unlock()
		if chosen {
			answer(w, r)
			return
		}
		bucket.ServeHTTP(w, r)
	}
}

// A test that another process or a fault disturbed finds no fault, but has seen too little.
func TestPass_disturbed(t *testing.T) {
	failed := func(status int, code string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { fail(w, status, code) }
	}
	const last = 1 + raceRounds*raceWriters
	for name, tt := range map[string]struct {
		in   http.HandlerFunc
		want bool
	}{
		"nothing":         {fakeS3(t).ServeHTTP, true},
		"meddled":         {meddle(fakeS3(t)), false},
		"meddled, racy":   {meddle(s3server.Racy(fakeS3(t), 5*time.Millisecond)), false},
		"lost answer":     {once(fakeS3(t), last, failed(500, "InternalError")), false},
		"slow down":       {once(fakeS3(t), last, failed(503, "SlowDown")), false},
		"met a write":     {once(fakeS3(t), last, failed(409, "ConditionalRequestConflict")), true},
		"not written":     {once(fakeS3(t), last+1, failed(412, "PreconditionFailed")), false},
		"not written 500": {once(fakeS3(t), last+1, failed(500, "InternalError")), false},
	} {
		t.Run(name, func(t *testing.T) {
			_, server := serve(t, tt.in)
			plant(t, server, testDocument{}.body())
			mustPut(t, server, key)
			if got := remembered(t, server); got != tt.want {
				t.Errorf("remembered %v, want %v: %s", got, tt.want, document(t, server))
			}
		})
	}
}

// Two processes that test at once pass, and find out a store that lies.
func TestPass_twoAtOnce(t *testing.T) {
	for name, tt := range map[string]struct {
		in   http.Handler
		want error
	}{
		"good": {fakeS3(t), nil},
		"racy": {s3server.Racy(fakeS3(t), 20*time.Millisecond), errConditionsRacy},
	} {
		t.Run(name, func(t *testing.T) {
			requests, server := serve(t, readTogether(tt.in, 2))
			var all sync.WaitGroup
			for i := range 2 {
				s := foreign(t, server, Options{})
				all.Go(func() {
					_, err := s.Put(t.Context(), fmt.Sprint(i, ".json"), []byte("{}"), "")
					wantErr(t, err, tt.want)
				})
			}
			all.Wait()
			if tt.want != nil {
				if remembered(t, server) {
					t.Error("a store that races is remembered as one that passed")
				}
				return
			}
			if got := testWrites(requests); got != 2*selfTestWrites {
				t.Errorf("%d writes of the test, want %d", got, 2*selfTestWrites)
			}
			// Whatever they left, the next processes are done with at most one more test.
			mustPut(t, server, "next.json")
			before := testWrites(requests)
			mustPut(t, server, "last.json")
			if got := testWrites(requests) - before; got != 0 {
				t.Errorf("%d writes of the test, want none", got)
			}
		})
	}
}

// A publication reads the pass together with what it changes, so that no request waits for it.
func TestPass_readAhead(t *testing.T) {
	requests, server := serve(t, fakeS3(t).ServeHTTP)
	mustPut(t, server, "first.json")
	second := foreign(t, server, Options{})
	if err := second.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	before := len(requests.all())
	absent := &store.Object{}
	_, err := store.Updater{Store: second}.Update(t.Context(), key, absent, storetest.Append("a"))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"PUT " + key + " *"}
	if diff := cmp.Diff(want, methods(requests.all()[before:])); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
}

// Where no pass is remembered, reading ahead writes nothing: the test is for the first write.
func TestPass_readAheadOfNone(t *testing.T) {
	requests, server := serve(t, fakeS3(t).ServeHTTP)
	s := foreign(t, server, Options{})
	if err := s.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"GET " + testKey}, methods(requests.all())); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
	if _, err := s.Put(t.Context(), key, []byte("{}"), ""); err != nil {
		t.Fatal(err)
	}
	if got := testWrites(requests); got != selfTestWrites {
		t.Errorf("%d writes of the test, want %d", got, selfTestWrites)
	}
}

// A read that fails for good is followed by the test; one that fails for a moment is not.
func TestPass_unreadable(t *testing.T) {
	for _, tt := range []struct {
		status int
		code   string
		want   error
		writes int
	}{
		{403, "AccessDenied", nil, selfTestWrites},
		{500, "InternalError", store.ErrTransient, 0},
	} {
		bucket := fakeS3(t)
		requests, server := serve(t, func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodGet {
				fail(w, tt.status, tt.code)
				return
			}
			bucket.ServeHTTP(w, r)
		})
		_, err := foreign(t, server, Options{}).Put(t.Context(), key, []byte("{}"), "")
		wantErr(t, err, tt.want)
		if got := testWrites(requests); got != tt.writes {
			t.Errorf("%d: %d writes of the test, want %d", tt.status, got, tt.writes)
		}
	}
}
