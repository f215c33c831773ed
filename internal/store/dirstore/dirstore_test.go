// SPDX-License-Identifier: MPL-2.0

package dirstore_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/packer-chain/packer-plugin-chain/internal/store"
	"github.com/packer-chain/packer-plugin-chain/internal/store/dirstore"
	"github.com/packer-chain/packer-plugin-chain/internal/store/storetest"
)

const (
	// A test process that finds these variables is a writer of TestStore_severalProcesses.
	dirVariable    = "CHAIN_TEST_DIRSTORE"
	writerVariable = "CHAIN_TEST_WRITER"

	processes  = 4
	perProcess = 15
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(dirVariable); dir != "" {
		if err := write(dir, os.Getenv(writerVariable)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func write(dir, writer string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	updater := store.Updater{Store: dirstore.New(dir)}
	for i := range perProcess {
		if _, err := updater.Update(ctx, "image/log.json", nil, storetest.Append(fmt.Sprint(writer, "-", i))); err != nil {
			return err
		}
	}
	return nil
}

func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Store { return dirstore.New(t.TempDir()) })
}

func TestStore_severalProcesses(t *testing.T) {
	dir := t.TempDir()
	var running []*exec.Cmd
	var ids []string
	for writer := range processes {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), dirVariable+"="+dir, fmt.Sprintf("%s=%d", writerVariable, writer))
		cmd.Stderr = os.Stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		running = append(running, cmd)
		for i := range perProcess {
			ids = append(ids, fmt.Sprint(writer, "-", i))
		}
	}
	for writer, cmd := range running {
		if err := cmd.Wait(); err != nil {
			t.Errorf("writer %d: %v", writer, err)
		}
	}
	object, err := dirstore.New(dir).Get(t.Context(), "image/log.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := storetest.CheckLog(object.Body, ids); err != nil {
		t.Error(err)
	}
}

func TestStore_filesAndModes(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "made", "later")
	s := dirstore.New(dir)
	tag, err := s.Put(t.Context(), "image/refs/latest.json", []byte("{}"), "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Put(t.Context(), "image/refs/latest.json", []byte("{ }"), tag); err != nil {
		t.Fatal(err)
	}
	_, err = s.Put(t.Context(), "image/refs/latest.json", []byte("{  }"), tag)
	if !errors.Is(err, store.ErrConflict) {
		t.Fatalf("stale write: %v, want ErrConflict", err)
	}
	want := []string{".chain.lock", "image", "image/refs", "image/refs/latest.json"}
	if diff := cmp.Diff(want, tree(t, dir)); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	if runtime.GOOS == "windows" {
		return
	}
	for path, want := range map[string]fs.FileMode{
		dir: 0o755, s.Address("image/refs"): 0o755, s.Address("image/refs/latest.json"): 0o644,
	} {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != want {
			t.Errorf("%s has mode %v, want %v", path, info.Mode().Perm(), want)
		}
	}
}

func TestStore_lockIsNoKey(t *testing.T) {
	s := dirstore.New(t.TempDir())
	for _, key := range []string{".chain.lock", ".CHAIN.LOCK", ".chain.lock/a"} {
		if _, err := s.Put(t.Context(), key, []byte("{}"), ""); !errors.Is(err, store.ErrBadKey) {
			t.Errorf("key %q: %v, want ErrBadKey", key, err)
		}
	}
}

// A file that somebody put there by hand may be of any size.
func TestStore_Get_tooLarge(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a.json"), make([]byte, store.MaxSize+1), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := dirstore.New(dir).Get(t.Context(), "a.json"); !errors.Is(err, store.ErrTooLarge) {
		t.Errorf("error %v, want ErrTooLarge", err)
	}
}

func TestStore_Address(t *testing.T) {
	t.Chdir(t.TempDir())
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	got := dirstore.New("registry").Address("image/refs/latest.json")
	if want := filepath.Join(here, "registry", "image", "refs", "latest.json"); got != want {
		t.Errorf("address %s, want %s", got, want)
	}
}

func tree(t *testing.T, dir string) []string {
	t.Helper()
	var names []string
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if path != dir {
			names = append(names, filepath.ToSlash(strings.TrimPrefix(path, dir+string(filepath.Separator))))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(names)
	return names
}
