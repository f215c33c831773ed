// SPDX-License-Identifier: MPL-2.0

package publish

import (
	"os"
	"slices"
	"strings"
	"testing"

	packersdk "github.com/hashicorp/packer-plugin-sdk/packer"

	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
	"github.com/packer-chain/packer-plugin-chain/internal/record"
	"github.com/packer-chain/packer-plugin-chain/internal/registry"
)

// published adds an entry to the image of newRecord, as another run does.
func published(t *testing.T, dir string, sources []string, entry manifest.Entry) {
	t.Helper()
	facts := newRecord(dir).Facts
	facts.Sources = sources
	_, err := open(t, dir).Publish(t.Context(), facts, []manifest.Entry{entry}, nil)
	check(t, err)
}

// TestPublish_second has another run publish the same image while this one bakes it: this one
// records its own, but what it passes on and what the pointers pin is that of the first one.
func TestPublish_second(t *testing.T) {
	two := []string{"file.image", "file.b"}
	first := manifest.Entry{Name: "image", BuilderType: "file", BuilderID: "acme.file", PackerRunUUID: "first", Images: []manifest.Image{
		{Provider: manifest.ProviderAWS, Region: "eu-west-1", ID: ami2}}}
	for name, tt := range map[string]struct {
		change func(*record.Record)
		passed string // the artifact that is passed on
		pinned string // the run that latest pins
	}{
		"another came first": {func(*record.Record) {}, "eu-west-1:" + ami2, "first"},
		"forced":             {func(rec *record.Record) { rec.Forced = true }, "File", "run"},
		"known before":       {func(rec *record.Record) { rec.Known = []string{"first"} }, "File", "run"},
		"it does not count":  {func(rec *record.Record) { rec.Regions = []string{"us-east-1"} }, "File", "run"},
		"still incomplete":   {func(rec *record.Record) { rec.Sources, rec.Pending = two, two }, "eu-west-1:" + ami2, ""},
	} {
		t.Run(name, func(t *testing.T) {
			dir := folder(t)
			rec := newRecord(dir)
			tt.change(&rec)
			published(t, dir, rec.Sources, first)
			ui, source := &screen{}, &fakeArtifact{id: "File"}
			got, keepInput, forceKeep, err := configured(t, "file", rec, "").PostProcess(t.Context(), ui, source)
			check(t, err)
			if got.Id() != tt.passed || !keepInput || !forceKeep {
				t.Errorf("passed on is %s, %t, %t", got.Id(), keepInput, forceKeep)
			}
			var red []string
			if tt.passed != "File" {
				red = []string{"warning: another run published this image first. Its AMIs are passed on: eu-west-1: " + ami2}
			}
			if !slices.Equal(ui.red, red) {
				t.Errorf("got %q, want %q", ui.red, red)
			}
			if m := stored(t, dir); len(m.Builds) != 2 || m.Builds[1].PackerRunUUID != "run" {
				t.Errorf("its own is not recorded: %+v", m.Builds)
			}
			for _, at := range []*registry.Pointer{pointer(t, dir, registry.Channel, "latest"), pointer(t, dir, registry.Line, "main")} {
				if (at == nil) != (tt.pinned == "") || at != nil && at.Current().Builds[0].Run != tt.pinned {
					t.Errorf("got %+v", at)
				}
			}
		})
	}
}

// TestPublish_conflict: an image that lists no sources has one, which makes one artifact in a run.
// Whatever on_failure says, that is an error, and nothing moves.
func TestPublish_conflict(t *testing.T) {
	entry := func(builder, name, run string) manifest.Entry {
		return manifest.Entry{Name: name, BuilderType: builder, PackerRunUUID: run, ArtifactID: "Other"}
	}
	for name, tt := range map[string]struct {
		there   manifest.Entry
		sources []string
		want    []string
	}{
		"second source": {entry("docker", "image", "run"), nil, []string{"publish app: source file.image publishes into the image of source docker.image",
			`set sources = ["docker.image", "file.image"] in data "chain-image"`, "This artifact was not published."}},
		"of an earlier run": {entry("docker", "image", "other"), nil, []string{`set sources = ["docker.image", "file.image"]`}},
		"two artifacts": {entry("file", "image", "run"), nil,
			[]string{"publish app: source file.image has made two artifacts in one run, Other and File", `list all in sources of data "chain-image"`}},
		"two artifacts of one of two": {entry("file", "image", "run"), []string{"file.image", "file.b"}, []string{"has made two artifacts in one run"}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := folder(t)
			published(t, dir, tt.sources, tt.there)
			rec := newRecord(dir)
			if rec.Sources = tt.sources; tt.sources != nil {
				rec.Pending = tt.sources
			}
			ui, err := process(t, configured(t, "file", rec, `on_failure = "keep"`), &fakeArtifact{id: "File"})
			for _, want := range tt.want {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("got %v, want %q in it", err, want)
				}
			}
			if len(stored(t, dir).Builds) != 1 || points(t, dir, "latest") || leaves(t, dir, "main") || len(ui.red) > 0 {
				t.Errorf("something is published: %q", ui.red)
			}
			if _, err := os.Stat(localPath(dir)); err == nil {
				t.Error("the next run would publish it")
			}
		})
	}
}

// TestConfigure_secondSource refuses both sources of an image that lists none: the second one
// before the build, and the first one before it is published.
func TestConfigure_secondSource(t *testing.T) {
	dir := folder(t)
	rec := newRecord(dir)
	rec.LocalManifest = localPath(dir)
	first := configured(t, "docker", rec, "")
	encoded, err := rec.Encode()
	check(t, err)
	const want = "docker.image and file.image both publish into image app\n\nIf the image consists of both, set sources = " +
		"[\"docker.image\", \"file.image\"] in data \"chain-image\". If not, give each image its own name."
	err = (&PostProcessor{}).Configure(packerSays("file"), map[string]any{"record": encoded})
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v", err)
	}
	_, err = process(t, first, &fakeArtifact{id: "sha256:1"})
	if err == nil || err.Error() != "publish app: "+want || stored(t, dir) != nil {
		t.Errorf("got %v", err)
	}
	t.Setenv("PACKER_RUN_UUID", "run2") // The next run has one source only.
	processed(t, configured(t, "file", rec, ""), &fakeArtifact{id: "File"})
}

// TestPostProcess_otherRecord has two images in one build, and a post-processor that does not know
// which one is its own.
func TestPostProcess_otherRecord(t *testing.T) {
	const remedy = "\n\nIf a build has several images, each post-processor needs only = [...], or record = " +
		"{ a = data.chain-image.a.record, b = data.chain-image.b.record }[source.name]. This post-processor has changed nothing."
	dir := folder(t)
	processed(t, configured(t, "file", newRecord(dir), "channels = []"), &fakeArtifact{id: "File"})
	rec := passedThrough(dir, stored(t, dir), false)
	gate := func(image, fingerprint, id string) packersdk.Artifact {
		return &fakeArtifact{id: id, state: map[string]any{"chain.image": image, "chain.fingerprint": fingerprint}}
	}
	for passed, says := range map[packersdk.Artifact]string{
		gate("app", print2, "File"):     "image app, fingerprint 222222222222, File",
		gate("other", print1, "File"):   "image other, fingerprint 111111111111, File",
		gate("app", print1, "File-two"): "image app, fingerprint 111111111111, File-two",
	} {
		_, _, _, err := configured(t, "chain", rec, `on_failure = "keep"`).PostProcess(t.Context(), &screen{}, passed)
		want := "publish app: the artifact is that of another record: " + says +
			", and not image app, fingerprint 111111111111, File" + remedy
		if err == nil || err.Error() != want || points(t, dir, "latest") {
			t.Errorf("got %v", err)
		}
	}
	_, _, _, err := configured(t, "chain", rec, "").PostProcess(t.Context(), &screen{}, gate("app", print1, "File"))
	if err != nil || !points(t, dir, "latest") {
		t.Errorf("got %v", err)
	}
}
