// SPDX-License-Identifier: MPL-2.0

package acceptance

import (
	"bytes"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/packer-chain/packer-plugin-chain/test/lab/packercli"
	"github.com/packer-chain/packer-plugin-chain/test/lab/workspace"
)

const repository = "packer-chain/" + plugin

// TestAccRelease does what the README says, on a machine without plugins: packer init installs this
// plugin and Amazon's, which build the chain, and later a newer release.
func TestAccRelease(t *testing.T) {
	newPacker(t)
	t.Parallel()
	checkouts := releases(t)
	g := newGitHub(t)
	amazon := g.releaseAmazon(t)
	g.release(t, checkouts[0])

	l := newLabIn(t, filepath.Join(t.TempDir(), "repo"))
	example := os.DirFS(filepath.Join(root, "example", "base"))
	l.check(os.CopyFS(filepath.Join(l.repo.Dir, "base"), example))
	l.write("snowflake/plugins.pkr.hcl", readme(t, "required_plugins {"))
	l.write("snowflake/snowflake.pkr.hcl", strings.NewReplacer(
		// The emulator has no machines.
		`ssh_username  = "ubuntu"`, `communicator  = "none"`,
		`provisioner "shell"`, `provisioner "shell-local"`,
	).Replace(readme(t, `source "amazon-ebs" "snowflake"`)))
	l.write("snowflake/tasks/docker.sh", "true\n")
	l.check(os.Chmod(filepath.Join(l.repo.Dir, "snowflake", "tasks", "docker.sh"), 0o755))
	l.commit("begin")
	var plugins string
	l.packer, plugins = g.newMachine(t, l.packer)

	wantOutput(t, l.init("snowflake"), "Installed plugin github.com/packer-chain/chain v0.2.0",
		"Installed plugin github.com/hashicorp/amazon v"+amazon)
	wantInstalled(t, plugins, "0.2.0")
	l.mustBuild("base")
	l.wantImages(2, l.mustBuild("snowflake"))

	g.release(t, checkouts[2])
	l.init("snowflake")
	wantInstalled(t, plugins, "0.2.0")
	wantOutput(t, l.init("-upgrade", "snowflake"),
		"Installed plugin github.com/packer-chain/chain v0.2.1")
	wantInstalled(t, plugins, "0.2.0", "0.2.1")
}

// TestAccRelease_broken looks at releases that packer init must not install.
func TestAccRelease_broken(t *testing.T) {
	packer := newPacker(t)
	t.Parallel()
	checkouts := releases(t)
	older, newer := checkouts[0], checkouts[2]
	for name, test := range map[string]struct {
		arrange func(g *github)
		// installed is the version that Packer takes instead, without a word, or "".
		installed, output string
	}{
		"a wrong checksum": {func(g *github) {
			spoil(t, g.release(t, newer), newer)
		}, "", "Checksums (*sha256.Digest) did not match"},
		"a wrong checksum, and an older version": {func(g *github) {
			g.release(t, older)
			spoil(t, g.release(t, newer), newer)
		}, "0.2.0", "Installed plugin github.com/packer-chain/chain v0.2.0"},
		"a tag whose release is a draft": {func(g *github) {
			g.release(t, older)
			g.tag(t, repository, "v0.2.1")
		}, "0.2.0", "Installed plugin github.com/packer-chain/chain v0.2.0"},
		"a draft alone": {func(g *github) {
			g.tag(t, repository, "v0.2.1")
		}, "", "could not get sha256 checksum file"},
	} {
		t.Run(name, func(t *testing.T) {
			g := newGitHub(t)
			test.arrange(g)
			machine, plugins := g.newMachine(t, packer)
			template := workspace.Repo{Dir: t.TempDir()}
			block := amazonBlock.ReplaceAllString(readme(t, "required_plugins {"), "")
			if err := template.Write("plugins.pkr.hcl", block); err != nil {
				t.Fatal(err)
			}
			result, err := machine.Run(t.Context(), template.Dir, "init", ".")
			if err != nil {
				t.Fatal(err)
			}
			wantOutput(t, result, test.output)
			if test.installed == "" {
				wantCode(t, 1, result)
				wantInstalled(t, plugins)
				return
			}
			wantCode(t, 0, result)
			wantInstalled(t, plugins, test.installed)
		})
	}
}

// TestAccRelease_same compares two builds of one commit, in folders and environments that differ.
func TestAccRelease_same(t *testing.T) {
	newPacker(t)
	t.Parallel()
	checkouts := releases(t)
	first, second := checkouts[0].assets(t), checkouts[1].assets(t)
	if len(first) != 2 {
		t.Errorf("dist has %d files, want an archive and the checksums", len(first))
	}
	if !maps.EqualFunc(first, second, bytes.Equal) {
		t.Errorf("%s and %s have other files, or other bytes in them", checkouts[0].Dir, checkouts[1].Dir)
	}
}

// TestAccRelease_uncommitted checks that nothing is built that is in no commit. Tests do not count.
func TestAccRelease_uncommitted(t *testing.T) {
	newPacker(t)
	t.Parallel()
	c := &sourceTree{version: "0.2.0"}
	if err := c.fill(t.Context(), t.TempDir()); err != nil {
		t.Fatal(err)
	}
	const harmless = "internal/version/acme_test.go"
	if err := c.Write(harmless, "package version\n"); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"main.go", "internal/version/acme.go"} {
		if err := c.Write(name, "package main\n"); err != nil {
			t.Fatal(err)
		}
		err := c.build(t.Context(), "")
		if err == nil || !strings.Contains(err.Error(), name) || strings.Contains(err.Error(), harmless) {
			t.Errorf("with another %s: %v", name, err)
		}
		if _, err := c.Git(t.Context(), "checkout", "--quiet", "main.go"); err != nil {
			t.Fatal(err)
		}
	}
}

// releases returns the checkouts, or ends the test.
func releases(t *testing.T) []*sourceTree {
	t.Helper()
	checkouts, err := released()
	if err != nil {
		t.Fatal(err)
	}
	return checkouts
}

// release publishes the release of a checkout, and returns its folder.
func (g *github) release(t *testing.T, c *sourceTree) string {
	t.Helper()
	dir := g.tag(t, repository, "v"+c.version)
	if _, err := c.publish(t, dir); err != nil {
		t.Fatal(err)
	}
	return dir
}

// spoil changes the archive in a folder. Its checksum remains that of what was released.
func spoil(t *testing.T, dir string, c *sourceTree) {
	t.Helper()
	path := filepath.Join(dir, filepath.Base(c.archive()))
	if err := os.WriteFile(path, append(read(t, path), "more"...), 0o600); err != nil {
		t.Fatal(err)
	}
}

// newMachine returns a Packer that finds GitHub and has no plugins yet, and their folder.
func (g *github) newMachine(t *testing.T, packer packercli.Packer) (packercli.Packer, string) {
	t.Helper()
	plugins := filepath.Join(t.TempDir(), "plugins")
	// Packer unpacks a plugin in TMPDIR, and in each run by the same name.
	return packer.With(g.environ...).
		With("PACKER_PLUGIN_PATH="+plugins, "TMPDIR="+t.TempDir()), plugins
}

// init runs packer init, with options before the folder, and ends the test unless it succeeds.
func (l *lab) init(args ...string) packercli.Result {
	l.t.Helper()
	result, err := l.packer.Run(l.t.Context(), l.repo.Dir, append([]string{"init"}, args...)...)
	l.check(err)
	return wantCode(l.t, 0, result)
}

// wantInstalled ends the test unless these versions of the plugin are installed, and no others, and
// each says that it is that version.
func wantInstalled(t *testing.T, plugins string, versions ...string) {
	t.Helper()
	dir := filepath.Join(plugins, "github.com", "packer-chain", "chain")
	paths, err := filepath.Glob(filepath.Join(dir, plugin+"_*_"+runtime.GOARCH))
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, path := range paths {
		version := describe(t, path).Version
		if !strings.Contains(filepath.Base(path), "_v"+version+"_") {
			t.Errorf("%s says that it is version %s", path, version)
		}
		found = append(found, version)
	}
	if !slices.Equal(found, versions) {
		t.Fatalf("versions %q are installed, want %q", found, versions)
	}
}

// amazonBlock is what requires the Amazon plugin.
var amazonBlock = regexp.MustCompile(`(?s) *amazon = \{.*?\}\n`)

// readme returns the block of HCL of the README that contains a text.
func readme(t *testing.T, text string) string {
	t.Helper()
	for _, match := range fence.FindAllStringSubmatch(string(read(t, root+"/README.md")), -1) {
		if strings.Contains(match[1], text) {
			return match[1]
		}
	}
	t.Fatalf("no block of HCL in the README contains %q", text)
	return ""
}

// read returns the content of a file, or ends the test.
func read(t testing.TB, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
