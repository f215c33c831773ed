// SPDX-License-Identifier: MPL-2.0

package image

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/packer-plugin-sdk/template/config"

	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
	"github.com/packer-chain/packer-plugin-chain/internal/record"
)

// TestIdentify_noGit builds from an archive of the files: it could not be used at all.
func TestIdentify_noGit(t *testing.T) {
	dir := newRepo(t, app)
	shared := func(c *Config) { c.ExtraPaths = []string{"shared"} }
	committed := identified(t, shared)
	if err := os.RemoveAll(filepath.Join(dir, ".git")); err != nil {
		t.Fatal(err)
	}
	parent, err := record.EncodeParent(record.Parent{Parent: manifest.Parent{
		Image: "base", Identity: ami1, Content: map[string]string{".": "c"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	noGit := func(c *Config) { shared(c); c.Git, c.Parents = config.TriFalse, []string{parent} }
	commit := strings.Repeat("1a", 20)
	env := map[string]string{"GITHUB_ACTIONS": "true", "GITHUB_REF": "refs/heads/main", "GITHUB_SHA": commit}
	before := time.Now().Add(-time.Second)
	inCI, err := identify(t.Context(), prepared(t, noGit), func(name string) string { return env[name] })
	if err != nil {
		t.Fatal(err)
	}
	tree, extra := committed.Git.SHA, committed.Git.Content["shared"]
	got := inCI.facts.Git
	if got.CommitTime.Before(before) {
		t.Errorf("the time is %s", got.CommitTime)
	}
	got.CommitTime = time.Time{}
	onMain := manifest.Line{Kind: manifest.LineBranch, Name: "main"}
	want := manifest.Git{SHA: tree, Name: tree, Commit: commit, Branch: "main", Line: onMain,
		Content: map[string]string{".": tree, "../shared": extra}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if !inCI.checkout.NoGit || inCI.checkout.Content[0] != tree {
		t.Errorf("got %+v", inCI.checkout)
	}
	env["GITHUB_EVENT_NAME"] = "pull_request_target"
	target, err := identify(t.Context(), prepared(t, noGit), func(name string) string { return env[name] })
	if err != nil || target.facts.Git.Commit != "" || !target.facts.Git.CommitTime.IsZero() {
		t.Errorf("the commit of the base is not that of the files: %+v, %v", target.facts.Git, err)
	}
	id, err := identify(t.Context(), prepared(t, noGit), noEnv)
	if err != nil || id.facts.Git.Commit != "" || !id.facts.Git.CommitTime.IsZero() || id.facts.Git.Line.Kind != manifest.LineLocal ||
		!strings.Contains(id.notOnBranch, `set the option "branch"`) {
		t.Errorf("got %+v, %v", id, err)
	}
	option := func(c *Config) { noGit(c); c.Branch = "main" }
	if line := identified(t, option).Git.Line; line != onMain {
		t.Errorf("got %+v", line)
	}
}

// TestIdentify_unseenVariables has a file that Packer reads and git ignores.
func TestIdentify_unseenVariables(t *testing.T) {
	dir := newRepo(t, map[string]string{
		"app/app.pkr.hcl": "1", "app/kept.auto.pkrvars.hcl": "a = 1", ".gitignore": "secret.*\n", "app/.gitignore": "secret.*\n",
	})
	write(t, dir, map[string]string{
		"app/secret.auto.pkrvars.hcl": "# x\nsize = 8\nzone = \"a\"\n", "app/secret.pkrvars.hcl": "size = 8", "app/sub/secret.auto.pkrvars.hcl": "size = 8",
	})
	const hcl = "git ignores secret.auto.pkrvars.hcl, so the variables that it sets are not part of the fingerprint. " +
		`If they change the image, set inputs = { vars = jsonencode(var) } in data "chain-image"`
	for name, tt := range map[string]struct {
		change func(*Config)
		want   []string
	}{
		"no inputs": {func(*Config) {}, []string{hcl}},
		"others":    {func(c *Config) { c.Inputs = map[string]string{"vars": `{"other":1}`, "x": "[1]"} }, []string{hcl}},
		"one":       {func(c *Config) { c.Inputs = map[string]string{"size": "8"} }, nil},
		"all":       {func(c *Config) { c.Inputs = map[string]string{"vars": `{"size":8,"zone":"a"}`} }, nil},
		"no git":    {func(c *Config) { c.Git = config.TriFalse }, []string{hcl}},
		"a file":    {func(c *Config) { c.Path = "app/app.pkr.hcl" }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			id, err := identify(t.Context(), prepared(t, tt.change), noEnv)
			if diff := cmp.Diff(tt.want, id.warnings); diff != "" || err != nil {
				t.Error(diff, err)
			}
		})
	}
	write(t, dir, map[string]string{"app/secret.auto.pkrvars.hcl": "broken {", "app/secret.auto.pkrvars.json": `{"size": 8}`})
	id, err := identify(t.Context(), prepared(t, nil), noEnv)
	if err != nil || len(id.warnings) != 2 {
		t.Errorf("got %q, %v", id.warnings, err)
	}
}
