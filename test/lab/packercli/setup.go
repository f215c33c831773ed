// SPDX-License-Identifier: MPL-2.0

package packercli

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/packer-chain/packer-plugin-chain/test/lab/program"
)

// Setup builds the plugin of the repository under root and installs it, and the Amazon plugin of
// PATH, in dir, where "packer init" finds them.
func Setup(ctx context.Context, root, dir string) (Packer, error) {
	bin, err := program.Path("packer")
	if err != nil {
		return Packer{}, err
	}
	amazon, err := program.Path("packer-plugin-amazon")
	if err != nil {
		return Packer{}, err
	}
	chain, err := buildPlugin(ctx, root, dir)
	if err != nil {
		return Packer{}, err
	}
	p := Packer{bin: bin, home: filepath.Join(dir, "home")}
	if err := os.MkdirAll(p.home, 0o755); err != nil {
		return Packer{}, err
	}
	for _, plugin := range []struct{ path, source string }{
		{amazon, "github.com/hashicorp/amazon"},
		{chain, "github.com/packer-chain/chain"},
	} {
		result, err := p.Run(ctx, dir, "plugins", "install", "--path", plugin.path, plugin.source)
		if err != nil {
			return Packer{}, err
		}
		if result.Code != 0 {
			return Packer{}, fmt.Errorf("install %s as %s:\n%s", plugin.path, plugin.source, result)
		}
	}
	return p, nil
}

// ExampleVariables returns the variables of the templates under example/ for an emulated account,
// which has no machines to connect to, and only old AMIs of Canonical.
func ExampleVariables(registry string) []string {
	return []string{
		"PKR_VAR_registry=" + registry,
		"PKR_VAR_communicator=none",
		"PKR_VAR_ubuntu=ubuntu/images/hvm-ssd/ubuntu-xenial-16.04-amd64-server-*",
	}
}

// buildPlugin builds a release version, without cgo as releases are. A constraint such as "~> 0.1"
// does not match 0.1.0-dev.
func buildPlugin(ctx context.Context, root, dir string) (string, error) {
	const release = "-s -w -X " +
		"github.com/packer-chain/packer-plugin-chain/internal/version.VersionPrerelease="
	path := filepath.Join(dir, "packer-plugin-chain")
	cmd := exec.CommandContext(ctx, "go", "build", "-ldflags", release, "-o", path, ".")
	cmd.Dir, cmd.Env = root, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the plugin: %w\n%s", err, out)
	}
	return path, nil
}
