// SPDX-License-Identifier: MPL-2.0

package revoke

import (
	"fmt"
	"maps"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	packersdk "github.com/hashicorp/packer-plugin-sdk/packer"

	"github.com/packer-chain/packer-plugin-chain/internal/access"
	"github.com/packer-chain/packer-plugin-chain/internal/ami/amitest"
	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
	"github.com/packer-chain/packer-plugin-chain/internal/option/optiontest"
	"github.com/packer-chain/packer-plugin-chain/internal/record"
	"github.com/packer-chain/packer-plugin-chain/internal/registry"
)

const (
	here, there = "eu-west-1", "us-east-1"
	commit      = "4f1c9e2a4f1c9e2a4f1c9e2a4f1c9e2a4f1c9e2a"
	reason      = "CVE-2026-0001"
)

var (
	print1 = strings.Repeat("1", 64)
	print2 = strings.Repeat("2", 64)
	ids    = map[string]string{here: "ami-0a1b2c3d4e5f60718", there: "ami-0e1b2c3d4e5f60718"}
	built  = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
)

// screen is a Ui that remembers what it shows. All other methods panic.
type screen struct {
	packersdk.Ui
	mu        sync.Mutex
	said, red []string
	// hook, if set, is called with each line before it is shown.
	hook func(text string)
}

func (s *screen) Say(text string) {
	if s.hook != nil {
		s.hook(text)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.said = append(s.said, text)
}

func (s *screen) Error(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.red = append(s.red, text)
}

// world is a registry in a folder, in which the image app of a run is published.
type world struct {
	t   *testing.T
	dir string
	// access is how the tests reach a registry that is not in a folder.
	access *access.Config
}

func newWorld(t *testing.T) world {
	t.Helper()
	optiontest.Offline(t)
	for name, value := range map[string]string{
		"PATH": "", "CI": "", "GITHUB_ACTIONS": "", "GITLAB_CI": "", "JENKINS_URL": ""} {
		t.Setenv(name, value)
	}
	t.Chdir(t.TempDir())
	return world{t: t, dir: filepath.Join(t.TempDir(), "registry")}
}

func (w world) check(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w world) registry() *registry.Registry {
	w.t.Helper()
	reg, err := access.Open(w.t.Context(), w.access, w.dir, nil).Registry()
	w.check(err)
	return reg
}

// amiEntry is what a run publishes: an AMI in two regions.
func amiEntry(run string) manifest.Entry {
	e := manifest.Entry{Name: "image", BuilderType: "amazon-ebs", BuilderID: "mitchellh.amazonebs", PackerRunUUID: run}
	for _, region := range []string{here, there} {
		e.Images = append(e.Images, manifest.Image{Provider: manifest.ProviderAWS, Region: region, ID: ids[region]})
	}
	e.ArtifactID = here + ":" + ids[here] + "," + there + ":" + ids[there]
	return e
}

func fileEntry(run string) manifest.Entry {
	return manifest.Entry{Name: "image", BuilderType: "file", BuilderID: "acme.file", PackerRunUUID: run, ArtifactID: "File"}
}

// publish publishes an entry, and returns what the manifest is then.
func (w world) publish(entry manifest.Entry) registry.Stored {
	w.t.Helper()
	facts := manifest.Facts{Image: "app", Fingerprint: print1}
	stored, err := w.registry().Publish(w.t.Context(), facts, []manifest.Entry{entry}, nil)
	w.check(err)
	return stored
}

// record returns the record that data "chain" has of what the manifest holds now of a run.
func (w world) record(run string) record.Record {
	w.t.Helper()
	m := w.stored()
	rec := record.Record{Facts: m.Chain.Facts, Registry: w.dir, Reason: "the image of fingerprint 111111111111"}
	for _, entry := range m.Builds {
		if entry.PackerRunUUID == run {
			rec.Entries = append(rec.Entries, entry)
		}
	}
	at := registry.TargetOf(print1, rec.Entries)
	at.Position = registry.Position{Commit: commit, CommitTime: built, DecidedAt: built}
	rec.Pointer = &record.Pointer{Target: at, AllowDeprecated: true, AllowRevoked: true}
	return rec
}

func (w world) stored() *manifest.Manifest {
	w.t.Helper()
	got, err := w.registry().Manifest(w.t.Context(), "app", print1)
	w.check(err)
	return got.Manifest
}

// mark is the revocation of a run's build, nil if it has none.
func (w world) mark(run string) *manifest.Revocation {
	w.t.Helper()
	for _, entry := range w.stored().Builds {
		if entry.PackerRunUUID == run {
			return entry.Revoked
		}
	}
	w.t.Fatalf("the manifest has no build of %s", run)
	return nil
}

// move moves a channel to the build of a record.
func (w world) move(channel string, rec record.Record) {
	w.t.Helper()
	_, err := w.registry().Move(w.t.Context(), registry.Request{Image: "app", AllowRollback: true,
		Name: registry.Name{Kind: registry.Channel, Name: channel}, To: rec.Pointer.Target,
		Stored: registry.Stored{Manifest: w.stored()}, Change: manifest.Change{By: "test"}}, nil)
	w.check(err)
}

// configure returns the post-processor for a record. Its options are HCL.
func configure(t *testing.T, builderType string, rec record.Record, options string) (*PostProcessor, error) {
	t.Helper()
	text, err := rec.Encode()
	if err != nil {
		t.Fatal(err)
	}
	p := &PostProcessor{}
	value := optiontest.Decode(t, p, "record = <<EOT\n"+text+"EOT\n"+options)
	return p, p.Configure(map[string]any{"packer_build_name": "image", "packer_builder_type": builderType}, value)
}

// run runs the post-processor after the gate, with a script of EC2 for each region.
func (w world) run(rec record.Record, options string, steps map[string][]amitest.Step) (*screen, error) {
	w.t.Helper()
	return w.runOn(&screen{}, rec, options, steps)
}

func (w world) runOn(ui *screen, rec record.Record, options string, steps map[string][]amitest.Step) (*screen, error) {
	w.t.Helper()
	all := map[string][]amitest.Step{here: nil, there: nil}
	maps.Copy(all, steps)
	server := amitest.Serve(all)
	p, err := configure(w.t, "chain", rec, fmt.Sprintf("region = %q\naccess_key = \"AKIDEXAMPLE\"\n"+
		"secret_key = \"secret\"\ncustom_endpoint_ec2 = %q\n%s", here, server.URL, options))
	w.check(err)
	source := rec.Artifact()
	kept, keepInput, force, err := p.PostProcess(w.t.Context(), ui, source)
	if kept != packersdk.Artifact(source) || !keepInput || !force {
		w.t.Errorf("it keeps %v, %t, %t", kept, keepInput, force)
	}
	if scriptErr := server.Close(); scriptErr != nil {
		w.t.Errorf("the script of EC2: %v\n%v, %q", scriptErr, err, ui.red)
	}
	return ui, err
}

// wantError wants each text in an error.
func wantError(t *testing.T, err error, want ...string) {
	t.Helper()
	for _, text := range want {
		if err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("got %v\nwant %q in it", err, text)
		}
	}
}
