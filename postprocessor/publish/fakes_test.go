// SPDX-License-Identifier: MPL-2.0

package publish

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp/cmpopts"
	packersdk "github.com/hashicorp/packer-plugin-sdk/packer"

	"github.com/packer-chain/packer-plugin-chain/internal/access"
	"github.com/packer-chain/packer-plugin-chain/internal/localmanifest"
	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
	"github.com/packer-chain/packer-plugin-chain/internal/option/optiontest"
	"github.com/packer-chain/packer-plugin-chain/internal/record"
	"github.com/packer-chain/packer-plugin-chain/internal/registry"
)

const (
	ami1 = "ami-0a1b2c3d4e5f60718"
	ami2 = "ami-0c2d3e4f5a6b70819"
	sha1 = "4f1c9e2a4f1c9e2a4f1c9e2a4f1c9e2a4f1c9e2a"
	sha2 = "5a2d8b3c5a2d8b3c5a2d8b3c5a2d8b3c5a2d8b3c"
)

var (
	print1 = strings.Repeat("1", 64)
	now    = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

	// asJSON compares entries as documents do, which know no nil.
	asJSON = cmpopts.EquateEmpty()
	// main is the line of newRecord.
	main = manifest.Line{Kind: manifest.LineBranch, Name: "main"}
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

// newRecord returns the record of data "chain-image" for an image that has to be built, in a run of
// main.
func newRecord(dir string) record.Record {
	return record.Record{
		Facts: manifest.Facts{
			Image: "app", Fingerprint: print1, Git: manifest.Git{
				SHA: sha1, Name: sha1, Commit: sha1, CommitTime: now, Line: main, Origin: "github.com/acme/images//app",
				Content: map[string]string{"app": sha1},
			},
		},
		Registry: dir, Pending: []string{"app"}, Reason: "first build of app", DecidedAt: now.Add(time.Hour),
		Tags: map[string]string{"chain:image": "app"},
	}
}

// configured returns a post-processor for a record. Its options are HCL.
func configured(t *testing.T, builderType string, rec record.Record, options string) *PostProcessor {
	t.Helper()
	p, err := tryConfigure(t, builderType, rec, options)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func tryConfigure(
	t *testing.T, builderType string, rec record.Record, options string,
) (*PostProcessor, error) {
	t.Helper()
	build, err := rec.Encode()
	if err != nil {
		t.Fatal(err)
	}
	p := &PostProcessor{}
	value := optiontest.Decode(t, p, "record = <<EOT\n"+build+"EOT\n"+options)
	return p, p.Configure(packerSays(builderType), value)
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

// points reports whether a channel exists and points at the build.
func points(t *testing.T, dir, channel string) bool {
	t.Helper()
	p := pointer(t, dir, registry.Channel, channel)
	return p != nil && p.Fingerprint == print1
}

// leaves reports whether a line exists and points at the build.
func leaves(t *testing.T, dir, line string) bool {
	t.Helper()
	p := pointer(t, dir, registry.Line, line)
	return p != nil && p.Fingerprint == print1
}

// pointer is a channel or line in the registry; nil if it does not exist.
func pointer(t *testing.T, dir string, kind registry.Kind, name string) *registry.Pointer {
	t.Helper()
	p, err := open(t, dir).Pointer(t.Context(), "app", registry.Name{Kind: kind, Name: name})
	if errors.Is(err, registry.ErrNotFound) {
		return nil
	}
	check(t, err)
	return p
}

// print2 is the fingerprint of the image that others have moved a channel to.
var print2 = strings.Repeat("2", 64)

// moved moves a channel to an image of print2, as a run of a later commit does. change changes
// that.
func moved(t *testing.T, dir, channel string, change func(*registry.Request)) {
	t.Helper()
	request := registry.Request{
		Image: "app", Name: channelName(channel), Change: manifest.Change{By: "test"},
		To: registry.Target{
			Fingerprint: print2, Builds: []registry.Build{{Source: "file.image", Run: "other", ArtifactID: "Other"}},
			Position: registry.Position{Commit: sha2, CommitTime: now.Add(time.Minute), DecidedAt: now.Add(time.Minute)},
			Content:  map[string]string{"app": sha2}, GitSHA: sha2, Origin: "github.com/acme/images//app", Line: main,
		},
	}
	if change != nil {
		change(&request)
	}
	result, err := open(t, dir).Move(t.Context(), request, nil)
	check(t, err)
	if result.Outcome != registry.Moved && result.Outcome != registry.Created {
		t.Fatalf("the channel does not move: %+v", result)
	}
}

// older makes a move of an earlier commit.
func older(r *registry.Request) {
	r.To.CommitTime, r.To.DecidedAt = now.Add(-time.Minute), now.Add(-time.Minute)
}

// localPath returns the path of the local manifest of the image.
func localPath(dir string) string { return localmanifest.Default(".", dir, "app") }

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
