// SPDX-License-Identifier: MPL-2.0

package s3store

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/packer-chain/packer-plugin-chain/internal/store"
)

// inTurn answers each request by the next handler, and the rest by the last.
func inTurn(handlers ...http.HandlerFunc) http.HandlerFunc {
	var n int
	return func(w http.ResponseWriter, r *http.Request) {
		handler := handlers[min(n, len(handlers)-1)]
		n++
		handler(w, r)
	}
}

func whole(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set(tagHeader, `"now"`)
	_, _ = io.WriteString(w, `{"seq":1}`)
}

// truncated promises more than it sends.
func truncated(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set(tagHeader, `"now"`)
	w.Header().Set("Content-Length", "90")
	_, _ = io.WriteString(w, `{"seq":1}`)
}

// torn sends other bytes than its checksum says.
func torn(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Amz-Checksum-Crc32", "AAAAAA==")
	whole(w, r)
}

// cutError is an error whose body breaks off.
func cutError(status int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "900")
		fail(w, status, "NoSuchKey")
	}
}

// A 404 without its code was taken for the answer of a server that is no S3 store, which stopped
// the build.
func TestStore_cutError(t *testing.T) {
	for _, status := range []int{400, 403, 404} {
		_, server := serve(t, inTurn(cutError(status), whole))
		if _, err := amazon(t, server, Options{}).Get(t.Context(), key); err != nil {
			t.Errorf("read after a cut %d: %v", status, err)
		}
		_, server = serve(t, cutError(status))
		_, err := amazon(t, server, Options{}).Put(t.Context(), key, []byte("{}"), `"now"`)
		wantErr(t, err, store.ErrTransient)
	}
	for status, want := range map[int]error{
		409: store.ErrConflict, 412: store.ErrConflict, 500: store.ErrUnknown,
	} {
		_, server := serve(t, cutError(status))
		_, err := amazon(t, server, Options{}).Put(t.Context(), key, []byte("{}"), `"now"`)
		wantErr(t, err, want)
	}
}

// A page that arrives whole is no fault of the connection.
func TestStore_htmlError(t *testing.T) {
	for _, body := range []string{
		"", "<html><body>no", "<!doctype html><p>not found<br>", "not found", "<Error><Code>",
	} {
		requests, server := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusBadRequest)
			_, _ = io.WriteString(w, body)
		})
		_, err := amazon(t, server, Options{}).Get(t.Context(), key)
		wantErr(t, err, errForeign)
		if got := len(requests.all()); got != 1 {
			t.Errorf("%q: %d requests, want one", body, got)
		}
	}
}

func TestStore_Get(t *testing.T) {
	answer := func(status int, code string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { fail(w, status, code) }
	}
	skewed := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Date", time.Now().Add(time.Hour).UTC().Format(http.TimeFormat))
		fail(w, 403, "RequestTimeTooSkewed")
	}
	tests := []struct {
		name     string
		in       http.HandlerFunc
		requests int
		wantErr  error
	}{
		{"whole", whole, 1, nil},
		{"truncated", inTurn(truncated, truncated, whole), 3, nil},
		{"torn", inTurn(torn, whole), 2, nil},
		{"503", inTurn(answer(503, "SlowDown"), answer(503, ""), whole), 3, nil},
		{"500 and reset", inTurn(answer(500, "InternalError"), hangUp, whole), 3, nil},
		{"clock", inTurn(skewed, whole), 2, nil},
		{"404", answer(404, "NoSuchKey"), 1, store.ErrNotFound},
		{"404 empty", answer(404, ""), 1, store.ErrNotFound},
		{"404 bucket", answer(404, "NoSuchBucket"), 1, errNoBucket},
		{"403", answer(403, "AccessDenied"), 1, store.ErrDenied},
		{"always 500", answer(500, "InternalError"), 10, store.ErrTransient},
		{"no ETag", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Amz-Request-Id", "1")
			_, _ = io.WriteString(w, "{}")
		}, 1, errNoTag},
		{"too large", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set(tagHeader, `"now"`)
			_, _ = io.WriteString(w, strings.Repeat("x", store.MaxSize+1))
		}, 1, store.ErrTooLarge},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			requests, server := serve(t, tt.in)
			s := amazon(t, server, Options{ExpectedBucketOwner: "111122223333"})
			object, err := s.Get(t.Context(), key)
			if !errors.Is(err, tt.wantErr) {
				t.Errorf("error %v, want %v", err, tt.wantErr)
			}
			if err == nil && (string(object.Body) != `{"seq":1}` || object.ETag != `"now"`) {
				t.Errorf("body %q, tag %s", object.Body, object.ETag)
			}
			all := requests.all()
			if len(all) != tt.requests {
				t.Errorf("%d requests, want %d", len(all), tt.requests)
			}
			if got := all[0].header.Get("X-Amz-Expected-Bucket-Owner"); got != "111122223333" {
				t.Errorf("expected owner %q", got)
			}
		})
	}
}

func TestStore_Get_neverAnswered(t *testing.T) {
	release := make(chan struct{})
	requests, server := serve(t, func(http.ResponseWriter, *http.Request) { <-release })
	t.Cleanup(func() { close(release) })
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	_, err := amazon(t, server, Options{AttemptTimeout: 50 * time.Millisecond}).Get(ctx, key)
	wantErr(t, err, store.ErrTransient)
	if got := len(requests.all()); got < 2 {
		t.Errorf("%d requests, want several", got)
	}
}
