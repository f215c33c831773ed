// SPDX-License-Identifier: MPL-2.0

package acceptance

import (
	"archive/zip"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/packer-chain/packer-plugin-chain/test/lab/program"
	"github.com/packer-chain/packer-plugin-chain/test/lab/workspace"
)

const plugin = "packer-plugin-chain"

// released builds what the tests of releases use, when the first of them asks: checkouts whose dist
// has a release for this machine. The first two are of one version and one commit.
var released = sync.OnceValues(func() ([]*sourceTree, error) {
	if _, err := program.Path("goreleaser"); err != nil {
		return nil, err
	}
	ctx := context.Background()
	all := []*sourceTree{{version: "0.2.0"}, {version: "0.2.0"}, {version: "0.2.1"}}
	for i, c := range all {
		repo, err := workspace.New(ctx, filepath.Join(binaries, fmt.Sprintf("checkout-%d", i)))
		if err != nil {
			return nil, err
		}
		c.Repo = *repo
		if err := c.fill(ctx); err != nil {
			return nil, err
		}
	}
	// What differs between two machines, and has no place in a release. The second one has a tag.
	if _, err := all[1].Git(ctx, "tag", "v0.9.0"); err != nil {
		return nil, err
	}
	return all, errors.Join(
		all[0].build(ctx, "umask 022"),
		all[1].build(ctx, "umask 077; export TZ=Asia/Tokyo GOFLAGS=\"${GOFLAGS:-} -tags=acme\""),
		all[2].build(ctx, "umask 022"))
})

// sourceTree is what is in the work tree, whether it is committed or not, in another folder.
type sourceTree struct {
	workspace.Repo
	version string
}

// otherTarget is a line of .goreleaser.yml that names a system.
var otherTarget = regexp.MustCompile(`(?m)^      - ([a-z]+_[a-z0-9]+)\n`)

// fill copies the work tree and commits it. Its release is for this machine only.
func (c *sourceTree) fill(ctx context.Context) error {
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		hidden := path != root && strings.HasPrefix(entry.Name(), ".")
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (hidden || entry.Name() == "dist"):
			return fs.SkipDir
		case !entry.Type().IsRegular() || entry.Name() == ".git" || entry.Name() == plugin:
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if entry.Name() == ".goreleaser.yml" {
			text = otherTarget.ReplaceAllFunc(text, func(line []byte) []byte {
				if strings.TrimSpace(string(line)) != "- "+runtime.GOOS+"_"+runtime.GOARCH {
					return nil
				}
				return line
			})
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		return c.Write(filepath.ToSlash(name), string(text))
	})
	if err != nil {
		return err
	}
	_, err = c.Commit(ctx, "release")
	return err
}

// build builds the release as make release does, in a shell that is as a command makes it.
func (c *sourceTree) build(ctx context.Context, shell string) error {
	cmd := exec.CommandContext(ctx, "bash", "-c", shell+"; bash scripts/release "+c.version)
	cmd.Dir = c.Dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build release %s: %w\n%s", c.version, err, out)
	}
	return nil
}

// file returns the path of a file in dist. Its name ends so, after the version.
func (c *sourceTree) file(ending string) string {
	return filepath.Join(c.Dir, "dist", plugin+"_v"+c.version+"_"+ending)
}

// sums is the path of the checksums.
func (c *sourceTree) sums() string { return c.file("SHA256SUMS") }

// archive is the path of the archive for this machine.
func (c *sourceTree) archive() string {
	return c.file("x5.0_" + runtime.GOOS + "_" + runtime.GOARCH + ".zip")
}

// gh stands in for GitHub's command: it keeps a log, the state of each draft, and the files.
const gh = `#!/usr/bin/env bash
set -eu
echo "$*" >>"$GH/log"
case "$1 $2" in
"release view") cat "$GH/draft" ;;
"release create") echo true >"$GH/draft" ;;
"release upload") shift 4; cp "$@" "$GH" ;;
esac
`

// publish runs scripts/publish, with a folder in the place of GitHub, and returns what was asked.
func (c *sourceTree) publish(t *testing.T, dir string) (string, error) {
	t.Helper()
	bin := workspace.Repo{Dir: t.TempDir()}
	if err := bin.Write("gh", gh); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(bin.Dir, "gh"), 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "bash", "scripts/publish", "v"+c.version)
	cmd.Dir = c.Dir
	cmd.Env = []string{"GH=" + dir, "PATH=" + bin.Dir + ":" + os.Getenv("PATH")}
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w\n%s", err, out)
	}
	log, err := os.ReadFile(filepath.Join(dir, "log"))
	return string(log), err
}

// releaseAmazon releases the Amazon plugin of PATH, for this machine, and returns its version.
func (g *github) releaseAmazon(t *testing.T) string {
	t.Helper()
	path, err := program.Path("packer-plugin-amazon")
	if err != nil {
		t.Fatal(err)
	}
	about := describe(t, path)
	prefix := "packer-plugin-amazon_v" + about.Version + "_"
	name := prefix + about.API + "_" + runtime.GOOS + "_" + runtime.GOARCH
	dir := g.tag(t, "hashicorp/packer-plugin-amazon", "v"+about.Version)
	archive, err := os.Create(filepath.Join(dir, name+".zip"))
	if err != nil {
		t.Fatal(err)
	}
	defer archive.Close()
	hash := sha256.New()
	files := zip.NewWriter(io.MultiWriter(archive, hash))
	file, err := files.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Store})
	if err == nil {
		_, err = file.Write(read(t, path))
	}
	if err = errors.Join(err, files.Close()); err != nil {
		t.Fatal(err)
	}
	sums := fmt.Sprintf("%x  %s.zip\n", hash.Sum(nil), name)
	err = os.WriteFile(filepath.Join(dir, prefix+"SHA256SUMS"), []byte(sums), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	return about.Version
}

// description is what a plugin says about itself.
type description struct {
	Version string `json:"version"`
	API     string `json:"api_version"`
}

// describe asks a plugin what it is.
func describe(t *testing.T, path string) description {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), path, "describe").Output()
	var about description
	if err = errors.Join(err, json.Unmarshal(out, &about)); err != nil {
		t.Fatalf("%s describe: %v\n%s", path, err, out)
	}
	return about
}
