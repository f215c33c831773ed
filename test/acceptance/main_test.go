// SPDX-License-Identifier: MPL-2.0

package acceptance

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/packer-chain/packer-plugin-chain/test/lab/packercli"
)

const root = "../.."

// binaries is a folder for the plugins that the tests of one run share.
var binaries string

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "chain-acceptance-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	binaries = dir
	return m.Run()
}

// setUp builds and installs the plugins when the first test asks.
var setUp = sync.OnceValues(func() (packercli.Packer, error) {
	if err := statSources(); err != nil {
		return packercli.Packer{}, err
	}
	return packercli.Setup(context.Background(), root, binaries)
})

// newPacker answers a Packer that has the plugins, or skips the test.
func newPacker(t *testing.T) packercli.Packer {
	t.Helper()
	if os.Getenv("PACKER_ACC") == "" {
		t.Skip("PACKER_ACC is not set: make test sets it")
	}
	packer, err := setUp()
	if err != nil {
		t.Fatal(err)
	}
	return packer
}

// statSources looks at every file that the plugin and the examples consist of. Other processes use
// them, which go test does not see: without this it would answer from its cache after a change. It
// only sees what happens while a test runs, so this is too early in TestMain.
func statSources() error {
	return filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && path != root && strings.HasPrefix(entry.Name(), ".") {
			return fs.SkipDir
		}
		if _, err = os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	})
}
