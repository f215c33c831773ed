// SPDX-License-Identifier: MPL-2.0

package localmanifest

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gofrs/flock"
	"github.com/google/go-cmp/cmp"

	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
	"github.com/packer-chain/packer-plugin-chain/internal/text"
)

// Two registries in one template: the second publication overwrote the unpublished local manifest of the
// first.
func TestDefault(t *testing.T) {
	here, err := filepath.Abs("registry")
	if err != nil {
		t.Fatal(err)
	}
	url := "file:///" + strings.TrimPrefix(filepath.ToSlash(here), "/")
	local := "folder_" + text.SHA256(here)[:12]
	for location, want := range map[string]string{
		"s3://acme-images/chain":         "acme-images/chain",
		"s3://acme-images/chain/":        "acme-images/chain",
		"s3://acme-images/chain/staging": "acme-images/chain/staging",
		"s3://acme-images":               "acme-images",
		"./registry":                     local,
		here:                             local,
		url:                              local,
		// There is none, or its error was said elsewhere.
		"":                        "",
		"s3://acme-images/../etc": "",
		"https://me:pw@host/x":    "",
	} {
		t.Run(location, func(t *testing.T) {
			got := Default("images/app", location, "app")
			if want := filepath.Join("images", "app", ".chain", want, "manifest-app.json"); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		})
	}
}

// The manifests of all registries are ignored by git, wherever they are.
func TestReplace_ignored(t *testing.T) {
	for _, location := range []string{"s3://acme-images/a/b", "registry"} {
		dir := t.TempDir()
		path := Default(dir, location, "app")
		body := []byte(`{"builds":[{}]}`)
		err := Replace(t.Context(), path, func(*manifest.Manifest) ([]byte, error) { return body, nil })
		if err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != string(body) {
			t.Errorf("%s: got %s, %v", location, got, err)
		}
		if got, err := os.ReadFile(filepath.Join(dir, ".chain", ".gitignore")); err != nil || string(got) != "*\n" {
			t.Errorf("%s: got %q, %v", location, got, err)
		}
	}
}

// The lock lay in the shared temporary folder, under a name that others could hold.
func TestReplace_lock(t *testing.T) {
	dir, tmp := t.TempDir(), t.TempDir()
	t.Setenv("TMPDIR", tmp)
	path := filepath.Join(dir, "manifest.json")
	if err := makeFolder(filepath.Dir(lockOf(path))); err != nil {
		t.Fatal(err)
	}
	hold := flock.New(lockOf(path))
	if locked, err := hold.TryLock(); err != nil || !locked {
		t.Fatal(locked, err)
	}
	write := func(ctx context.Context) error {
		return Replace(ctx, path, func(*manifest.Manifest) ([]byte, error) { return []byte("{}"), nil })
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	err := write(ctx)
	if err == nil || !strings.Contains(err.Error(), "wait for another build that writes it") {
		t.Errorf("another build holds the lock: %v", err)
	}
	if err := errors.Join(hold.Unlock(), write(t.Context())); err != nil {
		t.Error(err)
	}
	for folder, want := range map[string]int{dir: 2, tmp: 0} {
		if files, err := os.ReadDir(folder); err != nil || len(files) != want {
			t.Errorf("%s has %v, %v", folder, files, err)
		}
	}
}

// The folder .chain was to be made inside of a file, and each run ended with an error in red.
func TestDefault_file(t *testing.T) {
	dir := t.TempDir()
	template := filepath.Join(dir, "app.pkr.hcl")
	if err := os.WriteFile(template, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	const at = "s3://acme-images/chain"
	if got, want := Default(template, at, "app"), Default(dir, at, "app"); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestClaim(t *testing.T) {
	path := Default(t.TempDir(), "s3://acme-images/chain", "app")
	for i, tt := range []struct{ run, source, want string }{
		{"run1", "amazon-ebs.a", ""}, {"run1", "amazon-ebs.a", ""}, {"run1", "amazon-ebs.b", "amazon-ebs.a"},
		{"run1", "amazon-ebs.a", "amazon-ebs.b"}, {"run2", "amazon-ebs.b", ""}, {"run2", "amazon-ebs.a", "amazon-ebs.b"},
		{"", "amazon-ebs.a", ""},
	} {
		if got := Claim(path, tt.run, tt.source); got != tt.want {
			t.Errorf("%d: got %q, want %q", i, got, tt.want)
		}
	}
	if got := Claim(Default(filepath.Dir(path), "s3://other/x", "app"), "run2", "amazon-ebs.a"); got != "" {
		t.Errorf("the image of another registry is claimed by %q", got)
	}
	outside := filepath.Join(t.TempDir(), "manifest.json")
	Claim(outside, "run1", "amazon-ebs.a")
	if files, err := os.ReadDir(filepath.Dir(outside)); err != nil || len(files) > 0 {
		t.Errorf("it left %v beside a manifest elsewhere, %v", files, err)
	}
}

func TestUnpublished(t *testing.T) {
	entry := func(run, source string, at int64) manifest.Entry {
		return manifest.Entry{Name: source, BuilderType: "amazon-ebs", PackerRunUUID: run, ArtifactID: run + source, BuildTime: at}
	}
	no, yes := false, true
	local := func(published *bool, entries ...manifest.Entry) *manifest.Manifest {
		return &manifest.Manifest{Builds: entries, Chain: &manifest.Chain{Published: published}}
	}
	stored := local(nil, entry("1", "amd64", 100))
	unwanted := local(&no, entry("2", "amd64", 101), entry("2", "debug", 101))
	unwanted.Chain.Sources = []string{"amazon-ebs.amd64"}
	for name, tt := range map[string]struct {
		stored, local *manifest.Manifest
		want          []string
	}{
		"nothing in the registry": {nil, local(&no, entry("1", "amd64", 100)), []string{"1amd64"}},
		"Packer's own":            {nil, &manifest.Manifest{Builds: []manifest.Entry{{}}}, nil},
		"published":               {nil, local(nil, entry("1", "amd64", 100)), nil},
		"published, it says":      {nil, local(&yes, entry("1", "amd64", 100)), nil},
		"published since":         {stored, local(&no, entry("1", "amd64", 100)), nil},
		"newer":                   {stored, local(&no, entry("2", "amd64", 101)), []string{"2amd64"}},
		"built anew since":        {stored, local(&no, entry("0", "amd64", 99)), nil},
		// It was published with no entry of that source in the end, and so found again by every later run.
		"of a source that does not count": {nil, unwanted, []string{"2amd64"}},
		"of another source":               {stored, local(&no, entry("0", "arm64", 99), entry("0", "amd64", 99)), []string{"0arm64"}},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, e := range Unpublished(tt.stored, tt.local) {
				got = append(got, e.ArtifactID)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}
