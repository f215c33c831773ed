// SPDX-License-Identifier: MPL-2.0

package dirstore_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/packer-chain/packer-plugin-chain/internal/store"
	"github.com/packer-chain/packer-plugin-chain/internal/store/dirstore"
)

// TestStore_List lists one folder, and nothing that the store did not write.
func TestStore_List(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "registry")
	s := dirstore.New(dir)
	if keys, err := store.List(t.Context(), s, "", "/"); err != nil || len(keys) > 0 {
		t.Errorf("got %q, %v of a folder that does not exist", keys, err)
	}
	for _, key := range []string{"b/channels/x.json", "a/builds/1.json", "a/channels/latest.json", "top.json"} {
		if _, err := s.Put(t.Context(), key, []byte("{}"), ""); err != nil {
			t.Fatal(err)
		}
	}
	for prefix, want := range map[string][]string{
		"":            {"a/", "b/", "top.json"},
		"a/":          {"a/builds/", "a/channels/"},
		"a/channels/": {"a/channels/latest.json"},
		"c/":          nil,
	} {
		got, err := store.List(t.Context(), s, prefix, "/")
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%q: %v %s", prefix, err, diff)
		}
	}
	if _, err := s.List(t.Context(), "../", "/"); err == nil {
		t.Error("it leads out of the folder")
	}
}

func TestStore_List_ofAFile(t *testing.T) {
	name := filepath.Join(t.TempDir(), "registry")
	if err := os.WriteFile(name, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := dirstore.New(name).List(t.Context(), "", "/"); err == nil {
		t.Error("a file is listed as an empty store")
	}
}

// TestStore_List_links checks that a link to a folder is listed as one: keys below it can be read.
func TestStore_List_links(t *testing.T) {
	dir := t.TempDir()
	for name, to := range map[string]string{
		"linked": t.TempDir(), "lost": "nowhere", "round": "round",
	} {
		if err := os.Symlink(to, filepath.Join(dir, name)); err != nil {
			t.Skip("Windows lets few users make a link")
		}
	}
	got, err := dirstore.New(dir).List(t.Context(), "", "/")
	if diff := cmp.Diff([]string{"linked/", "lost", "round"}, got); err != nil || diff != "" {
		t.Errorf("%v %s", err, diff)
	}
}
