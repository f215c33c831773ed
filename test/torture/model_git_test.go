// SPDX-License-Identifier: MPL-2.0

package torture

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// checkout is the git repository of a history: what its remote has, and one work tree.
type checkout struct {
	t   *testing.T
	dir string
	// commits counts them, at is what is checked out.
	commits int
	at      string
}

// repositoryConfig names a remote that nobody asks, and spares git what takes time.
const repositoryConfig = `[remote "origin"]
	url = https://example.com/acme/images.git
[core]
	fsync = none
[fastimport]
	unpackLimit = 1
`

// newCheckout makes an empty repository. It knows its default branch if the remote has told it.
func newCheckout(t *testing.T, dir string, isTold bool) *checkout {
	t.Helper()
	g := &checkout{t: t, dir: dir}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	g.git("", "init", "--quiet", "--initial-branch=main")
	config, err := os.OpenFile(filepath.Join(dir, ".git", "config"), os.O_APPEND|os.O_WRONLY, 0)
	if err == nil {
		_, err = config.WriteString(repositoryConfig)
		_ = config.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	if isTold {
		g.git("", "symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/main")
	}
	return g
}

func (g *checkout) git(in string, args ...string) string {
	g.t.Helper()
	cmd := exec.CommandContext(g.t.Context(), "git", args...)
	cmd.Dir, cmd.Stdin = g.dir, strings.NewReader(in)
	out, err := cmd.CombinedOutput()
	if err != nil {
		g.t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

// commit makes a commit on a ref, without touching the work tree.
func (g *checkout) commit(ref string, tree tree, at time.Time, parents ...*commit) *commit {
	g.t.Helper()
	g.commits++
	c := &commit{name: fmt.Sprintf("c%d", g.commits), parents: parents, tree: tree, at: at}
	var in strings.Builder
	fmt.Fprintf(&in, "commit %s\nmark :1\ncommitter Acme <images@example.com> %d +0000\n",
		ref, at.Unix())
	data := func(text string) { fmt.Fprintf(&in, "data %d\n%s\n", len(text), text) }
	data(c.name)
	for i, parent := range parents {
		fmt.Fprintf(&in, "%s %s\n", []string{"from", "merge"}[i], parent.id)
	}
	in.WriteString("deleteall\n")
	for name, version := range map[string]int{
		"base": tree.base, "shared": tree.shared, "child": tree.child, "other": tree.other,
	} {
		fmt.Fprintf(&in, "M 100644 inline %s/version\n", name)
		data(fmt.Sprint(name, version))
	}
	in.WriteString("get-mark :1\n")
	c.id = g.git(in.String(), "fast-import", "--quiet", "--force")
	return c
}

// set moves a ref.
func (g *checkout) set(ref string, to *commit) { g.git("", "update-ref", ref, to.id) }

// checkOut checks out a commit: as a branch, or with an empty branch as CI systems do.
func (g *checkout) checkOut(c *commit, branch string) {
	g.t.Helper()
	at := c.id + branch
	if g.at == at {
		return
	}
	if branch == "" {
		g.git("", "checkout", "--quiet", "--detach", c.id)
	} else {
		g.git("", "checkout", "--quiet", "-B", branch, c.id)
	}
	g.at = at
}

// lose throws away what runs have left in the work tree.
func (g *checkout) lose() {
	for _, image := range []string{baseImage, childImage} {
		if err := os.RemoveAll(filepath.Join(g.dir, image, ".chain")); err != nil {
			g.t.Fatal(err)
		}
	}
}

// place is where a run stands: what is checked out, and what the CI system says of it.
type place struct {
	// words tell what it is, line is what it belongs to.
	words, line string
	commit      *commit
	// branch is what is checked out; empty if HEAD is detached.
	branch string
	env    map[string]string
}

func (p place) String() string { return p.words + " at " + p.commit.name }

// job returns the place of a job of GitHub.
func job(words, line string, c *commit, ref, event string) place {
	return place{words: words, line: line, commit: c, env: map[string]string{
		"GITHUB_ACTIONS": "true", "GITHUB_REF": ref, "GITHUB_SHA": c.id, "GITHUB_EVENT_NAME": event,
	}}
}

func branchJob(name string, c *commit) place {
	return job("job of "+name, name, c, "refs/heads/"+name, "push")
}

// pullJob has checked out the head of a pull request. Its fork calls the branch main.
func pullJob(number int, c *commit) place {
	p := job(fmt.Sprintf("job of pull request %d", number), fmt.Sprintf("pr-%d", number), c,
		fmt.Sprintf("refs/pull/%d/merge", number), "pull_request")
	p.env["GITHUB_HEAD_REF"], p.env["GITHUB_SHA"] = "main", strings.Repeat("0", len(c.id))
	return p
}

func tagJob(name string, c *commit) place {
	return job("job of tag "+name, "tag-"+name, c, "refs/tags/"+name, "push")
}

func queueJob(c *commit) place {
	return job("job of the merge queue", "queue-main", c,
		"refs/heads/gh-readonly-queue/main/pr-1-"+c.id, "merge_group")
}

// otherJob is a job of main that has checked out another commit.
func otherJob(c, of *commit) place {
	p := branchJob("main", of)
	p.words, p.line, p.commit = "job of main, of "+of.name+", but", "local", c
	if c == of {
		p.line = "main"
	}
	return p
}

// laptop is a run by hand. It belongs to a branch if that has the commit on the remote.
func laptop(branch string, c, remote *commit) place {
	p := place{words: "laptop with " + branch, line: "local", commit: c, branch: branch}
	if remote.has(c) {
		p.line = branch
	}
	return p
}
