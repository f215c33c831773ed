// SPDX-License-Identifier: MPL-2.0

package parent

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/zclconf/go-cty/cty"

	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
	"github.com/packer-chain/packer-plugin-chain/internal/option/optiontest"
	"github.com/packer-chain/packer-plugin-chain/internal/record"
	"github.com/packer-chain/packer-plugin-chain/internal/registry"
)

// world is a checkout with the images deep, base and app, and a registry elsewhere. The image base
// is built from the folders base and shared, on top of deep.
type world struct {
	t             *testing.T
	dir, registry string
	// builds counts the images that were built, and each of them takes an hour.
	builds int
}

var baseContent = []string{"base", "shared", "deep"}

// newWorld returns a world with one commit on the branch main, outside of CI. It is the working
// directory of the test.
func newWorld(t *testing.T) *world {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("git is not installed")
	}
	optiontest.Offline(t)
	for name, value := range map[string]string{
		"GIT_CONFIG_GLOBAL": os.DevNull, "GIT_CONFIG_SYSTEM": os.DevNull, "GIT_CONFIG_NOSYSTEM": "1",
		"GIT_AUTHOR_NAME": "Acme", "GIT_AUTHOR_EMAIL": "acme@example.com",
		"GIT_COMMITTER_NAME": "Acme", "GIT_COMMITTER_EMAIL": "acme@example.com",
		"BITBUCKET_BUILD_NUMBER": "", "BUILDKITE": "", "BUILD_TAG": "", "CI": "", "CIRCLECI": "",
		"CODEBUILD_BUILD_ID": "", "DRONE": "", "GITHUB_ACTIONS": "", "GITLAB_CI": "", "JENKINS_URL": "",
		"TEAMCITY_VERSION": "", "TF_BUILD": "", "TRAVIS": "", registry.Variable: "",
	} {
		t.Setenv(name, value)
	}
	dir, err := filepath.EvalSymlinks(t.TempDir())
	check(t, err)
	w := &world{t: t, dir: dir, registry: filepath.Join(t.TempDir(), "registry")}
	w.git("init", "-q", "-b", "main")
	w.commit(map[string]string{"base/base.pkr.hcl": "1", "shared/tasks.sh": "1", "deep/deep.pkr.hcl": "1", "app/app.pkr.hcl": "1"})
	t.Chdir(dir)
	return w
}

func (w *world) git(args ...string) string {
	w.t.Helper()
	out, err := exec.Command("git", append([]string{"-C", w.dir}, args...)...).CombinedOutput()
	if err != nil {
		w.t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

// write changes files, and commits nothing.
func (w *world) write(files map[string]string) {
	w.t.Helper()
	for name, content := range files {
		path := filepath.Join(w.dir, filepath.FromSlash(name))
		check(w.t, os.MkdirAll(filepath.Dir(path), 0o755))
		check(w.t, os.WriteFile(path, []byte(content), 0o644))
	}
}

// commit changes files, and returns the commit.
func (w *world) commit(files map[string]string) string {
	w.t.Helper()
	w.write(files)
	w.git("add", "-A")
	w.git("commit", "-q", "-m", "change", "--allow-empty")
	return w.git("rev-parse", "HEAD")
}

// content has the object ids of paths as they are committed.
func (w *world) content(paths ...string) map[string]string {
	w.t.Helper()
	all := map[string]string{}
	for _, path := range paths {
		all[path] = w.git("rev-parse", "HEAD:"+path)
	}
	return all
}

// facts are those of the next image base from this checkout.
func (w *world) facts() manifest.Facts {
	w.t.Helper()
	w.builds++
	git := manifest.Git{Commit: w.git("rev-parse", "HEAD"), Content: w.content(baseContent...)}
	git.SHA = git.Content["base"]
	git.Name = git.SHA
	return manifest.Facts{Image: "base", Fingerprint: fmt.Sprintf("%064x", w.builds), Git: git}
}

// build publishes an image base that was built from this checkout, and moves pointers to it. It
// returns the id of its artifact.
func (w *world) build(pointers ...registry.Name) string {
	w.t.Helper()
	return w.publish(w.facts(), pointers...)
}

func (w *world) publish(facts manifest.Facts, pointers ...registry.Name) string {
	w.t.Helper()
	entry := fileBuild("image")
	entry.ArtifactID = fmt.Sprintf("File-%d", w.builds)
	w.put(facts, entry, pointers...)
	return entry.ArtifactID
}

func (w *world) put(facts manifest.Facts, entry manifest.Entry, pointers ...registry.Name) {
	w.t.Helper()
	_, err := open(w.t, w.registry).Publish(w.t.Context(), facts, []manifest.Entry{entry}, nil)
	check(w.t, err)
	for _, name := range pointers {
		point(w.t, w.registry, facts, now.Add(time.Duration(w.builds)*time.Hour), name, entry)
	}
}

func onLine(name string) registry.Name    { return registry.Name{Kind: registry.Line, Name: name} }
func inChannel(name string) registry.Name { return registry.Name{Kind: registry.Channel, Name: name} }

// resolve resolves the parent base of the image app.
func (w *world) resolve(options string) (cty.Value, error) {
	w.t.Helper()
	var d Datasource
	in := fmt.Sprintf("image = \"base\"\nkind = \"artifact\"\nregistry = %q\n%s", w.registry, options)
	if errs := configure(w.t, &d, in); errs != nil {
		w.t.Fatal(errs)
	}
	return d.Execute()
}

const (
	byPath   = "path = \"base\"\nresolve_by = [\"registry\"]\n"
	notFound = "not found (path base)"
)

// wantID wants the image of that id, or else all of the texts in the error.
func wantID(t *testing.T, value cty.Value, err error, id string, texts ...string) {
	t.Helper()
	if id != "" && (err != nil || value.GetAttr("id").AsString() != id) {
		t.Errorf("got %v, %v; want %s", attribute(value, err, "id"), err, id)
	}
	for _, want := range texts {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, %v; want %q in it", attribute(value, err, "id"), err, want)
		}
	}
}

func attribute(value cty.Value, err error, name string) string {
	if err != nil {
		return ""
	}
	return value.GetAttr(name).AsString()
}

// refOf is the ref among the outputs.
func refOf(t *testing.T, value cty.Value, err error) record.Parent {
	t.Helper()
	check(t, err)
	ref, err := record.DecodeParent(value.GetAttr("ref").AsString())
	check(t, err)
	return ref
}

// pullRequest makes the run one of a pull request on GitHub, whose head is called main.
func pullRequest(t *testing.T) {
	t.Helper()
	for name, value := range map[string]string{
		"GITHUB_ACTIONS": "true", "GITHUB_EVENT_NAME": "pull_request", "GITHUB_REF": "refs/pull/42/merge",
		"GITHUB_HEAD_REF": "main", "GITHUB_SHA": "", "GITHUB_EVENT_PATH": "",
	} {
		t.Setenv(name, value)
	}
}

// without returns a copy of a content that lacks a path.
func without(content map[string]string, path string) map[string]string {
	content = maps.Clone(content)
	delete(content, path)
	return content
}
