// SPDX-License-Identifier: MPL-2.0

package s3store

import (
	"errors"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/packer-chain/packer-plugin-chain/internal/store"
	"github.com/packer-chain/packer-plugin-chain/internal/store/storetest/s3server"
)

func methods(requests []recorded) []string {
	var got []string
	for _, r := range requests {
		condition := strings.TrimSpace(r.header.Get("If-None-Match") + " " + r.header.Get("If-Match"))
		path := strings.TrimPrefix(r.path, "/acme-images/chain/")
		got = append(got, strings.TrimSpace(r.method+" "+path+" "+condition))
	}
	return got
}

// selfTestWrites are those of one test: a race of writers that create, two writes that must fail,
// and races of writers that replace. Before them the pass is read, and after them it is written.
const (
	selfTestWrites   = raceWriters + 2 + raceRounds*raceWriters
	selfTestRequests = 1 + selfTestWrites + 1
)

func TestSelfTest_once(t *testing.T) {
	requests, server := serve(t, fakeS3(t).ServeHTTP)
	s := foreign(t, server, Options{})
	for _, name := range []string{"a.json", "b.json"} {
		if _, err := s.Put(t.Context(), name, []byte("{}"), ""); err != nil {
			t.Fatal(err)
		}
	}
	got := methods(requests.all())
	if len(got) != selfTestRequests+2 {
		t.Fatalf("%d requests, want %d and two writes:\n%s",
			len(got), selfTestRequests, strings.Join(got, "\n"))
	}
	const path = "PUT conditional-write-test.json "
	for i, line := range got[1:selfTestRequests] {
		creates := i <= raceWriters
		if !strings.HasPrefix(line, path) || strings.HasSuffix(line, " *") != creates {
			t.Errorf("request %d is %s", i+1, line)
		}
	}
	want := []string{"GET " + testKey, path + madeUpTag, "PUT a.json *", "PUT b.json *"}
	picked := append([]string{got[0], got[raceWriters+2]}, got[selfTestRequests:]...)
	if diff := cmp.Diff(want, picked); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
}

func TestSelfTest_whenNeeded(t *testing.T) {
	open := map[string]func(*testing.T, string, Options) *Store{"amazon": amazon, "foreign": foreign}
	tests := []struct {
		in, mode string
		want     bool
	}{
		{"amazon", "", false},
		{"amazon", Auto, false},
		{"amazon", Off, false},
		{"amazon", Require, true},
		{"foreign", "", true},
		{"foreign", Auto, true},
		{"foreign", Require, true},
		{"foreign", "of", true},
		{"foreign", Off, false},
	}
	for _, tt := range tests {
		t.Run(tt.in+" "+tt.mode, func(t *testing.T) {
			requests, server := serve(t, fakeS3(t).ServeHTTP)
			s := open[tt.in](t, server, Options{ConditionalWrites: tt.mode})
			if _, err := s.Put(t.Context(), key, []byte("{}"), ""); err != nil {
				t.Fatal(err)
			}
			got := strings.Contains(strings.Join(methods(requests.all()), "\n"), testKey)
			if got != tt.want {
				t.Errorf("tested %v, want %v", got, tt.want)
			}
		})
	}
}

// dropHeaders is a store that does not look at some conditions.
func dropHeaders(next http.Handler, names ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		for _, name := range names {
			r.Header.Del(name)
		}
		next.ServeHTTP(w, r)
	}
}

// refuseHeaders is a store that does not know some conditions.
func refuseHeaders(status int, next http.Handler, names ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		for _, name := range names {
			if r.Header.Get(name) != "" {
				fail(w, status, "NotImplemented")
				return
			}
		}
		next.ServeHTTP(w, r)
	}
}

// neverMatch is a store to which no condition on the present version ever holds.
func neverMatch(next http.Handler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("If-Match") != "" {
			fail(w, http.StatusPreconditionFailed, "PreconditionFailed")
			return
		}
		next.ServeHTTP(w, r)
	}
}

// racyWithObject is a store that races, and where an earlier run has left the object of the test.
func racyWithObject(t *testing.T) http.HandlerFunc {
	t.Helper()
	behind := fakeS3(t)
	_, server := serve(t, behind.ServeHTTP)
	_, err := foreign(t, server, Options{}).putOnce(
		t.Context(), create, testKey, testDocument{}.body(), "")
	if err != nil {
		t.Fatal(err)
	}
	return s3server.Racy(behind, 20*time.Millisecond).ServeHTTP
}

func TestSelfTest_refuses(t *testing.T) {
	const remedy = `conditional_writes = "off"`
	tests := []struct {
		name string
		in   http.HandlerFunc
		want error
	}{
		{"ignores both", dropHeaders(fakeS3(t), "If-Match", "If-None-Match"), errConditionsIgnored},
		{"ignores If-Match", dropHeaders(fakeS3(t), "If-Match"), errConditionsIgnored},
		{"ignores If-None-Match", dropHeaders(fakeS3(t), "If-None-Match"), errConditionsIgnored},
		{"501", refuseHeaders(501, fakeS3(t), "If-Match", "If-None-Match"), errNoConditions},
		{"501 to If-Match", refuseHeaders(501, fakeS3(t), "If-Match"), errNoConditions},
		{"400", refuseHeaders(400, fakeS3(t), "If-Match", "If-None-Match"), errNoConditions},
		// The plugin would have tried to change a ref until its time was over.
		{"412 to any If-Match", neverMatch(fakeS3(t)), errConditionsRefused},
		// A store that looks at the condition first and writes later was found out with "require" only.
		{"races", s3server.Racy(fakeS3(t), 20*time.Millisecond).ServeHTTP, errConditionsRacy},
		{"races where there is an object", racyWithObject(t), errConditionsRacy},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			requests, server := serve(t, tt.in)
			s := foreign(t, server, Options{})
			for range 2 {
				_, err := s.Put(t.Context(), key, []byte("{}"), "")
				wantErr(t, err, tt.want)
				if err != nil && (!strings.Contains(err.Error(), remedy) ||
					!strings.Contains(err.Error(), "s3://acme-images/chain/conditional-write-test.json")) {
					t.Errorf("the error lacks the remedy or the address: %v", err)
				}
			}
			for _, got := range requests.all() {
				if !strings.HasSuffix(got.path, testKey) {
					t.Errorf("%s %s was sent to a store that cannot keep it", got.method, got.path)
				}
			}
		})
	}
}

// A fault that may pass is no verdict, and leaves no doubt about the object itself.
func TestSelfTest_faultPasses(t *testing.T) {
	for _, fault := range []http.HandlerFunc{
		func(w http.ResponseWriter, _ *http.Request) { fail(w, 500, "InternalError") },
		func(w http.ResponseWriter, _ *http.Request) { fail(w, 409, "ConditionalRequestConflict") },
		hangUp,
	} {
		var calls atomic.Int32
		behind := fakeS3(t)
		_, server := serve(t, func(w http.ResponseWriter, r *http.Request) {
			if calls.Add(1) == 1+raceWriters+1 {
				fault(w, r)
				return
			}
			behind.ServeHTTP(w, r)
		})
		s := foreign(t, server, Options{})
		_, err := s.Put(t.Context(), key, []byte("{}"), "")
		wantErr(t, err, store.ErrTransient)
		for _, wrong := range []error{store.ErrUnknown, store.ErrConflict} {
			if errors.Is(err, wrong) {
				t.Errorf("%v is also %v", err, wrong)
			}
		}
		if _, err := s.Put(t.Context(), key, []byte("{}"), ""); err != nil {
			t.Errorf("second write: %v", err)
		}
	}
}

func TestSelfTest_manyAtOnce(t *testing.T) {
	const stores = 8
	requests, server := serve(t, readTogether(fakeS3(t), stores))
	var all sync.WaitGroup
	for range stores {
		s := foreign(t, server, Options{})
		for _, name := range []string{"a.json", "b.json"} {
			all.Go(func() {
				if err := s.test.passed(t.Context(), s); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			})
		}
	}
	all.Wait()
	if got, want := testWrites(requests), stores*selfTestWrites; got != want {
		t.Errorf("%d writes, want %d: one test for each store", got, want)
	}
}
