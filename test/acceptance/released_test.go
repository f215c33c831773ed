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
		dir := filepath.Join(binaries, fmt.Sprintf("machine-%d", i), "checkout")
		if err := c.fill(ctx, dir); err != nil {
			return nil, err
		}
	}
	// What differs between two machines, and has no place in a release. The second one has a tag.
	if _, err := all[1].Git(ctx, "tag", "v0.9.0"); err != nil {
		return nil, err
	}
	return all, errors.Join(
		all[0].build(ctx, "umask 022"),
		all[1].build(ctx, elsewhere),
		all[2].build(ctx, "umask 022"))
})

// elsewhere makes a shell another machine: of a user who has set what changes the code of a build,
// below a go.work, and with a release in dist.
const elsewhere = `
umask 077
printf 'GOFLAGS=-tags=acme\nGOEXPERIMENT=nogreenteagc\n' >../goenv
printf 'go 1.26.0\n' >../go.work
export GOENV=$PWD/../goenv GOFLAGS="${GOFLAGS:-} -tags=acme" GOFIPS140=latest
export GOOS=windows GOARCH=arm64 GOAMD64=v3 GOARM64=v9.0 TZ=Asia/Tokyo LC_ALL=C.UTF-8
mkdir dist
echo old >dist/packer-plugin-chain_v0.2.0_old.zip
`

// sourceTree is what is in the work tree, whether it is committed or not, in another folder.
type sourceTree struct {
	workspace.Repo
	version string
}

// otherTarget is a line of .goreleaser.yml that names a system.
var otherTarget = regexp.MustCompile(`(?m)^      - ([a-z]+_[a-z0-9]+)\n`)

// fill copies the work tree to dir and commits it. Its release is for this machine only.
func (c *sourceTree) fill(ctx context.Context, dir string) error {
	repo, err := workspace.New(ctx, dir)
	if err != nil {
		return err
	}
	c.Repo = *repo
	err = filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
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
	cmd := exec.CommandContext(ctx, "bash", "-c", shell+"\nbash scripts/release "+c.version)
	cmd.Dir = c.Dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build release %s: %w\n%s", c.version, err, out)
	}
	return c.announce()
}

var (
	sourceVersion = regexp.MustCompile(`(?m)^\tVersion = ".*"$`)
	unreleased    = regexp.MustCompile(`(?m)^## Unreleased$`)
)

// announce writes the version where CONTRIBUTING.md says. The build has it from its command.
func (c *sourceTree) announce() error {
	for name, change := range map[string]struct {
		old *regexp.Regexp
		new string
	}{
		"internal/version/version.go": {sourceVersion, "\tVersion = \"" + c.version + "\""},
		"CHANGELOG.md":                {unreleased, "## " + c.version + " - 2026-01-02"},
	} {
		text, err := os.ReadFile(filepath.Join(c.Dir, name))
		if err != nil {
			return err
		}
		if err := c.Write(name, change.old.ReplaceAllString(string(text), change.new)); err != nil {
			return err
		}
	}
	return nil
}

// file returns the path of a file in dist. Its name ends so, after the version.
func (c *sourceTree) file(ending string) string {
	return filepath.Join(c.Dir, "dist", plugin+"_v"+c.version+"_"+ending)
}

// sums is the path of the checksums.
func (c *sourceTree) sums() string { return c.file("SHA256SUMS") }

// assets are the contents of the files of the release, by name.
func (c *sourceTree) assets(t *testing.T) map[string][]byte {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(c.Dir, "dist", plugin+"_*_*"))
	if err != nil {
		t.Fatal(err)
	}
	all := map[string][]byte{}
	for _, path := range paths {
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
			all[filepath.Base(path)] = read(t, path)
		}
	}
	return all
}

// archive is the path of the archive for this machine.
func (c *sourceTree) archive() string {
	return c.file("x5.0_" + runtime.GOOS + "_" + runtime.GOARCH + ".zip")
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
