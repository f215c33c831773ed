// SPDX-License-Identifier: MPL-2.0

package s3store

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/packer-chain/packer-plugin-chain/internal/store"
)

// page answers with a status and a body, and without the marks of S3.
func page(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// A proxy's 404 counted as an object that does not exist, and began a first build.
func TestStore_Get_foreignAnswers(t *testing.T) {
	for _, tt := range []struct {
		status int
		body   string
		want   string
	}{
		{404, "404 page not found\nmore", `HTTP 404, which begins with "404 page not found"`},
		{404, `{"error": "not found"}`, `HTTP 404, which begins with "{\"error\": \"not found\"}"`},
		{404, "<html><head>", `HTTP 404, which begins with "<html><head>"`},
		{404, "<Error><Message>no</Message></Error>", "HTTP 404"},
		{404, "", "HTTP 404 without the marks of S3"},
		{403, "Forbidden by policy", `HTTP 403, which begins with "Forbidden by policy"`},
		{302, "", "HTTP 302 without the marks of S3"},
		{200, "<html>Please log in", "HTTP 200"},
		{200, "{}", "HTTP 200"},
		{404, "\x1b[2J" + strings.Repeat("x", 200), "x…"},
	} {
		t.Run(fmt.Sprintf("%d %.12q", tt.status, tt.body), func(t *testing.T) {
			requests, server := serve(t, page(tt.status, tt.body))
			_, err := amazon(t, server, Options{}).Get(t.Context(), key)
			wantErr(t, err, errForeign)
			if errors.Is(err, store.ErrNotFound) || !strings.Contains(err.Error(), tt.want) ||
				!strings.Contains(err.Error(), "not an S3 answer") {
				t.Errorf("got %v, want %q", err, tt.want)
			}
			if n := len(requests.all()); n != 1 {
				t.Errorf("%d requests, want 1", n)
			}
		})
	}
}

func TestStore_Put_foreignAnswers(t *testing.T) {
	for status, want := range map[int]error{
		200: store.ErrUnknown, 404: errForeign, 403: errForeign, 412: store.ErrConflict,
	} {
		_, server := serve(t, page(status, "<html>"))
		_, err := amazon(t, server, Options{}).Put(t.Context(), key, []byte("{}"), `"now"`)
		wantErr(t, err, want)
	}
}

// A bucket in another region was an error, although S3 names the region.
func TestStore_goesToTheRegionThatS3Names(t *testing.T) {
	redirect := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Amz-Bucket-Region", "eu-central-1")
		if strings.Contains(r.Header.Get("Authorization"), "/eu-central-1/s3/") {
			w.Header().Set(tagHeader, `"now"`)
			_, _ = io.WriteString(w, "{}")
			return
		}
		fail(w, http.StatusMovedPermanently, "PermanentRedirect")
	}
	requests, server := serve(t, redirect)
	s := amazon(t, server, Options{})
	if _, err := s.Get(t.Context(), key); err != nil {
		t.Error(err)
	}
	if _, err := s.Put(t.Context(), key, []byte("{}"), `"now"`); err != nil {
		t.Error(err)
	}
	if n := len(requests.all()); n != 3 {
		t.Errorf("%d requests, want 3: the region is asked for once", n)
	}
}

func TestStore_regionIsFollowedOnce(t *testing.T) {
	requests, server := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Amz-Bucket-Region", "eu-central-1")
		fail(w, http.StatusMovedPermanently, "PermanentRedirect")
	})
	_, err := amazon(t, server, Options{}).Get(t.Context(), key)
	wantErr(t, err, errWrongRegion)
	if n := len(requests.all()); n != 2 {
		t.Errorf("%d requests, want 2", n)
	}
}

// A store that asked for 7 seconds was asked again after 69 ms.
func TestStore_Get_waitsAsLongAsTheStoreAsks(t *testing.T) {
	busy := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "1")
		fail(w, http.StatusServiceUnavailable, "SlowDown")
	}
	whole := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set(tagHeader, `"now"`)
		_, _ = io.WriteString(w, "{}")
	}
	_, server := serve(t, inTurn(busy, whole))
	started := time.Now()
	if _, err := amazon(t, server, Options{}).Get(t.Context(), key); err != nil {
		t.Error(err)
	}
	if waited := time.Since(started); waited < time.Second {
		t.Errorf("asked again after %s", waited)
	}
}

// Some bucket policies demand these headers.
func TestStore_Put_headers(t *testing.T) {
	for name, tt := range map[string]struct {
		options Options
		want    map[string]string
	}{
		"none":   {Options{}, map[string]string{encryptionHeader: "", "X-Amz-Acl": ""}},
		"AES256": {Options{Encryption: "AES256"}, map[string]string{encryptionHeader: "AES256"}},
		"key":    {Options{KMSKeyID: "k"}, map[string]string{encryptionHeader: "aws:kms"}},
		"two":    {Options{KMSKeyID: "k", Encryption: "aws:kms:dsse"}, map[string]string{encryptionHeader: "aws:kms:dsse"}},
		"acl":    {Options{ACL: "bucket-owner-full-control"}, map[string]string{"X-Amz-Acl": "bucket-owner-full-control"}},
	} {
		t.Run(name, func(t *testing.T) {
			requests, server := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set(tagHeader, `"next"`)
			})
			if _, err := amazon(t, server, tt.options).Put(t.Context(), key, []byte("{}"), ""); err != nil {
				t.Fatal(err)
			}
			for header, want := range tt.want {
				if got := requests.all()[0].header.Get(header); got != want {
					t.Errorf("%s is %q, want %q", header, got, want)
				}
			}
		})
	}
}

const encryptionHeader = "X-Amz-Server-Side-Encryption"

// An explicit deny was taken for a missing right, and the advice was to add it.
func TestStore_Put_explicitDeny(t *testing.T) {
	denied := func(message string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusForbidden)
			_, _ = io.WriteString(w,
				"<Error><Code>AccessDenied</Code><Message>"+message+"</Message></Error>")
		}
	}
	for message, want := range map[string]string{
		"User: x is not authorized to perform: s3:PutObject with an explicit deny in a resource-based policy": "set encryption, kms_key_id or acl",
		"Access Denied": "need s3:PutObject",
	} {
		_, server := serve(t, denied(message))
		_, err := amazon(t, server, Options{}).Put(t.Context(), key, []byte("{}"), "")
		wantErr(t, err, store.ErrDenied)
		if !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}
