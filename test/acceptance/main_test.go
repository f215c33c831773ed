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
	"github.com/packer-chain/packer-plugin-chain/test/lab/program"
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
	ctx := context.Background()
	packer, err := packercli.Setup(ctx, root, binaries)
	if err != nil {
		return packer, err
	}
	docker, err := program.Path("packer-plugin-docker")
	if err != nil {
		return packer, err
	}
	chain := filepath.Join(binaries, "packer-plugin-chain")
	for _, plugin := range []struct{ to, path, source string }{
		{withoutAmazon(), chain, "github.com/packer-chain/chain"},
		{withDocker(), chain, "github.com/packer-chain/chain"},
		{withDocker(), docker, "github.com/hashicorp/docker"},
	} {
		result, err := packer.With(plugin.to).Run(
			ctx, binaries, "plugins", "install", "--path", plugin.path, plugin.source)
		if err == nil && result.Code != 0 {
			err = errors.New(result.String())
		}
		if err != nil {
			return packer, err
		}
	}
	return packer, nil
})

// withoutAmazon is a variable with which Packer sees no plugin but ours. It asks each plugin, in
// each run, what it is, which takes a third of the time of a run that builds nothing.
func withoutAmazon() string {
	return "PACKER_PLUGIN_PATH=" + filepath.Join(binaries, "chain-only")
}

// withDocker is a variable with which Packer has our plugin and the Docker plugin.
func withDocker() string {
	return "PACKER_PLUGIN_PATH=" + filepath.Join(binaries, "docker")
}

// newPacker returns a Packer that has the plugins, or skips the test.
func newPacker(t testing.TB) packercli.Packer {
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

// statSources looks at every file of the plugin and the examples. Other processes use them, which
// go test does not see: without this it would return a cached result after a change. It only sees
// what happens while a test runs, so this is too early in TestMain.
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
