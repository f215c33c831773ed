// SPDX-License-Identifier: MPL-2.0

package publish

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp/cmpopts"
	packersdk "github.com/hashicorp/packer-plugin-sdk/packer"

	"github.com/packer-chain/packer-plugin-chain/internal/access"
	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
	"github.com/packer-chain/packer-plugin-chain/internal/option/optiontest"
	"github.com/packer-chain/packer-plugin-chain/internal/record"
	"github.com/packer-chain/packer-plugin-chain/internal/registry"
)

const (
	ami1 = "ami-0a1b2c3d4e5f60718"
	ami2 = "ami-0c2d3e4f5a6b70819"
	sha1 = "4f1c9e2a4f1c9e2a4f1c9e2a4f1c9e2a4f1c9e2a"
)

var (
	print1 = strings.Repeat("1", 64)
	now    = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

	// whole compares entries as documents do, which know no nil.
	whole = cmpopts.EquateEmpty()
)

// screen is a Ui that remembers what it shows. All other methods panic.
type screen struct {
	packersdk.Ui
	mu        sync.Mutex
	said, red []string
}

func (s *screen) Say(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.said = append(s.said, text)
}

func (s *screen) Error(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.red = append(s.red, text)
}

// fakeArtifact is the artifact of a builder without AWS. The zero value is that of source "null".
type fakeArtifact struct {
	id    string
	files []string
	state map[string]any
	// broken is a method that panics.
	broken string
}

func (a *fakeArtifact) check(method string) {
	if a.broken == method {
		panic("the artifact has no " + method)
	}
}

func (a *fakeArtifact) BuilderId() string     { a.check("BuilderId"); return "acme.file" }
func (a *fakeArtifact) Files() []string       { a.check("Files"); return a.files }
func (a *fakeArtifact) Id() string            { a.check("Id"); return a.id }
func (a *fakeArtifact) String() string        { a.check("String"); return a.id }
func (a *fakeArtifact) State(name string) any { a.check("State"); return a.state[name] }
func (a *fakeArtifact) Destroy() error        { panic("the post-processor destroys the image") }

// newRecord returns the record of data "chain-image" for an image that has to be built.
func newRecord(dir string) record.Record {
	return record.Record{
		Facts: manifest.Facts{
			Image: "app", Fingerprint: print1, Git: manifest.Git{SHA: sha1, Name: sha1, Commit: sha1, CommitTime: now},
		},
		Registry: dir, Needed: true, Reason: "first build of app", Tags: map[string]string{"chain:image": "app"},
	}
}

// configured returns a post-processor for a record. Its options are HCL.
func configured(t *testing.T, builderType string, rec record.Record, options string) *PostProcessor {
	t.Helper()
	build, err := rec.Encode()
	if err != nil {
		t.Fatal(err)
	}
	var p PostProcessor
	value := optiontest.Decode(t, &p, "record = <<EOT\n"+build+"EOT\n"+options)
	if err := p.Configure(packerSays(builderType), value); err != nil {
		t.Fatal(err)
	}
	return &p
}

// folder returns an empty registry; the working directory of the test is beside it.
func folder(t *testing.T) string {
	t.Helper()
	offline(t)
	t.Chdir(t.TempDir())
	return filepath.Join(t.TempDir(), "registry")
}

func open(t *testing.T, dir string) *registry.Registry {
	t.Helper()
	reg, err := access.Open(t.Context(), nil, dir, nil).Registry()
	check(t, err)
	return reg
}

// stored is the manifest in the registry; nil if there is none.
func stored(t *testing.T, dir string) *manifest.Manifest {
	t.Helper()
	got, err := open(t, dir).Manifest(t.Context(), "app", print1)
	if err != nil {
		return nil
	}
	return got.Manifest
}

// points reports whether a ref exists and points at the build.
func points(t *testing.T, dir, name string) bool {
	t.Helper()
	ref, err := open(t, dir).Ref(t.Context(), "app", name)
	return err == nil && ref.Fingerprint == print1
}

// localPath returns the path of the local manifest of the image.
const localPath = ".chain/manifest-app.json"

// copied returns the local manifest.
func copied(t *testing.T, path string) *manifest.Manifest {
	t.Helper()
	body, err := os.ReadFile(path)
	check(t, err)
	m, err := manifest.Parse(body)
	check(t, err)
	return m
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
