// SPDX-License-Identifier: MPL-2.0

// Package toolbox knows the programs that the checks of this repository need beside Go and git:
// which version of each is wanted, where it is kept, and how it is installed. It looks on PATH
// where any recent version will do and else in a cache folder, so that nothing is installed twice.
package toolbox

import (
	"context"
	"debug/buildinfo"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/semver"
)

// MinPacker is the oldest Packer that is taken from PATH: the first whose plugin protocol is not gob.
const MinPacker = "v1.12.0"

// tool is a program written in Go. The version comes from a go.mod of this repository, or is version.
type tool struct {
	name    string
	pkg     string
	module  string
	gomod   string // folder of the go.mod that pins the version, relative to the repository
	version string
}

var tools = []tool{
	{name: "packer", pkg: "github.com/hashicorp/packer",
		module: "github.com/hashicorp/packer", gomod: "tools"},
	{name: "packer-plugin-amazon", pkg: "github.com/hashicorp/packer-plugin-amazon",
		module: "github.com/hashicorp/packer-plugin-amazon", gomod: "tools"},
	{name: "packer-sdc", pkg: "github.com/hashicorp/packer-plugin-sdk/cmd/packer-sdc",
		module: "github.com/hashicorp/packer-plugin-sdk", gomod: "."},
	{name: "versitygw", pkg: "github.com/versity/versitygw/cmd/versitygw", version: "v1.8.0"},
	{name: "golangci-lint", pkg: "github.com/golangci/golangci-lint/v2/cmd/golangci-lint", version: "v2.5.0"},
}

// Dir is the cache folder: $CHAIN_CACHE, else packer-plugin-chain under $XDG_CACHE_HOME or ~/.cache.
func Dir() (string, error) {
	if dir := os.Getenv("CHAIN_CACHE"); dir != "" {
		return filepath.Abs(dir)
	}
	if dir := os.Getenv("XDG_CACHE_HOME"); dir != "" {
		return filepath.Join(dir, "packer-plugin-chain"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("find the cache folder: %w", err)
	}
	return filepath.Join(home, ".cache", "packer-plugin-chain"), nil
}

// Path is where an installed program is: a recent enough Packer on PATH, else a file of the cache.
func Path(ctx context.Context, name string) (string, error) {
	if name == "packer" {
		if path, ok := packerOnPath(ctx); ok {
			return path, nil
		}
	}
	dir, err := Dir()
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "bin", name)
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("find %s: %w\n\nRun make tools, which installs it", name, err)
	}
	return path, nil
}

// packerOnPath asks the packer on PATH for its version. Some systems have another program of that name.
func packerOnPath(ctx context.Context) (string, bool) {
	path, err := exec.LookPath("packer")
	if err != nil {
		return "", false
	}
	cmd := exec.CommandContext(ctx, path, "version")
	cmd.Env = append(os.Environ(), "CHECKPOINT_DISABLE=1")
	out, err := cmd.Output()
	if err != nil {
		return "", false
	}
	return path, recentPacker(string(out))
}

// recentPacker reads the answer of "packer version".
func recentPacker(answer string) bool {
	first, _, _ := strings.Cut(answer, "\n")
	version, ok := strings.CutPrefix(strings.TrimSpace(first), "Packer ")
	return ok && semver.IsValid(version) && semver.Compare(version, MinPacker) >= 0
}

// wanted is the version that the repository under root pins for a tool.
func (t tool) wanted(root string) (string, error) {
	if t.version != "" {
		return t.version, nil
	}
	path := filepath.Join(root, t.gomod, "go.mod")
	data, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("find the version of %s: %w", t.name, err)
	}
	file, err := modfile.ParseLax(path, data, nil)
	if err != nil {
		return "", fmt.Errorf("find the version of %s: %w", t.name, err)
	}
	for _, r := range file.Require {
		if r.Mod.Path == t.module {
			return r.Mod.Version, nil
		}
	}
	return "", fmt.Errorf("find the version of %s: %s does not require %s", t.name, path, t.module)
}

// installed is the version that a Go program carries in itself, or "" when there is none.
func installed(path string) string {
	info, err := buildinfo.ReadFile(path)
	if err != nil {
		return ""
	}
	return info.Main.Version
}
