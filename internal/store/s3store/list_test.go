// SPDX-License-Identifier: MPL-2.0

package s3store

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/packer-chain/packer-plugin-chain/internal/store"
	"github.com/packer-chain/packer-plugin-chain/internal/store/storetest/s3server"
)

// TestStore_List lists below the prefix of the store only, in one request.
func TestStore_List(t *testing.T) {
	server := httptest.NewServer(fakeS3(t))
	t.Cleanup(server.Close)
	s, other := foreign(t, server.URL, Options{Prefix: "one"}), foreign(t, server.URL, Options{Prefix: "one-2"})
	for key, in := range map[string]*Store{"a/builds/1.json": s, "a/channels/latest.json": s, "b/x.json": s, "c/x.json": other} {
		if _, err := in.Put(t.Context(), key, []byte("{}"), ""); err != nil {
			t.Fatal(err)
		}
	}
	for prefix, want := range map[string][]string{
		"":            {"a/", "b/"},
		"a/channels/": {"a/channels/latest.json"},
		"c/":          nil,
	} {
		got, err := store.List(t.Context(), s, prefix, "/")
		// The self-test has left its result.
		var ours []string
		for _, key := range got {
			if key != "conditional-write-test.json" {
				ours = append(ours, key)
			}
		}
		if diff := cmp.Diff(want, ours); err != nil || diff != "" {
			t.Errorf("%q: %v %s", prefix, err, diff)
		}
	}
}

// TestStore_List_denied is asked once, and names the right.
func TestStore_List_denied(t *testing.T) {
	r, url := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		s3server.Fail(w, http.StatusForbidden, "AccessDenied")
	})
	keys, err := foreign(t, url, Options{}).List(t.Context(), "", "/")
	const want = "list s3://"
	if !errors.Is(err, store.ErrDenied) || !strings.HasPrefix(err.Error(), want) || !strings.Contains(err.Error(), "s3:ListBucket") || len(keys) > 0 || len(r.all()) != 1 {
		t.Errorf("got %q, %v after %d requests", keys, err, len(r.all()))
	}
}

// TestStore_List_busy is asked again.
func TestStore_List_busy(t *testing.T) {
	fake, busy := fakeS3(t), 2
	r, url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Has("list-type") && busy > 0 {
			busy--
			s3server.Fail(w, http.StatusServiceUnavailable, "SlowDown")
			return
		}
		fake.ServeHTTP(w, r)
	})
	keys, err := foreign(t, url, Options{}).List(t.Context(), "", "/")
	if err != nil || len(keys) > 0 || len(r.all()) != 3 {
		t.Errorf("got %q, %v after %d requests", keys, err, len(r.all()))
	}
}
