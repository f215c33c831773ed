// SPDX-License-Identifier: MPL-2.0

package image

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/packer-chain/packer-plugin-chain/internal/fingerprint"
	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
	"github.com/packer-chain/packer-plugin-chain/internal/option"
	"github.com/packer-chain/packer-plugin-chain/internal/record"
)

var app = map[string]string{"app/app.pkr.hcl": "1", "shared/tasks.sh": "2", "README": "3"}

// prepared returns a Config with its defaults.
func prepared(t *testing.T, change func(*Config)) Config {
	t.Helper()
	c := Config{Image: "app", Registry: "./registry", Path: "app"}
	if change != nil {
		change(&c)
	}
	if errs := c.prepare(); len(errs) > 0 {
		t.Fatal(errs)
	}
	return c
}

func noEnv(string) string { return "" }

func identified(t *testing.T, change func(*Config)) manifest.Facts {
	t.Helper()
	id, err := identify(t.Context(), prepared(t, change), noEnv)
	if err != nil {
		t.Fatal(err)
	}
	return id.facts
}

func TestIdentify(t *testing.T) {
	dir := newRepo(t, app)
	facts := identified(t, nil)
	tree := git(t, dir, "rev-parse", "HEAD:app")
	if facts.Git.SHA != tree || facts.Git.Name != tree || facts.Git.Commit != git(t, dir, "rev-parse", "HEAD") || facts.Git.Branch != "main" || facts.Git.Dirty {
		t.Errorf("got %+v", facts.Git)
	}
	base := option.Unknown
	for name, change := range map[string]func(*Config){
		"image": func(c *Config) { c.Image = "other" }, "path": func(c *Config) { c.Path = "shared" },
		"extra_paths": func(c *Config) { c.ExtraPaths = []string{"shared"} }, "salt": func(c *Config) { c.Salt = "s" },
		"architecture": func(c *Config) { c.Architecture = "arm64" },
		"inputs":       func(c *Config) { c.Inputs = map[string]string{"docker": "27.3"} },
		"parents": func(c *Config) {
			base, _ = record.EncodeParent(record.Parent{Parent: manifest.Parent{Image: "base", Identity: ami1}})
			c.Parents = []string{base}
		},
	} {
		if other := identified(t, change); other.Fingerprint == facts.Fingerprint {
			t.Errorf("%s does not change the fingerprint", name)
		}
	}
	for name, change := range map[string]func(*Config){
		"registry": func(c *Config) { c.Registry = "./elsewhere" }, "absent parents": func(c *Config) { c.Parents = []string{"", ""} },
		"branch": func(c *Config) { c.Branch = "other" },
		"force":  func(c *Config) { c.Force = true }, "sources": func(c *Config) { c.Sources = []string{"amazon-ebs.app"} },
	} {
		if other := identified(t, change); other.Fingerprint != facts.Fingerprint {
			t.Errorf("%s changes the fingerprint", name)
		}
	}
}

// Cause: the object id of a file has no mode, so a script that became executable changed no
// fingerprint.
func TestIdentify_executable(t *testing.T) {
	dir := newRepo(t, app)
	tasks := func(c *Config) { c.ExtraPaths = []string{"shared/tasks.sh"} }
	before := identified(t, tasks)
	git(t, dir, "update-index", "--chmod=+x", "shared/tasks.sh")
	git(t, dir, "commit", "-q", "-m", "executable")
	git(t, dir, "checkout", "-q", ".")
	after := identified(t, tasks)
	sha := git(t, dir, "rev-parse", "HEAD:shared/tasks.sh")
	want := []string{fmt.Sprintf("extra shared/tasks.sh: %.7s -> %.7s 100755", sha, sha)}
	if diff := cmp.Diff(want, fingerprint.Diff(before.Components, after.Components)); diff != "" || before.Fingerprint == after.Fingerprint {
		t.Error(diff)
	}
}

func TestIdentify_branchOfCI(t *testing.T) {
	dir := newRepo(t, app)
	git(t, dir, "checkout", "-q", "--detach")
	env := map[string]string{"GITHUB_ACTIONS": "true", "GITHUB_REF": "refs/heads/feature"}
	id, err := identify(t.Context(), prepared(t, nil), func(name string) string { return env[name] })
	line := manifest.Line{Kind: manifest.LineBranch, Name: "feature"}
	if err != nil || id.facts.Git.Branch != "feature" || id.facts.Git.Line != line {
		t.Errorf("got %+v, %v", id.facts.Git, err)
	}
}

func TestIdentify_dirty(t *testing.T) {
	dir := newRepo(t, app)
	clean := identified(t, nil)
	write(t, dir, map[string]string{"app/app.pkr.hcl": "changed", "app/new file": "x", "README": "not the image's"})
	want := "path has files in " + dir + " that are not committed:\n\n  app/app.pkr.hcl\n  app/new file\n\n" +
		`Add new files that are no part of the image to .gitignore, commit the others, or set dirty = "include".`
	_, err := identify(t.Context(), prepared(t, nil), noEnv)
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}

	include := func(c *Config) { c.Dirty = "include" }
	dirty := identified(t, include)
	if !dirty.Git.Dirty || dirty.Fingerprint == clean.Fingerprint || dirty.Git.SHA != clean.Git.SHA {
		t.Errorf("got %+v", dirty)
	}
	write(t, dir, map[string]string{"app/new file": "y"})
	if identified(t, include).Fingerprint == dirty.Fingerprint {
		t.Error("the content of uncommitted files does not count")
	}
}

// Cause: content had another fingerprint once it was committed, so the same image was built twice.
func TestIdentify_sameAfterCommit(t *testing.T) {
	dir := newRepo(t, app)
	include := func(c *Config) {
		c.Dirty, c.ExtraPaths = "include", []string{"shared", "shared/tasks.sh"}
	}
	write(t, dir, map[string]string{"app/new file": "x", "shared/tasks.sh": "changed"})
	if err := os.Chmod(filepath.Join(dir, "shared", "tasks.sh"), 0o755); err != nil {
		t.Fatal(err)
	}
	before := identified(t, include)
	git(t, dir, "add", "shared")
	git(t, dir, "commit", "-q", "-m", "the extra files")
	folder := identified(t, include)
	git(t, dir, "add", "app")
	git(t, dir, "commit", "-q", "-m", "the folder")
	after := identified(t, include)
	if diff := cmp.Diff(before.Components, after.Components); diff != "" {
		t.Error(diff)
	}
	if before.Fingerprint != after.Fingerprint || !before.Git.Dirty || after.Git.Dirty {
		t.Errorf("before %+v, after %+v", before, after)
	}
	// Files outside of the folder are no part of its name.
	if before.Git.Name != "" || folder.Git.Name != after.Git.SHA || after.Git.Name != after.Git.SHA {
		t.Errorf("names %q, %q, %q", before.Git.Name, folder.Git.Name, after.Git.Name)
	}
}

// TestIdentify_submodule has uncommitted content that no object id names.
func TestIdentify_submodule(t *testing.T) {
	dir := newRepo(t, app)
	include := func(c *Config) { c.Dirty = "include" }
	clean := identified(t, include)
	write(t, dir, map[string]string{"app/nested/x": "1"})
	git(t, filepath.Join(dir, "app", "nested"), "init", "-q")
	dirty := identified(t, include)
	want := []string{"uncommitted changes"}
	if diff := cmp.Diff(want, fingerprint.Diff(clean.Components, dirty.Components)); diff != "" {
		t.Error(diff)
	}
	if !strings.HasPrefix(dirty.Git.Name, clean.Git.Name+"-dirty-") {
		t.Errorf("got name %q", dirty.Git.Name)
	}
}

func TestIdentify_manyDirty(t *testing.T) {
	dir := newRepo(t, app)
	for i := range 12 {
		write(t, dir, map[string]string{fmt.Sprintf("app/new%02d", i): "x"})
	}
	_, err := identify(t.Context(), prepared(t, nil), noEnv)
	if err == nil || !strings.Contains(err.Error(), "  app/new09\n  and 2 more\n\n") || strings.Contains(err.Error(), "app/new10") {
		t.Errorf("got %v", err)
	}
}

// TestIdentify_overlooked has files that git was told to overlook. Cause: "git status" does not
// list them, so an image of changed files got the fingerprint of the commit.
func TestIdentify_overlooked(t *testing.T) {
	dir := newRepo(t, map[string]string{"app/app.pkr.hcl": "1", "app/role/tasks.yml": "2", "app/run.sh": "3"})
	before := identified(t, nil)
	git(t, dir, "update-index", "--assume-unchanged", "app/app.pkr.hcl")
	git(t, dir, "update-index", "--skip-worktree", "app/role/tasks.yml")
	write(t, dir, map[string]string{"app/app.pkr.hcl": "changed", "app/role/tasks.yml": "changed", "app/run.sh": "changed"})
	want := "path has files in " + dir + ` that are not committed or that git was told to overlook:

  app/app.pkr.hcl (assume-unchanged)
  app/role/tasks.yml (skip-worktree)
  app/run.sh

Commit them, or set dirty = "include".

Git overlooks changes to the files with a flag in brackets. Take it off:
  git update-index --no-assume-unchanged FILE
  git update-index --no-skip-worktree FILE
Or widen the sparse checkout, if that leaves them out.`
	_, err := identify(t.Context(), prepared(t, nil), noEnv)
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	git(t, dir, "checkout", "-q", "app/run.sh")
	if facts := identified(t, func(c *Config) { c.Dirty = "include" }); !facts.Git.Dirty || facts.Fingerprint == before.Fingerprint {
		t.Errorf("got %+v", facts)
	}
}

// TestIdentify_dirtyName has names that would clear the terminal, and that a CI service would take
// for one of its commands. They were printed as they are.
func TestIdentify_dirtyName(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no such names")
	}
	dir := newRepo(t, map[string]string{"app.pkr.hcl": "1"})
	write(t, dir, map[string]string{"a\x1b[2J\n::error::b": "", "::error::c": "", "d é": ""})
	_, err := identify(t.Context(), prepared(t, func(c *Config) { c.Path = "." }), noEnv)
	want := "\n\n" + `  "::error::c"` + "\n" + `  "a\x1b[2J\n::error::b"` + "\n" + "  d é\n\n"
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %q, want %q in it", err, want)
	}
}

// TestIdentify_dirtyExtra has uncommitted files outside of the folder, which its object id does not
// cover.
func TestIdentify_dirtyExtra(t *testing.T) {
	dir := newRepo(t, app)
	write(t, dir, map[string]string{"shared/tasks.sh": "changed"})
	shared := func(c *Config) { c.ExtraPaths = []string{"shared"} }
	if _, err := identify(t.Context(), prepared(t, shared), noEnv); err == nil || !strings.Contains(err.Error(), "  shared/tasks.sh\n") {
		t.Errorf("got %v", err)
	}
	facts := identified(t, func(c *Config) { shared(c); c.Dirty = "include" })
	if facts.Git.Name != "" || !facts.Git.Dirty {
		t.Errorf("got %+v", facts.Git)
	}
}

// TestIdentify_leftBehind builds a second time: what the first left in the folder is no input,
// unless somebody committed it.
func TestIdentify_leftBehind(t *testing.T) {
	left := map[string]string{
		"app/manifest-app.json": "{}", "app/packer-manifest.json": "{}", "app/packer_cache/x/y.lock": "", "app/packer-manifest.json.lock": "",
	}
	files := map[string]string{"app/app.pkr.hcl": "1"}
	inApp := func(c *Config) { c.LocalManifest = "app/manifest-app.json" }

	t.Run("untracked", func(t *testing.T) {
		dir := newRepo(t, files)
		before := identified(t, inApp)
		write(t, dir, left)
		if diff := cmp.Diff(before, identified(t, inApp)); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("registry below the folder", func(t *testing.T) {
		dir := newRepo(t, files)
		below := func(c *Config) { c.Registry = "./app/registry" }
		before := identified(t, below)
		write(t, dir, map[string]string{"app/registry/app/builds/x.json": "{}", "app/registry/.chain.lock": ""})
		if diff := cmp.Diff(before, identified(t, below)); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("of another image", func(t *testing.T) {
		write(t, newRepo(t, files), map[string]string{"app/manifest-other.json": "{}"})
		if _, err := identify(t.Context(), prepared(t, inApp), noEnv); err == nil {
			t.Error("a file that this image does not leave behind is passed over")
		}
	})
	t.Run("tracked and modified", func(t *testing.T) {
		dir := newRepo(t, map[string]string{"app/app.pkr.hcl": "1", "app/manifest-app.json": "{}"})
		write(t, dir, map[string]string{"app/manifest-app.json": "changed"})
		_, err := identify(t.Context(), prepared(t, inApp), noEnv)
		if err == nil || !strings.Contains(err.Error(), "  app/manifest-app.json\n") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("checkout behind a link", func(t *testing.T) {
		dir := newRepo(t, files)
		link := filepath.Join(t.TempDir(), "link")
		if err := os.Symlink(dir, link); err != nil {
			t.Skip(err)
		}
		write(t, dir, left)
		t.Chdir(link)
		t.Setenv("PWD", link)
		identified(t, inApp)
	})
}

// TestIdentify_errors checks what the user is told to do about a folder that git cannot name.
func TestIdentify_errors(t *testing.T) {
	dir := newRepo(t, app)
	write(t, dir, map[string]string{"empty/.gitignore": "*\n", "fresh/x": ""})
	alone := t.TempDir()
	tests := map[string]struct {
		change func(*Config)
		want   []string
	}{
		"no repository": {func(c *Config) { c.Path = alone }, []string{alone, "not in a git repository", "Run Packer in a git checkout."}},
		"no such path":  {func(c *Config) { c.Path = "none" }, []string{"no such file or folder", "Check path and extra_paths."}},
		"not committed": {func(c *Config) { c.Path = "fresh" }, []string{"not committed yet", "git -C " + dir + " add -- fresh"}},
		"outside":       {func(c *Config) { c.ExtraPaths = []string{alone} }, []string{"outside of the git repository", "put their version into inputs"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := identify(t.Context(), prepared(t, tt.change), noEnv)
			for _, want := range tt.want {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("got %v, want %q in it", err, want)
				}
			}
		})
	}
	t.Run("no git", func(t *testing.T) {
		t.Setenv("PATH", "")
		if _, err := identify(t.Context(), prepared(t, nil), noEnv); err == nil || !strings.Contains(err.Error(), "git is not installed") {
			t.Errorf("got %v", err)
		}
	})
}
