// SPDX-License-Identifier: MPL-2.0

package parent

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/packer-chain/packer-plugin-chain/internal/localmanifest"
	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
)

// TestPath looks for the parent of a checkout in every state. prepare returns what must be found;
// empty: nothing is.
func TestPath(t *testing.T) {
	main := onLine("main")
	change := func(name, content string) map[string]string { return map[string]string{name: content} }
	tests := map[string]struct {
		prepare func(w *world) string
		options string
		errors  []string // parts of the error, if nothing is found
	}{
		"of this commit": {prepare: func(w *world) string { return w.build(main) }},
		"of this commit, and newer ones of the same content": {prepare: func(w *world) string {
			id := w.build(main)
			w.commit(change("README", "2"))
			w.build(main, latest)
			w.git("checkout", "-q", "-B", "main", "HEAD~1")
			return id
		}},
		"built twice at this commit": {prepare: func(w *world) string {
			w.build(main)
			return w.build(main)
		}},
		"of this content": {prepare: func(w *world) string {
			w.build(main)
			id := w.build(main)
			w.commit(change("app/app.pkr.hcl", "2"))
			return id
		}},
		"reverted": {prepare: func(w *world) string {
			id := w.build(main)
			w.commit(change("base/base.pkr.hcl", "2"))
			w.build(main)
			w.commit(change("base/base.pkr.hcl", "1"))
			return id
		}},
		"the revert was reverted": {prepare: func(w *world) string {
			w.build(main)
			w.commit(change("base/base.pkr.hcl", "2"))
			id := w.build(main)
			w.commit(change("base/base.pkr.hcl", "1"))
			w.commit(change("base/base.pkr.hcl", "2"))
			return id
		}},
		"the folder changed": {prepare: func(w *world) string {
			w.build(main, latest)
			w.commit(change("base/base.pkr.hcl", "2"))
			return ""
		}, errors: []string{notFound, "lines/main.json knows no image of what is checked out here",
			"channels/latest.json knows no image of what is checked out here",
			"Run the packer build of base at this commit first, and before it those of its own parents, in order."}},
		"an extra path changed": {prepare: func(w *world) string {
			w.build(main, latest)
			w.commit(change("shared/tasks.sh", "2"))
			return ""
		}, errors: []string{notFound}},
		"an extra path changed, and back": {prepare: func(w *world) string {
			id := w.build(main, latest)
			w.commit(change("shared/tasks.sh", "2"))
			w.build(onLine("feature"))
			w.commit(change("shared/tasks.sh", "1"))
			return id
		}},
		"an extra path is executable now": {prepare: func(w *world) string {
			facts := w.facts()
			facts.Git.Content = without(facts.Git.Content, "shared")
			facts.Git.Content["shared/tasks.sh"] = w.git("rev-parse", "HEAD:shared/tasks.sh")
			w.publish(facts, main, latest)
			w.git("update-index", "--chmod=+x", "shared/tasks.sh")
			w.git("commit", "-q", "-m", "executable")
			w.git("checkout", "-q", ".")
			return ""
		}, errors: []string{notFound}},
		"the grandparent's folder changed": {prepare: func(w *world) string {
			w.build(main, latest)
			w.commit(change("deep/deep.pkr.hcl", "2"))
			return ""
		}, errors: []string{notFound}},
		"an extra path is not committed": {prepare: func(w *world) string {
			w.build(main, latest)
			w.write(change("shared/tasks.sh", "2"))
			return ""
		}, errors: []string{notFound}},
		"an extra path was removed": {prepare: func(w *world) string {
			w.build(main, latest)
			w.git("rm", "-q", "-r", "shared")
			w.git("commit", "-q", "-m", "remove")
			return ""
		}, errors: []string{notFound}},
		"another branch's line": {prepare: func(w *world) string {
			w.build(onLine("feature"), onLine("pr-42"))
			return ""
		}, errors: []string{notFound, "lines/main.json does not exist", "channels/latest.json does not exist"}},
		"another branch moved the channel to this content": {prepare: func(w *world) string {
			return w.build(onLine("feature"), latest)
		}},
		"the own line before the channel": {prepare: func(w *world) string {
			id := w.build(main)
			w.build(latest)
			return id
		}},
		"the channel, the own line has other content": {prepare: func(w *world) string {
			id := w.build(latest)
			w.commit(change("base/base.pkr.hcl", "2"))
			w.build(main)
			w.commit(change("base/base.pkr.hcl", "1"))
			return id
		}},
		"an older move of the channel": {prepare: func(w *world) string {
			id := w.build(latest)
			w.commit(change("base/base.pkr.hcl", "2"))
			w.build(latest)
			w.git("checkout", "-q", "-B", "main", "HEAD~1")
			return id
		}},
		"another channel": {options: `channel = "production"`, prepare: func(w *world) string {
			w.build(latest)
			return w.build(inChannel("production"))
		}},
		"another channel lacks it": {options: `channel = "production"`, prepare: func(w *world) string {
			w.build(latest)
			return ""
		}, errors: []string{"channels/production.json does not exist"}},
		"a pull request's line": {prepare: func(w *world) string {
			pullRequest(w.t)
			return w.build(onLine("pr-42"))
		}},
		"a pull request does not look at main's line": {prepare: func(w *world) string {
			pullRequest(w.t)
			w.build(main)
			return ""
		}, errors: []string{"lines/pr-42.json does not exist"}},
		"a pull request changes the base, and not the child": {prepare: func(w *world) string {
			w.build(main, latest)
			pullRequest(w.t)
			w.commit(change("shared/tasks.sh", "2"))
			return w.build(onLine("pr-42"))
		}},
		"the option branch, as no variable of the CI says it": {options: `branch = "feature"`, prepare: func(w *world) string {
			w.git("checkout", "-q", "--detach")
			w.build(main)
			return w.build(onLine("feature"))
		}},
		"the option branch in a pull request": {options: `branch = "main"`, prepare: func(w *world) string {
			pullRequest(w.t)
			w.build(main)
			return ""
		}, errors: []string{"lines/pr-42.json does not exist"}},
		// All of the following is what others may have written into a pointer.
		"a content that lacks the folder": {prepare: func(w *world) string {
			facts := w.facts()
			facts.Git.Content = without(facts.Git.Content, "base")
			w.publish(facts, main, latest)
			return ""
		}, errors: []string{notFound}},
		"a content without anything": {prepare: func(w *world) string {
			facts := w.facts()
			facts.Git.Content = nil
			w.publish(facts, main, latest)
			return ""
		}, errors: []string{notFound}},
		"paths that lead out of the checkout": {prepare: func(w *world) string {
			facts := w.facts()
			facts.Git.Content["../registry"], facts.Git.Content["/etc"], facts.Git.Content["--output=x"] = sha1, sha1, sha1
			w.publish(facts, main, latest)
			return ""
		}, errors: []string{notFound}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			id := tt.prepare(w)
			value, err := w.resolve(byPath + tt.options)
			wantID(t, value, err, id, tt.errors...)
		})
	}
}

// TestPath_ref has what the child is told about a parent that was found by its path: its content
// becomes part of that of the child.
func TestPath_ref(t *testing.T) {
	w := newWorld(t)
	first := w.git("rev-parse", "HEAD")
	w.build(onLine("main"))
	w.commit(map[string]string{"README": "2"})
	value, err := w.resolve(byPath)
	ref := refOf(t, value, err)
	if ref.Root != w.dir || ref.FoundBy != "registry: line main" {
		t.Errorf("got root %q, found by %q", ref.Root, ref.FoundBy)
	}
	if diff := cmp.Diff(w.content(baseContent...), ref.Content); diff != "" {
		t.Error(diff)
	}
	if got := value.GetAttr("commit").AsString(); got != first || value.GetAttr("resolved_by").AsString() != "registry" {
		t.Errorf("got commit %s, want %s", got, first)
	}
}

// TestPath_dirty has a folder that is not committed: no run of CI has built that, but perhaps one
// that has left the parent's local manifest.
func TestPath_dirty(t *testing.T) {
	files := []string{"and not committed are: base/base.pkr.hcl, base/new"}
	tests := map[string]struct {
		leave  func(t *testing.T, w *world, facts manifest.Facts)
		errors []string // nil: found
	}{
		"nothing": {func(*testing.T, *world, manifest.Facts) {}, append(files, "manifest-base.json does not exist")},
		"built":   {leaveLocal, nil},
		"built from other files": {func(t *testing.T, w *world, facts manifest.Facts) {
			facts.Git.Name = sha1
			leaveLocal(t, w, facts)
		}, append(files, "was built from "+sha1)},
		"built from another extra path": {func(t *testing.T, w *world, facts manifest.Facts) {
			leaveLocal(t, w, facts)
			w.write(map[string]string{"shared/tasks.sh": "2"})
		}, append(files, "was built from another version of shared")},
		"built from an extra path that is not committed": {func(t *testing.T, w *world, facts manifest.Facts) {
			facts.Git.Name = ""
			leaveLocal(t, w, facts)
		}, append(files, "was built from uncommitted files")},
		"of another image": {func(t *testing.T, w *world, facts manifest.Facts) {
			facts.Image = "app"
			leaveLocal(t, w, facts)
		}, append(files, "is of image app")},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.build(onLine("main"), latest)
			facts := w.facts()
			w.write(map[string]string{"base/base.pkr.hcl": "2", "base/new": "3"})
			s, err := newSearch(t.Context(), nil, Config{Image: "base", Registry: w.registry, Path: "base"})
			check(t, err)
			facts.Git.Name, facts.Git.Content["base"] = s.gitName, s.gitName
			tt.leave(t, w, facts)
			value, err := w.resolve(byPath)
			if tt.errors != nil {
				wantID(t, value, err, "", append(tt.errors, notFound)...)
				return
			}
			wantID(t, value, err, "File")
			ref := refOf(t, value, err)
			if ref.Root != w.dir || !cmp.Equal(ref.Content, facts.Git.Content) || value.GetAttr("resolved_by").AsString() != wayLocal {
				t.Errorf("got %+v", ref)
			}
		})
	}
}

// leaveLocal writes the parent's local manifest, as its run does.
func leaveLocal(t *testing.T, w *world, facts manifest.Facts) {
	t.Helper()
	m, _ := manifest.Merge(nil, facts, []manifest.Entry{fileBuild("image")}, now, "write")
	path := localmanifest.Default("base", w.registry, "base")
	check(t, os.MkdirAll(filepath.Dir(path), 0o755))
	check(t, os.WriteFile(path, []byte(encode(t, *m)), 0o644))
	check(t, os.WriteFile(filepath.Join("base", ".chain", ".gitignore"), []byte("*\n"), 0o644))
}

// TestGitSHA looks where path looks, by the object id of the folder alone.
func TestGitSHA(t *testing.T) {
	tests := map[string]struct {
		prepare func(w *world) string
		errors  []string
	}{
		"own line": {prepare: func(w *world) string {
			id := w.build(onLine("main"))
			w.build(latest)
			return id
		}},
		"channel": {prepare: func(w *world) string {
			id := w.build(latest)
			w.commit(map[string]string{"base/base.pkr.hcl": "2"})
			w.build(latest, onLine("main"))
			w.git("checkout", "-q", "-B", "main", "HEAD~1")
			return id
		}},
		"another line": {prepare: func(w *world) string {
			w.build(onLine("feature"))
			return ""
		}, errors: []string{"not found (git_sha ", "lines/main.json does not exist", "Build and publish base first"}},
		"other files": {prepare: func(w *world) string {
			w.build(onLine("main"), latest)
			w.commit(map[string]string{"base/base.pkr.hcl": "2"})
			return ""
		}, errors: []string{"lines/main.json knows no image"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			id := tt.prepare(w)
			value, err := w.resolve("git_sha = \"" + w.git("rev-parse", "HEAD:base") + "\"\nresolve_by = [\"registry\"]")
			wantID(t, value, err, id, tt.errors...)
			if err == nil && refOf(t, value, err).Root != "" {
				t.Error("the parent counts as found in this checkout")
			}
		})
	}
}
