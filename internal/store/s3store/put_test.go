// SPDX-License-Identifier: MPL-2.0

package s3store

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/packer-chain/packer-plugin-chain/internal/store"
)

func accept(w http.ResponseWriter, _ *http.Request) { w.Header().Set(tagHeader, `"next"`) }

func TestStore_Put_wire(t *testing.T) {
	tests := []struct {
		name    string
		in      string
		options Options
		want    map[string]string
	}{
		{
			name: "create",
			want: map[string]string{
				"If-None-Match": "*", "If-Match": "", "Content-Type": "application/json",
			},
		},
		{
			name: "swap", in: `"with \ quotes-2"`,
			want: map[string]string{"If-None-Match": "", "If-Match": `"with \ quotes-2"`},
		},
		{
			name: "swap without quotes", in: `0a1b`,
			want: map[string]string{"If-None-Match": "", "If-Match": `0a1b`},
		},
		{
			name: "by default", in: `"a"`,
			want: map[string]string{"X-Amz-Server-Side-Encryption": "", "X-Amz-Expected-Bucket-Owner": ""},
		},
		{
			name: "key and owner", in: `"a"`,
			options: Options{KMSKeyID: "alias/acme", ExpectedBucketOwner: "111122223333"},
			want: map[string]string{
				"X-Amz-Server-Side-Encryption":                "aws:kms",
				"X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id": "alias/acme",
				"X-Amz-Expected-Bucket-Owner":                 "111122223333",
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			requests, server := serve(t, accept)
			tag, err := amazon(t, server, tt.options).Put(t.Context(), key, []byte(`{"seq":1}`), tt.in)
			if err != nil || tag != `"next"` {
				t.Fatalf("tag %s, error %v", tag, err)
			}
			all := requests.all()
			if len(all) != 1 {
				t.Fatalf("%d requests, want 1", len(all))
			}
			wantPath := "/acme-images/chain/" + key
			got := all[0]
			if got.method != http.MethodPut || got.path != wantPath || got.body != `{"seq":1}` {
				t.Errorf("%s %s with %q", got.method, got.path, got.body)
			}
			headers := map[string]string{}
			for name := range tt.want {
				headers[name] = got.header.Get(name)
			}
			if diff := cmp.Diff(tt.want, headers); diff != "" {
				t.Errorf("headers (-want +got):\n%s", diff)
			}
		})
	}
}

// Whatever the answer, there is one request: the outcome of every single write must be seen.
func TestStore_Put_answers(t *testing.T) {
	const tag = `"now"`
	answer := func(status int, code string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { fail(w, status, code) }
	}
	tests := []struct {
		name string
		in   http.HandlerFunc
		want error
	}{
		{"412", answer(412, "PreconditionFailed"), store.ErrConflict},
		{"412 empty", answer(412, ""), store.ErrConflict},
		{"412 HTML", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(412)
			_, _ = io.WriteString(w, "<html><body><br>Precondition failed</body></html>")
		}, store.ErrConflict},
		{"409", answer(409, "ConditionalRequestConflict"), store.ErrConflict},
		{"409 aborted", answer(409, "OperationAborted"), store.ErrConflict},
		{"409 empty", answer(409, ""), store.ErrConflict},
		{"404", answer(404, "NoSuchKey"), store.ErrVanished},
		{"404 bucket", answer(404, "NoSuchBucket"), errNoBucket},
		{"403", answer(403, "AccessDenied"), store.ErrDenied},
		{"400 expired", answer(400, "ExpiredToken"), errExpired},
		{"501", answer(501, "NotImplemented"), errNoConditions},
		{"400 not implemented", answer(400, "NotImplemented"), errNoConditions},
		{"429", answer(429, "TooManyRequests"), store.ErrTransient},
		{"503 slow down", answer(503, "SlowDown"), store.ErrTransient},
		{"503", answer(503, ""), store.ErrUnknown},
		{"500", answer(500, "InternalError"), store.ErrUnknown},
		{"reset", hangUp, store.ErrUnknown},
		{"no ETag", func(http.ResponseWriter, *http.Request) {}, store.ErrUnknown},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			requests, server := serve(t, tt.in)
			_, err := amazon(t, server, Options{}).Put(t.Context(), key, []byte("{}"), tag)
			wantErr(t, err, tt.want)
			if got := len(requests.all()); got != 1 {
				t.Errorf("%d requests, want 1", got)
			}
			if err != nil && !strings.HasPrefix(err.Error(), "write "+address+": ") {
				t.Errorf("the error does not begin with the address: %v", err)
			}
		})
	}
}

// hangUp closes the connection instead of answering.
func hangUp(w http.ResponseWriter, _ *http.Request) {
	connection, _, err := w.(http.Hijacker).Hijack()
	if err == nil {
		_ = connection.Close()
	}
}

func TestStore_Put_neverAnswered(t *testing.T) {
	release := make(chan struct{})
	requests, server := serve(t, func(http.ResponseWriter, *http.Request) { <-release })
	t.Cleanup(func() { close(release) })
	s := amazon(t, server, Options{AttemptTimeout: 100 * time.Millisecond})
	before := time.Now()
	_, err := s.Put(t.Context(), key, []byte("{}"), "")
	wantErr(t, err, store.ErrUnknown)
	if err != nil && !strings.Contains(err.Error(), "no complete response within 100ms") {
		t.Errorf("the error does not tell the limit: %v", err)
	}
	if took := time.Since(before); took > 5*time.Second {
		t.Errorf("it took %s", took)
	}
	if got := len(requests.all()); got != 1 {
		t.Errorf("%d requests, want 1", got)
	}
}

func TestStore_Put_off(t *testing.T) {
	requests, server := serve(t, fakeS3(t).ServeHTTP)
	s := foreign(t, server, Options{ConditionalWrites: Off})
	first, err := s.Put(t.Context(), key, []byte(`{"seq":1}`), "")
	if err != nil {
		t.Fatal(err)
	}
	second, err := s.Put(t.Context(), key, []byte(`{"seq":2}`), first)
	if err != nil {
		t.Fatal(err)
	}
	for _, got := range requests.all() {
		if got.header.Get("If-Match")+got.header.Get("If-None-Match") != "" ||
			strings.Contains(got.path, testKey) {
			t.Errorf("%s %s with a condition, or a self-test", got.method, got.path)
		}
	}
	_, err = s.Put(t.Context(), key, []byte(`{"seq":2}`), first)
	wantErr(t, err, store.ErrConflict)
	_, err = s.Put(t.Context(), key, []byte(`{"seq":2}`), "")
	wantErr(t, err, store.ErrConflict)
	_, err = s.Put(t.Context(), "absent.json", []byte(`{"seq":2}`), second)
	wantErr(t, err, store.ErrVanished)
}

// Without conditions, the read-back is all that shows that another write came right after ours.
func TestStore_Put_off_overwritten(t *testing.T) {
	bucket := fakeS3(t)
	var other *Store
	var once bool
	_, server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		bucket.ServeHTTP(w, r)
		if r.Method == http.MethodPut && !once {
			once = true
			if _, err := other.putOnce(r.Context(), overwrite, key, []byte("theirs"), ""); err != nil {
				t.Error(err)
			}
		}
	})
	other = foreign(t, server, Options{})
	s := foreign(t, server, Options{ConditionalWrites: Off})
	_, err := s.Put(t.Context(), key, []byte("ours"), "")
	wantErr(t, err, store.ErrConflict)
	if errors.Is(err, store.ErrUnknown) {
		t.Errorf("the outcome is known: %v", err)
	}
}
