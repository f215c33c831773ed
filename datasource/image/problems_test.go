// SPDX-License-Identifier: MPL-2.0

package image

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/packer-chain/packer-plugin-chain/internal/ami/amitest"
	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
	"github.com/packer-chain/packer-plugin-chain/internal/manifest/manifesttest"
	"github.com/packer-chain/packer-plugin-chain/internal/option/optiontest"
	"github.com/packer-chain/packer-plugin-chain/internal/record"
	"github.com/packer-chain/packer-plugin-chain/internal/registry"
	"github.com/packer-chain/packer-plugin-chain/internal/tags"
	"github.com/packer-chain/packer-plugin-chain/internal/text"
)

// TestDecide_unproven has manifests from which somebody has taken the AMIs, so that nobody would
// check them.
func TestDecide_unproven(t *testing.T) {
	plain := manifest.Entry{Name: "app", BuilderType: "file", PackerRunUUID: "run2", ArtifactID: "File", BuildTime: now.Unix()}
	with := func(change func(*manifest.Entry)) manifest.Entry {
		e := plain
		change(&e)
		return e
	}
	pinned := built("app", "eu-west-1", ami1)
	pinned.BuilderType = "file"
	const none = "its manifest names no AMI"
	tests := map[string]struct {
		config  Config
		entries []manifest.Entry
		pins    []registry.Target
		want    string
	}{
		"files":                    {entries: []manifest.Entry{plain}, want: "unchanged"},
		"of a builder of AMIs":     {entries: []manifest.Entry{with(func(e *manifest.Entry) { e.BuilderType = "amazon-ebs" })}, want: none},
		"by the id of its builder": {entries: []manifest.Entry{with(func(e *manifest.Entry) { e.BuilderID = "mitchellh.amazonebs" })}, want: none},
		"with the id of an AMI":    {entries: []manifest.Entry{with(func(e *manifest.Entry) { e.ArtifactID = manifesttest.ForeignAMI })}, want: none},
		"of another provider": {entries: []manifest.Entry{with(func(e *manifest.Entry) {
			e.Images = []manifest.Image{{Provider: "x", ID: manifesttest.ForeignAMI}}
		})}, want: none},
		"regions are wanted":        {config: Config{Regions: eu}, entries: []manifest.Entry{plain}, want: none},
		"sources tell it anyway":    {config: Config{Regions: eu, Sources: []string{"file.app"}}, entries: []manifest.Entry{plain}, want: "unchanged"},
		"a pointer has an AMI":      {entries: []manifest.Entry{plain}, pins: []registry.Target{registry.TargetOf("", []manifest.Entry{pinned})}, want: none},
		"an older run made one":     {entries: []manifest.Entry{pinned, plain}, want: none},
		"an id that leaves nothing": {entries: []manifest.Entry{with(func(e *manifest.Entry) { e.ArtifactID = "$(reboot)" })}, want: "unchanged"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			e := existing{published: existingManifest(tt.entries...), preferred: tt.pins, regions: eu}
			tt.config.Image = "app"
			if got := decide(tt.config, manifest.Facts{}, e, now); !strings.HasSuffix(got.reason, tt.want) || (len(got.pending) > 0) != (tt.want != "unchanged") {
				t.Errorf("got %q for %q, want %q", got.pending, got.reason, tt.want)
			}
		})
	}
}

// TestDecide_good has an image that every child would refuse: its own run builds it again.
func TestDecide_good(t *testing.T) {
	deprecated, aged := there("available", nil), there("available", nil)
	deprecated.DeprecatedAt, aged.CreatedAt = now, now.AddDate(0, -1, 0)
	deep := []manifest.Ancestor{{Image: "deep", AMIs: map[string]string{"eu-west-1": ami2}}}
	below := described(there("available", nil))
	gone := there("available", map[string]string{tags.Revoked: "CVE\n1"})
	gone.ID = ami2
	below[gone.Address()] = gone
	one := existingManifest(built("app", "eu-west-1", ami1))
	tests := map[string]struct {
		config Config
		seen   existing
		want   string
	}{
		"deprecated":          {Config{}, existing{images: described(deprecated)}, ami1 + " in eu-west-1 has been deprecated since 2026-06-01T12:00:00Z"},
		"deprecated, allowed": {Config{AllowDeprecated: true}, existing{images: described(deprecated)}, "unchanged"},
		"an AMI that is old":  {Config{MaxAge: 48 * time.Hour}, existing{images: described(aged)}, "older than 48h"},
		"on a revoked one":    {Config{}, existing{images: below, ancestors: deep}, "its ancestor deep, " + ami2 + " in eu-west-1, is revoked: CVE 1"},
		"on one of others":    {Config{}, existing{images: described(there("available", nil)), ancestors: deep}, "unchanged"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			tt.seen.published, tt.seen.regions = one, eu
			tt.config.Image = "app"
			if got := decide(tt.config, manifest.Facts{}, tt.seen, now); got.reason != tt.want {
				t.Errorf("got %q, want %q", got.reason, tt.want)
			}
		})
	}
}

// TestEC2_ancestors asks for the AMIs of the image and of those below it in one request. A parent
// that the template takes although it is revoked does not count: building again would not help.
func TestEC2_ancestors(t *testing.T) {
	optiontest.Offline(t)
	const deepAMI = "ami-0d3e4f5a6b708192a"
	for name, allowed := range map[string]bool{"revoked": false, "revoked, and allowed": true} {
		t.Run(name, func(t *testing.T) {
			newRepo(t, app)
			ref, err := record.EncodeParent(record.Parent{Parent: manifest.Parent{
				Image: "base", Identity: ami2, AllowRevoked: allowed,
				Ancestors: []manifest.Ancestor{{Image: "deep", AMIs: map[string]string{here: deepAMI}}}}})
			if err != nil {
				t.Fatal(err)
			}
			options := "parents = [" + quote(ref) + "]"
			publish(t, looked(t, options, "first build of app"), built("app", here, ami1))
			steps := []amitest.Step{amitest.Describe(amitest.Image{ID: ami1},
				amitest.Image{ID: deepAMI, Tags: map[string]string{tags.Revoked: "CVE"}})}
			want := "its ancestor deep, " + deepAMI + " in " + here + ", is revoked: CVE"
			if allowed {
				steps, want = []amitest.Step{lookedFor(ami1, amitest.Describe(amitest.Image{ID: ami1}))}, "unchanged"
			}
			value, err := fromEC2(t, options, map[string][]amitest.Step{here: steps})
			if err != nil || value.GetAttr("reason").AsString() != want {
				t.Errorf("got %#v, %v; want %s", value, err, want)
			}
		})
	}
}

func quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(s) + `"`
}

// TestEC2_young has an AMI that was created a minute ago, and that EC2 does not show at first.
func TestEC2_young(t *testing.T) {
	optiontest.Offline(t)
	newRepo(t, app)
	young := built("app", here, ami1)
	young.Images[0].CreatedAt = time.Now()
	publish(t, looked(t, "", "first build of app"), young)
	none := lookedFor(ami1, amitest.Describe())
	value, err := fromEC2(t, "", map[string][]amitest.Step{here: {none, none, lookedFor(ami1, amitest.Describe(amitest.Image{ID: ami1}))}})
	if err != nil || value.GetAttr("reason").AsString() != "unchanged" {
		t.Errorf("got %#v, %v", value, err)
	}
}

// TestExecute_files has an image of a file. Another file in its place is not what was built; one
// that is not here is no reason to build.
func TestExecute_files(t *testing.T) {
	optiontest.Offline(t)
	newRepo(t, app)
	out := filepath.Join(t.TempDir(), "work")
	e := entry("1", now)
	e.Files = []manifest.File{{Name: "app.img", Size: 5, SHA256: text.SHA256("built")}, {Name: filepath.Join(out, "x"), SHA256: text.SHA256("x")}}
	first := looked(t, "dirty = \"include\"", "first build of app")
	publish(t, first, e)
	looked(t, "dirty = \"include\"", "unchanged")
	for body, want := range map[string]string{"built": "unchanged", "other": "file app.img is not the file that was built"} {
		if err := os.WriteFile("app.img", []byte(body), 0o644); err != nil {
			t.Fatal(err)
		}
		looked(t, "dirty = \"include\"", want)
	}
}

func TestSafe(t *testing.T) {
	got := safe("template: a -> b; it is revoked: `x` $(y) 'z' \"<b>\" \\")
	if want := "template: a -> b; it is revoked: ’x’ (y) ’z’ ”‹b›” "; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
