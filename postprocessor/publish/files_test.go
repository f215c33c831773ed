// SPDX-License-Identifier: MPL-2.0

package publish

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/packer-chain/packer-plugin-chain/internal/gitrepo"
	"github.com/packer-chain/packer-plugin-chain/internal/record"
)

// withGit is the PATH before [offline] hides git.
var withGit = os.Getenv("PATH")

// checkout returns a work tree with the files of an image in app, and what data "chain-image" keeps
// of it in a record. A file that git does not know is part of the image.
func checkout(t *testing.T) (root string, found *record.Checkout) {
	t.Helper()
	t.Setenv("PATH", withGit)
	for name, value := range map[string]string{
		"GIT_CONFIG_GLOBAL": os.DevNull, "GIT_CONFIG_NOSYSTEM": "1", "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@example.com",
		"GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@example.com",
	} {
		t.Setenv(name, value)
	}
	root, err := filepath.EvalSymlinks(t.TempDir())
	check(t, err)
	for _, name := range []string{"app/task.sh", "app/sub/x", "shared/lib.sh", "other/f"} {
		put(t, root, name, "1")
	}
	for _, args := range [][]string{{"init", "-q", "-b", "main"}, {"add", "-A"}, {"commit", "-q", "-m", "all"}} {
		if out, err := exec.Command("git", append([]string{"-C", root}, args...)...).CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v: %s", args, err, out)
		}
	}
	put(t, root, "app/draft.sh", "1")
	paths := []string{filepath.Join(root, "app"), filepath.Join(root, "shared", "lib.sh")}
	now, err := gitrepo.Inspect(t.Context(), nil, paths...)
	check(t, err)
	found = &record.Checkout{Paths: paths, Untracked: now.Untracked}
	for _, object := range now.Objects {
		found.Content = append(found.Content, object.ID())
	}
	return root, found
}

func put(t *testing.T, root, name, body string) {
	t.Helper()
	path := filepath.Join(root, filepath.FromSlash(name))
	check(t, os.MkdirAll(filepath.Dir(path), 0o755))
	check(t, os.WriteFile(path, []byte(body), 0o644))
}

// TestFiles changes files while the image is baked.
func TestFiles(t *testing.T) {
	const begin = "publish app: files changed while the image was built, so it may not be what its fingerprint says: "
	const end = "\n\nBuild it again. Nothing was tagged or published."
	const appeared = "warning: new files appeared during the build, which are not part of the image's fingerprint: "
	const ignore = ". Add them to .gitignore, or write them elsewhere"
	for name, tt := range map[string]struct {
		change func(t *testing.T, root string)
		failed []string
		red    string
	}{
		"nothing":       {func(*testing.T, string) {}, nil, ""},
		"tracked":       {func(t *testing.T, root string) { put(t, root, "app/task.sh", "2") }, []string{begin, "app/task.sh", "/app" + end}, ""},
		"extra path":    {func(t *testing.T, root string) { put(t, root, "shared/lib.sh", "2") }, []string{begin, "shared/lib.sh in ", "/shared/lib.sh" + end}, ""},
		"untracked":     {func(t *testing.T, root string) { put(t, root, "app/draft.sh", "2") }, []string{begin, "app/draft.sh", end}, ""},
		"deleted":       {func(t *testing.T, root string) { check(t, os.Remove(filepath.Join(root, "app/sub/x"))) }, []string{begin, "app/sub/x", end}, ""},
		"draft deleted": {func(t *testing.T, root string) { check(t, os.Remove(filepath.Join(root, "app/draft.sh"))) }, []string{begin, end}, ""},
		"another image": {func(t *testing.T, root string) { put(t, root, "other/f", "2"); put(t, root, "other/new", "2") }, nil, ""},
		"new file":      {func(t *testing.T, root string) { put(t, root, "app/report.xml", "2") }, nil, appeared + "app/report.xml" + ignore},
		"odd new file":  {func(t *testing.T, root string) { put(t, root, "app/a\x1bb", "2") }, nil, appeared + `"app/a\x1bb"` + ignore},
		"of Packer":     {func(t *testing.T, root string) { put(t, root, "app/packer-manifest.json", "{}") }, nil, ""},
		"many": {func(t *testing.T, root string) {
			for _, c := range "abcdefghijkl" {
				put(t, root, "app/new-"+string(c), "2")
			}
		}, nil, appeared + "app/new-a, app/new-b, app/new-c, app/new-d, app/new-e, app/new-f, app/new-g, app/new-h, app/new-i, app/new-j and 2 more" + ignore},
		"new and changed": {func(t *testing.T, root string) { put(t, root, "app/report.xml", "2"); put(t, root, "app/task.sh", "2") },
			[]string{begin, "app/task.sh", end}, appeared + "app/report.xml" + ignore},
	} {
		t.Run(name, func(t *testing.T) {
			dir := folder(t)
			root, found := checkout(t)
			rec := newRecord(dir)
			rec.Checkout = found
			p := configured(t, "file", rec, `on_failure = "keep"`)
			tt.change(t, root)
			ui, err := process(t, p, &fakeArtifact{id: "File"})
			for _, want := range tt.failed {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("got %v, want %q in it", err, want)
				}
			}
			if (stored(t, dir) == nil) != (err != nil) || points(t, dir, "latest") != (err == nil) || (err != nil) != (tt.failed != nil) {
				t.Errorf("it is published, or not: %v", err)
			}
			var red []string
			if tt.red != "" {
				red = []string{tt.red}
			}
			if !slices.Equal(ui.red, red) {
				t.Errorf("in red: %q, want %q", ui.red, red)
			}
			if _, statErr := os.Stat(localPath(dir)); err != nil && statErr == nil {
				t.Error("the next run would publish it")
			}
		})
	}
}

// TestFiles_existing: what exists was built from files that were checked then. The checkout may be
// another one by now.
func TestFiles_existing(t *testing.T) {
	dir := folder(t)
	root, found := checkout(t)
	processed(t, configured(t, "file", newRecord(dir), "channels = []"), &fakeArtifact{id: "File"})
	rec := passedThrough(dir, stored(t, dir), false)
	rec.Checkout = found
	put(t, root, "app/task.sh", "2")
	processed(t, configured(t, "chain", rec, ""), &fakeArtifact{id: "File"})
	if !points(t, dir, "latest") {
		t.Error("the channel does not move")
	}
}

// TestFiles_noRepository has files in no checkout: the same ones are published, and each new one
// counts.
func TestFiles_noRepository(t *testing.T) {
	for name, failed := range map[string]bool{"": false, "app/report.xml": true, "app/task.sh": true, "app/packer-manifest.json": false} {
		dir := folder(t)
		root, found := checkout(t)
		check(t, os.RemoveAll(filepath.Join(root, ".git")))
		was, err := gitrepo.WithoutRepository(t.Context(), nil, found.Paths...)
		check(t, err)
		found.NoGit, found.Untracked, found.Content = true, nil, nil
		for _, object := range was.Objects {
			found.Content = append(found.Content, object.ID())
		}
		rec := newRecord(dir)
		rec.Checkout = found
		if name != "" {
			put(t, root, name, "2")
		}
		_, err = process(t, configured(t, "file", rec, ""), &fakeArtifact{id: "File"})
		want := "files changed while the image was built, so it may not be what its fingerprint says: files in " + found.Paths[0] +
			"\n\nWithout git, a new file counts too: write reports elsewhere, or name them in a .gitignore there. Build it again. Nothing was tagged or published."
		if (err != nil) != failed || failed && !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// TestFiles_noGit has git disappear during the build: nobody knows whether the files are the same,
// so neither this run nor the next one publishes the image.
func TestFiles_noGit(t *testing.T) {
	dir := folder(t)
	_, found := checkout(t)
	rec := newRecord(dir)
	rec.Checkout = found
	t.Setenv("PATH", "")
	_, err := process(t, configured(t, "file", rec, ""), &fakeArtifact{id: "File"})
	for _, want := range []string{
		"publish app: compare the files with those that the image was built from: ", "The manifest is not published.", "succeeded: File\n",
		"No local manifest could be written, so the image will be built again",
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q in it", err, want)
		}
	}
	if stored(t, dir) != nil {
		t.Error("it is published")
	}
}

// TestFiles_warnings: what the data source found out is said by whoever says it last.
func TestFiles_warnings(t *testing.T) {
	dir := folder(t)
	rec := newRecord(dir)
	rec.Warnings = []string{"git ignores a\x1b"}
	ui, err := process(t, configured(t, "file", rec, ""), &fakeArtifact{id: "File"})
	if err != nil || !slices.Contains(ui.red, "warning: git ignores a") {
		t.Errorf("got %q, %v", ui.red, err)
	}
	rec = passedThrough(dir, stored(t, dir), false)
	rec.Warnings = []string{"git ignores a"}
	if ui = processed(t, configured(t, "chain", rec, ""), &fakeArtifact{id: "File"}); len(ui.red) > 0 {
		t.Errorf("the gate has said it: %q", ui.red)
	}
}

// TestPostProcess_ancestor has a channel on a descendant of this run's commit, whose committer's
// clock was slow: what git knows counts before what the clock said.
func TestPostProcess_ancestor(t *testing.T) {
	dir := folder(t)
	root, found := checkout(t)
	commit := func() string {
		out, err := exec.Command("git", "-C", root, "rev-parse", "HEAD").Output()
		check(t, err)
		return strings.TrimSpace(string(out))
	}
	rec := newRecord(dir)
	rec.Checkout, rec.Git.Commit = found, commit()
	check(t, exec.Command("git", "-C", root, "commit", "-q", "--allow-empty", "-m", "next").Run())
	next := newRecord(dir)
	next.Fingerprint, next.Git.Commit, next.Git.CommitTime = print2, commit(), now.Add(-1)
	processed(t, configured(t, "file", next, ""), &fakeArtifact{id: "File2"})
	ui := processed(t, configured(t, "file", rec, ""), &fakeArtifact{id: "File"})
	if !slices.Contains(ui.said, "channel latest stays on 222222222222: a newer commit moved it there") {
		t.Errorf("got %q", ui.said)
	}
}
