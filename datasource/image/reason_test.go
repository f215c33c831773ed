// SPDX-License-Identifier: MPL-2.0

package image

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2/hcldec"
	"github.com/zclconf/go-cty/cty"

	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
	"github.com/packer-chain/packer-plugin-chain/internal/option/optiontest"
	"github.com/packer-chain/packer-plugin-chain/internal/record"
	"github.com/packer-chain/packer-plugin-chain/internal/registry"
)

func onLine(name string) registry.Name { return registry.Name{Kind: registry.Line, Name: name} }

// TestExecute_reason compares with the newest build of the image that a pointer knows. With a list
// of channels without latest, every fresh checkout said "first build" for the n-th build.
func TestExecute_reason(t *testing.T) {
	optiontest.Offline(t)
	const changed = "input build LAST removed"
	tests := map[string]struct {
		pointers []registry.Name // each points at its own build, the later the newer
		pull     bool
		gone     bool   // the manifest of the last one
		want     string // changed: compared with the last build
	}{
		"nothing":                              {want: "first build of app"},
		"channel latest":                       {pointers: []registry.Name{latest}, want: changed},
		"its own line only":                    {pointers: []registry.Name{onLine("main")}, want: changed},
		"the default branch's line only":       {pointers: []registry.Name{onLine("main")}, pull: true, want: changed},
		"the other default branch's line only": {pointers: []registry.Name{onLine("master")}, want: changed},
		"the line of its pull request":         {pointers: []registry.Name{onLine("main"), onLine("pr-42")}, pull: true, want: changed},
		"the line is newer than the channel":   {pointers: []registry.Name{latest, onLine("main")}, want: changed},
		"the channel is newer than the line":   {pointers: []registry.Name{onLine("main"), latest}, want: changed},
		"lines of others":                      {pointers: []registry.Name{onLine("pr-7"), onLine("feature")}, want: "first build of app"},
		"a build that is gone":                 {pointers: []registry.Name{onLine("main")}, gone: true, want: "no build of SHORT in the registry"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			newRepo(t, app)
			if tt.pull {
				pullRequest(t)
			}
			var last record.Record
			for i, pointer := range tt.pointers {
				last = lookedAt(t, fmt.Sprintf("inputs = { \"build %d\" = \"x\" }", i))
				last.DecidedAt = now.Add(time.Duration(i) * time.Hour)
				e := entry(fmt.Sprint(i), now)
				point(t, last, pointer, onlyPublish(t, last, e), e)
			}
			if tt.gone {
				if err := os.Remove(filepath.Join(last.Registry, "app", "builds", last.Fingerprint+".json")); err != nil {
					t.Fatal(err)
				}
			}
			rec := lookedAt(t, "")
			want := strings.NewReplacer("SHORT", rec.Fingerprint[:12], "LAST", fmt.Sprint(len(tt.pointers)-1)).Replace(tt.want)
			if rec.Reason != want {
				t.Errorf("got %q, want %q", rec.Reason, want)
			}
		})
	}
}

// lookedAt is looked, whatever the reason is.
func lookedAt(t *testing.T, options string) record.Record {
	t.Helper()
	value, err := execute(t, options)
	if err != nil {
		t.Fatal(err)
	}
	rec, err := record.Decode(value.GetAttr("record").AsString())
	if err != nil {
		t.Fatal(err)
	}
	return rec
}

// TestExecute_pinned has one image built twice. Which one is passed on says the channel, else the
// run's own line, else that of the default branch, and only else which one is newer.
func TestExecute_pinned(t *testing.T) {
	optiontest.Offline(t)
	tests := map[string]struct {
		first, second []registry.Name // what points at the first and the second build
		pull          bool
		want          string
	}{
		"nothing points":              {want: "File-2"},
		"the channel":                 {first: []registry.Name{latest}, want: "File-1"},
		"the channel before the line": {first: []registry.Name{latest}, second: []registry.Name{onLine("main")}, want: "File-1"},
		"the line":                    {first: []registry.Name{onLine("main")}, want: "File-1"},
		"the line of a pull request":  {first: []registry.Name{onLine("pr-42")}, second: []registry.Name{onLine("main")}, pull: true, want: "File-1"},
		"the default branch's line":   {first: []registry.Name{onLine("main")}, pull: true, want: "File-1"},
		"another line":                {first: []registry.Name{onLine("pr-7")}, pull: true, want: "File-2"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			newRepo(t, app)
			if tt.pull {
				pullRequest(t)
			}
			rec := lookedAt(t, "")
			one, two := entry("1", now), entry("2", now.Add(time.Hour))
			onlyPublish(t, rec, one)
			stored := onlyPublish(t, rec, two)
			for _, name := range tt.first {
				point(t, rec, name, stored, one)
			}
			for _, name := range tt.second {
				point(t, rec, name, stored, two)
			}
			rec = looked(t, "", "unchanged")
			if diff := cmp.Diff([]string{tt.want}, ids(rec.Entries)); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff([]string{"1", "2"}, rec.Known); diff != "" {
				t.Errorf("known runs: %s", diff)
			}
		})
	}
}

// TestExecute_line tells whose run it is.
func TestExecute_line(t *testing.T) {
	optiontest.Offline(t)
	tests := map[string]struct {
		prepare func(t *testing.T, dir string)
		options string
		want    string
		why     string // a part of why it is on no branch
	}{
		"branch":         {want: "main"},
		"pull request":   {prepare: func(t *testing.T, _ string) { pullRequest(t) }, want: "pr-42"},
		"detached":       {prepare: func(t *testing.T, dir string) { git(t, dir, "checkout", "-q", "--detach") }, want: "local", why: "HEAD is detached"},
		"not pushed yet": {prepare: func(t *testing.T, dir string) { git(t, dir, "remote", "add", "origin", dir) }, want: "local", why: "push it"},
		"detached, with branch": {prepare: func(t *testing.T, dir string) { git(t, dir, "checkout", "-q", "--detach") },
			options: `branch = "release/1.2"`, want: "release_2f1.2"},
		"pull request, with branch": {prepare: func(t *testing.T, _ string) { pullRequest(t) }, options: `branch = "main"`, want: "pr-42"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			dir := newRepo(t, app)
			if tt.prepare != nil {
				tt.prepare(t, dir)
			}
			value, err := execute(t, tt.options)
			if err != nil || value.GetAttr("line").AsString() != tt.want {
				t.Fatalf("got %#v, %v", value.GetAttr("line"), err)
			}
			rec := lookedAt(t, tt.options)
			if rec.Git.Line.Document() != tt.want || (rec.NotOnBranch == "") != (tt.why == "") || !strings.Contains(rec.NotOnBranch, tt.why) {
				t.Errorf("got %v, %q", rec.Git.Line, rec.NotOnBranch)
			}
			if diff := cmp.Diff([]string{"main", "master"}, rec.DefaultBranches); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestExecute_forEach has the map for the dynamic blocks of a template: a typo must be an error,
// and not a source that is never built.
func TestExecute_forEach(t *testing.T) {
	optiontest.Offline(t)
	newRepo(t, app)
	const both = `sources = ["file.image", "file.other"]`
	publish(t, looked(t, both, "first build of app"), entry("1", now))
	for options, want := range map[string]map[string][]string{
		"": {}, both: {"file.image": nil, "file.other": {"file.other"}},
		both + "\nforce = true": {"file.image": {"file.image"}, "file.other": {"file.other"}},
	} {
		value, err := execute(t, options)
		if err != nil {
			t.Fatal(err)
		}
		lists := value.GetAttr("for_each")
		got := map[string][]string{}
		for source, list := range lists.AsValueMap() {
			got[source] = nil
			for _, element := range list.AsValueSlice() {
				got[source] = append(got[source], element.AsString())
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q: %s", options, diff)
		}
		if lists.IsNull() || lists.HasIndex(cty.StringVal("file.typo")).True() {
			t.Errorf("%q: a typo is a key of %#v", options, lists)
		}
		if spec := hcldec.ImpliedType((&Datasource{}).OutputSpec()); !value.Type().Equals(spec) {
			t.Errorf("%q: the value is not what the spec promises: %#v, %#v", options, value.Type(), spec)
		}
	}
}

// TestExecute_checkout has what the post-processor compares the files with, and what a reader of a
// pointer compares its checkout with.
func TestExecute_checkout(t *testing.T) {
	optiontest.Offline(t)
	dir := newRepo(t, map[string]string{".images/app/x": "1", "app/app.pkr.hcl": "1", "shared/a": "2", "base/b": "3"})
	git(t, dir, "remote", "add", "origin", "https://user:secret@example.com/Acme/images.git")
	parent := record.Parent{Parent: manifest.Parent{Image: "base", Identity: ami1, Content: map[string]string{"base": "b1"}}, Root: dir}
	here, err := record.EncodeParent(parent)
	if err != nil {
		t.Fatal(err)
	}
	parent.Image, parent.Root, parent.Content = "elsewhere", "/elsewhere", map[string]string{"elsewhere": "e1"}
	elsewhere, err := record.EncodeParent(parent)
	if err != nil {
		t.Fatal(err)
	}
	id := func(path string) string { return git(t, dir, "rev-parse", "HEAD:"+path) }
	rec := lookedAt(t, fmt.Sprintf("extra_paths = [\"shared\"]\nparents = [%q, %q]", here, elsewhere))
	want := map[string]string{"app": id("app"), "shared": id("shared"), "base": "b1"}
	if diff := cmp.Diff(want, rec.Git.Content); diff != "" {
		t.Error(diff)
	}
	checkout := &record.Checkout{
		Paths:   []string{filepath.Join(dir, "app"), filepath.Join(dir, "shared")},
		Content: []string{id("app"), id("shared")},
	}
	if diff := cmp.Diff(checkout, rec.Checkout); diff != "" {
		t.Error(diff)
	}
	for path, want := range map[string]string{"app": "app", ".images/app": ".images/app", ".": ""} {
		id, err := identify(t.Context(), prepared(t, func(c *Config) { c.Path = path }), noEnv)
		if err != nil || id.facts.Git.Origin != "example.com/Acme/images//"+want {
			t.Errorf("%s: origin %q, %v", path, id.facts.Git.Origin, err)
		}
	}
}
