// SPDX-License-Identifier: MPL-2.0

package parent

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/packer-chain/packer-plugin-chain/internal/access"
	"github.com/packer-chain/packer-plugin-chain/internal/ami"
	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
	"github.com/packer-chain/packer-plugin-chain/internal/manifest/manifesttest"
	"github.com/packer-chain/packer-plugin-chain/internal/record"
	"github.com/packer-chain/packer-plugin-chain/internal/registry"
	"github.com/packer-chain/packer-plugin-chain/internal/tags"
)

const (
	ami1 = "ami-0a1b2c3d4e5f60718"
	ami2 = "ami-0c2d3e4f5a6b70819"
)

var now = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

func image(id, region string, age time.Duration, tags map[string]string) ami.Image {
	return ami.Image{ID: id, Region: region, Architecture: "x86_64", State: "available", CreatedAt: now.Add(-age), Tags: tags}
}

func message(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestCheckPolicy(t *testing.T) {
	const (
		uri    = "s3://acme-images/chain/base/builds/1.json"
		revoke = "\n\nBuild the image again, or set allow_revoked = true."
	)
	one := func(i ami.Image) map[string]ami.Image { return map[string]ami.Image{i.Region: i} }
	young := image(ami1, "eu-west-1", time.Hour, nil)
	revoked := image(ami1, "eu-west-1", time.Hour, map[string]string{tags.Revoked: "CVE\nin  the kernel"})
	noReason := image(ami1, "eu-west-1", time.Hour, map[string]string{tags.Revoked: ""})
	deprecated, later, undated := young, young, young
	deprecated.DeprecatedAt, later.DeprecatedAt = now, now.Add(time.Second)
	undated.CreatedAt = time.Time{}
	two := map[string]ami.Image{"eu-west-1": young, "us-east-1": image(ami2, "us-east-1", 5*time.Hour, nil)}

	tests := map[string]struct {
		found parent
		in    Config
		want  string
	}{
		"good":              {parent{candidate{uri: uri}, "", one(young)}, Config{MaxAge: 2 * time.Hour}, ""},
		"revoked, allowed":  {parent{candidate{uri: uri, revoked: manifesttest.Revoked("bad", now)}, "", one(revoked)}, Config{AllowRevoked: true}, ""},
		"revoked by tag":    {parent{candidate{way: wayTag}, "", one(revoked)}, Config{}, ami1 + " in eu-west-1 is revoked: CVE in the kernel (found by tag)" + revoke},
		"revoked, no words": {parent{candidate{uri: uri}, "", one(noReason)}, Config{}, ami1 + " in eu-west-1 is revoked (" + uri + ")" + revoke},
		"deprecated": {parent{candidate{uri: uri}, "", one(deprecated)}, Config{},
			ami1 + " in eu-west-1 has been deprecated since 2026-06-01T12:00:00Z (" + uri + ")\n\nBuild the image again, or set allow_deprecated = true."},
		"deprecated, allowed": {parent{candidate{uri: uri}, "", one(deprecated)}, Config{AllowDeprecated: true}, ""},
		"not deprecated yet":  {parent{candidate{uri: uri}, "", one(later)}, Config{}, ""},
		"too old": {parent{candidate{uri: uri}, "", one(young)}, Config{MaxAge: 30 * time.Minute},
			"it is 1h0m0s old, older than max_age 30m0s (" + uri + ")\n\nBuild the image again, or raise max_age."},
		"the oldest region counts": {parent{candidate{uri: uri}, "", two}, Config{MaxAge: 2 * time.Hour},
			"it is 5h0m0s old, older than max_age 2h0m0s (" + uri + ")\n\nBuild the image again, or raise max_age."},
		"no AMI, too old": {parent{candidate: candidate{uri: uri, entries: builtAt(now.Add(-3 * time.Hour))}}, Config{MaxAge: 2 * time.Hour},
			"it is 3h0m0s old, older than max_age 2h0m0s (" + uri + ")\n\nBuild the image again, or raise max_age."},
		"no AMI, young": {parent{candidate: candidate{uri: uri, entries: builtAt(now.Add(-time.Hour))}}, Config{MaxAge: 2 * time.Hour}, ""},
		"of no known age": {parent{candidate{uri: uri}, "", one(undated)}, Config{MaxAge: 2 * time.Hour},
			"its age is unknown (" + uri + ")\n\nBuild the image again, or remove max_age."},
		"the first region by name is named": {parent{candidate{uri: uri}, "", map[string]ami.Image{"us-east-1": revoked, "eu-west-1": noReason}}, Config{},
			ami1 + " in eu-west-1 is revoked (" + uri + ")" + revoke},
		"fallback is what the user named": {parent{candidate{way: wayFallback}, "", one(revoked)}, Config{MaxAge: 1}, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			// The order of a map is random: the same error must come each time.
			for range 20 {
				if diff := cmp.Diff(tt.want, message(tt.found.checkPolicy(tt.in, now))); diff != "" {
					t.Fatal(diff)
				}
			}
		})
	}
}

// builtAt is an image that is not an AMI.
func builtAt(at time.Time) []manifest.Entry { return []manifest.Entry{{BuildTime: at.Unix()}} }

// TestFromManifest_age has a parent of two sources that are not AMIs. The age of the newest
// counted, and an old part of the parent passed max_age.
func TestFromManifest_age(t *testing.T) {
	oldest := now.AddDate(0, -6, 0)
	undated, old, young := fileBuild("a"), fileBuild("b"), fileBuild("c")
	undated.BuildTime, old.BuildTime = 0, oldest.Unix()
	m, _ := manifest.Merge(nil, chain(print1), []manifest.Entry{undated, old, young}, now, "write")
	if got := fromManifest(wayRegistry, m, "uri", "").builtAt(); !got.Equal(oldest) {
		t.Errorf("got %s, want %s", got.UTC(), oldest)
	}
}

func TestChoose(t *testing.T) {
	arm := image(ami2, "eu-west-1", 0, nil)
	arm.Architecture = "arm64"
	tests := map[string]struct {
		in      []ami.Image
		want    string
		wantErr string
	}{
		"none":            {},
		"one":             {in: []ami.Image{image(ami1, "eu-west-1", 0, nil)}, want: ami1},
		"newest":          {in: []ami.Image{image(ami1, "eu-west-1", time.Hour, nil), image(ami2, "eu-west-1", 2*time.Hour, nil)}, want: ami1},
		"of the same age": {in: []ami.Image{image(ami2, "eu-west-1", 0, nil), image(ami1, "eu-west-1", 0, nil)}, want: ami2},
		"two architectures": {in: []ami.Image{arm, image(ami1, "eu-west-1", 0, nil)},
			wantErr: "found AMIs for several architectures in eu-west-1: " + ami1 + " x86_64, " + ami2 + " arm64\n\nSet architecture."},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := choose("eu-west-1", tt.in)
			if got.ID != tt.want || message(err) != tt.wantErr {
				t.Errorf("got %q, %q", got.ID, message(err))
			}
		})
	}
}

func TestOtherThan(t *testing.T) {
	chain := manifest.Chain{Facts: manifest.Facts{Image: "base", Fingerprint: print1, Git: manifest.Git{Name: sha1}}}
	nameless := chain
	nameless.Git.Name = ""
	tests := map[string]struct {
		config  Config
		gitName string
		in      *manifest.Chain
		want    string
	}{
		"Packer's own file":    {Config{Image: "base", Fingerprint: print2}, sha2, nil, ""},
		"the one asked for":    {Config{Image: "base", Fingerprint: print1}, sha1, &chain, ""},
		"of a channel":         {Config{Image: "base"}, "", &chain, ""},
		"of another image":     {Config{Image: "app"}, "", &chain, "is of image base"},
		"other fingerprint":    {Config{Image: "base", Fingerprint: print2}, "", &chain, "is of fingerprint " + print1},
		"other files":          {Config{Image: "base"}, sha2, &chain, "was built from " + sha1 + ", not from " + sha2},
		"files without a name": {Config{Image: "base"}, sha2, &nameless, "was built from uncommitted files, not from " + sha2},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			r := search{config: tt.config, gitName: tt.gitName}
			if got := r.mismatch(t.Context(), tt.in); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestPinnedIn(t *testing.T) {
	move := registry.Move{Target: registry.Target{Builds: []registry.Build{
		{AMIs: map[string]string{"eu-west-1": ami1, "ap-south-1": ami2}}, {AMIs: map[string]string{"eu-west-1": ami2}}, {ArtifactID: "x"},
	}}}
	want := map[string][]string{"eu-west-1": {ami1, ami2}}
	if diff := cmp.Diff(want, pinnedIn(move, []string{"eu-west-1", "us-east-1"})); diff != "" {
		t.Error(diff)
	}
}

func TestConfigured(t *testing.T) {
	tests := map[string]struct {
		in   Config
		want []string
	}{
		"nothing":            {Config{}, nil},
		"registry":           {Config{Registry: "r", Channel: "production"}, []string{"registry"}},
		"all":                {Config{Registry: "r", LocalManifest: "m", Path: "p"}, []string{"local_manifest", "registry", "tag"}},
		"tag by git_sha":     {Config{GitSHA: sha1}, []string{"tag"}},
		"tag by fingerprint": {Config{Fingerprint: print1}, []string{"tag"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, tt.in.configured()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestFromTags reads tags that anyone who may tag has written.
func TestFromTags(t *testing.T) {
	tests := map[string]struct {
		in   map[string]string
		want manifest.Facts
	}{
		"none":                 {nil, manifest.Facts{}},
		"good":                 {map[string]string{tags.Fingerprint: print1, "SHA": sha1, tags.Commit: sha2}, manifest.Facts{Fingerprint: print1, Git: manifest.Git{SHA: sha1, Commit: sha2}}},
		"of uncommitted files": {map[string]string{"SHA": sha1 + "-dirty-0123456789ab"}, manifest.Facts{Git: manifest.Git{SHA: sha1}}},
		"garbage":              {map[string]string{tags.Fingerprint: "../../" + print1, "SHA": "\x1b[31m", tags.Commit: "HEAD"}, manifest.Facts{}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := fromTags("", image(ami1, "eu-west-1", 0, tt.in), "SHA")
			if diff := cmp.Diff(tt.want, got.facts); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestOutput(t *testing.T) {
	debian := []manifest.Ancestor{{Image: "debian", Fingerprint: print2}}
	f := &parent{
		candidate{
			way: wayRegistry, foundBy: wayRegistry, uri: "s3://b/m.json", sha256: print2,
			facts: manifest.Facts{Fingerprint: print1, Ancestors: debian},
		},
		"eu-west-1",
		map[string]ami.Image{"eu-west-1": image(ami1, "eu-west-1", 0, nil), "us-east-1": image(ami2, "us-east-1", 0, nil)},
	}
	out, err := f.output(Config{Image: "base"})
	if err != nil {
		t.Fatal(err)
	}
	amis := map[string]string{"eu-west-1": ami1, "us-east-1": ami2}
	if out.ID != ami1 || out.Region != "eu-west-1" || !cmp.Equal(out.AMIs, amis) || out.Tags == nil || !out.Found {
		t.Errorf("got %+v", out)
	}
	parent, err := record.DecodeParent(out.Ref)
	if err != nil {
		t.Fatal(err)
	}
	want := manifest.Parent{Image: "base", FoundBy: "registry", Fingerprint: print1, Identity: ami1, AMI: ami1, Region: "eu-west-1", AMIs: amis,
		ManifestURI: "s3://b/m.json", ManifestSHA256: print2, Ancestors: debian, Channel: "latest"}
	if diff := cmp.Diff(record.Parent{Parent: want}, parent); diff != "" || out.Record != "" {
		t.Error(diff, out.Record)
	}
	if diff := cmp.Diff([]string{"debian"}, out.Ancestors); diff != "" {
		t.Error(diff)
	}
}

func TestNotFound(t *testing.T) {
	r := search{config: Config{Image: "base", Registry: "r", GitSHA: sha1}, conn: access.Open(t.Context(), nil, "r", nil)}
	want := "not found (git_sha " + sha1 + ")\n\n  registry  r does not exist\n  tag       none\n\nBuild and publish base first. " +
		"Only the account that owns an AMI sees its tags: across accounts use registry or local_manifest. " +
		`For the first build of a chain set on_missing = "empty" or fallback_ami.`
	if diff := cmp.Diff(want, r.notFound(t.Context(), []string{"  registry  r does not exist", "  tag       none"}).Error()); diff != "" {
		t.Error(diff)
	}
	for _, c := range []struct {
		in   Config
		want string
	}{
		{Config{Path: "../base"}, "path ../base"}, {Config{Fingerprint: print1}, "fingerprint " + print1},
		{Config{Channel: "production"}, "channel production"}, {Config{}, "channel latest"},
	} {
		if got := c.in.describe(); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}

// TestMissing tells what certainly does not exist from everything else.
func TestMissing(t *testing.T) {
	var none *missing
	if !errors.As(missingf("%s does not exist", "x"), &none) || errors.As(errors.New("access denied"), &none) {
		t.Error("missing is not told from other errors")
	}
}
