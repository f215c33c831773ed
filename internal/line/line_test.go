// SPDX-License-Identifier: MPL-2.0

package line

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/packer-chain/packer-plugin-chain/internal/ci"
	"github.com/packer-chain/packer-plugin-chain/internal/gitrepo"
	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
)

func git(t *testing.T, dir string, args ...string) {
	t.Helper()
	all := append([]string{"-C", dir, "-c", "user.name=Acme", "-c", "user.email=acme@example.com"}, args...)
	if out, err := exec.Command("git", all...).CombinedOutput(); err != nil {
		t.Fatalf("git %v: %v\n%s", args, err, out)
	}
}

func TestHere(t *testing.T) {
	dir := t.TempDir()
	git(t, dir, "init", "-q", "-b", "trunk")
	if err := os.WriteFile(filepath.Join(dir, "f"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	git(t, dir, "add", ".")
	git(t, dir, "commit", "-q", "-m", "begin")
	trunk := manifest.Line{Kind: manifest.LineBranch, Name: "trunk"}
	pull := manifest.Line{Kind: manifest.LinePullRequest, Name: "42"}
	local := manifest.Line{Kind: manifest.LineLocal}
	want := func(dir string, build ci.Build, option string, want Place) {
		t.Helper()
		if diff := cmp.Diff(want, Here(t.Context(), dir, build, option)); diff != "" {
			t.Error(diff)
		}
	}
	want(dir, ci.Build{}, "", Place{Line: trunk, Branch: "trunk", DefaultBranches: Defaults})
	want(dir, ci.Build{PullRequest: "42", Head: "fix", DefaultBranch: "trunk"}, "trunk",
		Place{Line: pull, Branch: "trunk", DefaultBranches: []string{"trunk"}})

	git(t, dir, "remote", "add", "origin", "https://me:secret@git.example.com/acme/images.git")
	want(dir, ci.Build{}, "", Place{
		Line: local, NotOnBranch: "HEAD is not on origin/trunk yet: push it", Branch: "trunk",
		DefaultBranches: Defaults, Repository: "git.example.com/acme/images",
	})
	git(t, dir, "update-ref", "refs/remotes/origin/trunk", "HEAD")
	git(t, dir, "symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/trunk")
	want(dir, ci.Build{}, "", Place{
		Line: trunk, Branch: "trunk", DefaultBranches: []string{"trunk"},
		Repository: "git.example.com/acme/images",
	})
	want(dir, ci.Build{}, "release/1", Place{
		Line: manifest.Line{Kind: manifest.LineBranch, Name: "release/1"}, Branch: "release/1",
		DefaultBranches: []string{"trunk"}, Repository: "git.example.com/acme/images",
	})
}

// A folder without git has no HEAD: the CI and the option say where a run stands.
func TestHere_noGit(t *testing.T) {
	const why = `neither git nor the CI names the branch: set the option "branch"`
	main := manifest.Line{Kind: manifest.LineBranch, Name: "main"}
	for name, tt := range map[string]struct {
		build ci.Build
		want  Place
	}{
		"nothing": {ci.Build{}, Place{Line: manifest.Line{Kind: manifest.LineLocal}, NotOnBranch: why}},
		"CI": {ci.Build{Provider: "ci", Commit: "c", Branch: "main"}, Place{
			Line: main, Branch: "main"}},
	} {
		tt.want.DefaultBranches = Defaults
		if diff := cmp.Diff(tt.want, Here(t.Context(), t.TempDir(), tt.build, "")); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// Without a checkout, only the CI and the option say where a run stands, and no git is asked.
func TestFind_noGit(t *testing.T) {
	t.Setenv("PATH", "")
	main := manifest.Line{Kind: manifest.LineBranch, Name: "main"}
	local := manifest.Line{Kind: manifest.LineLocal}
	const why = `neither git nor the CI names the branch: set the option "branch"`
	for name, tt := range map[string]struct {
		build  ci.Build
		option string
		want   Place
	}{
		"nothing": {ci.Build{}, "", Place{Line: local, NotOnBranch: why, DefaultBranches: Defaults}},
		"CI": {ci.Build{Provider: "ci", Commit: "c", Branch: "main", DefaultBranch: "trunk"}, "",
			Place{Line: main, Branch: "main", DefaultBranches: []string{"trunk"}}},
		"option": {ci.Build{}, "main", Place{Line: main, Branch: "main", DefaultBranches: Defaults}},
	} {
		if diff := cmp.Diff(tt.want, Find(t.Context(), gitrepo.Checkout{}, tt.build, tt.option)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}
