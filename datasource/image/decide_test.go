// SPDX-License-Identifier: MPL-2.0

package image

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/packer-chain/packer-plugin-chain/internal/ami"
	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
	"github.com/packer-chain/packer-plugin-chain/internal/manifest/manifesttest"
	"github.com/packer-chain/packer-plugin-chain/internal/tags"
)

const (
	ami1 = "ami-0a1b2c3d4e5f60718"
	ami2 = "ami-0c2d3e4f5a6b70819"
)

var now = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

func built(source, region, id string) manifest.Entry {
	return manifest.Entry{
		Name: source, BuilderType: "amazon-ebs", PackerRunUUID: "run", ArtifactID: region + ":" + id,
		BuildTime: now.Add(-24 * time.Hour).Unix(),
		Images:    []manifest.Image{{Provider: "aws", Region: region, ID: id}},
	}
}

func there(state string, tags map[string]string) ami.Image {
	return ami.Image{ID: ami1, Region: "eu-west-1", State: state, Tags: tags}
}

// described is what EC2 knows.
func described(images ...ami.Image) map[ami.Address]ami.Image {
	known := map[ami.Address]ami.Image{}
	for _, image := range images {
		known[image.Address()] = image
	}
	return known
}

func existingManifest(entries ...manifest.Entry) *manifest.Manifest {
	return &manifest.Manifest{Builds: entries, Chain: &manifest.Chain{Facts: manifest.Facts{Image: "app"}}}
}

// of is a manifest that names its sources.
func of(sources []string, entries ...manifest.Entry) *manifest.Manifest {
	m := existingManifest(entries...)
	m.Chain.Sources = sources
	return m
}

var (
	eu   = []string{"eu-west-1"}
	app1 = []string{"app"}
)

// asDecisions compares decisions with all of their entries. HCL knows no nil list.
var asDecisions = cmp.Options{cmp.AllowUnexported(decision{}), cmpopts.EquateEmpty()}

func TestDecide(t *testing.T) {
	one := existingManifest(built("app", "eu-west-1", ami1))
	good := described(there("available", nil))
	arm := there("available", nil)
	arm.Architecture = "arm64"
	revoked := existingManifest(built("app", "eu-west-1", ami1))
	revoked.Builds[0].Revoked = manifesttest.Revoked("bad\nkernel", now)
	twice := built("app", "eu-west-1", ami1)
	twice.Images = append(twice.Images, manifest.Image{Provider: "aws", Region: "us-east-1", ID: ami1})
	file := existingManifest(manifest.Entry{Name: "f", BuilderType: "file", BuildTime: now.Unix()})
	noReason := existingManifest(built("app", "eu-west-1", ami1))
	noReason.Builds[0].Revoked = manifesttest.Revoked("", now)
	old := []manifest.Component{{Name: "schema", Value: "1"}, {Name: "template", Value: "4f1c9e2aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}, {Name: "parent base", Value: ami1}}
	now2 := []manifest.Component{{Name: "schema", Value: "1"}, {Name: "template", Value: "98aa01bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"}, {Name: "parent base", Value: ami2}}

	tests := map[string]struct {
		config Config
		facts  manifest.Facts
		seen   existing
		want   decision
	}{
		"nothing there": {
			want: decision{pending: app1, reason: "first build of app"},
		},
		"nothing there of two sources": {
			config: Config{Sources: []string{"amazon-ebs.b", "amazon-ebs.a"}},
			want:   decision{pending: []string{"amazon-ebs.a", "amazon-ebs.b"}, reason: "first build of app"},
		},
		"changed": {
			facts: manifest.Facts{Components: now2},
			seen:  existing{newest: &manifest.Chain{Facts: manifest.Facts{Components: old}}},
			want:  decision{pending: app1, reason: "template: 4f1c9e2 -> 98aa01b; parent base: " + ami1 + " -> " + ami2},
		},
		"there": {
			seen: existing{published: one, regions: eu, images: good},
			want: decision{reason: "unchanged", entries: one.Builds},
		},
		"forced": {
			config: Config{Force: true},
			seen:   existing{published: one, regions: eu, images: good},
			want:   decision{pending: app1, reason: "forced"},
		},
		"in another region only": {
			seen: existing{published: one, regions: []string{"eu-west-1", "us-east-1"}, images: good},
			want: decision{pending: app1, reason: "missing in us-east-1", missingRegions: []string{"us-east-1"}},
		},
		// What EC2 said was kept by id, so that one region counted for both.
		"the same id in a region where it is not": {
			seen: existing{published: existingManifest(twice), regions: []string{"eu-west-1", "us-east-1"}, images: good},
			want: decision{pending: app1, reason: ami1 + " in us-east-1 is gone", missingRegions: []string{"us-east-1"}},
		},
		"gone, or of another owner": {
			seen: existing{published: one, regions: eu},
			want: decision{pending: app1, reason: ami1 + " in eu-west-1 is gone", missingRegions: eu},
		},
		"pending": {
			seen: existing{published: one, regions: eu, images: described(there("pending", nil))},
			want: decision{pending: app1, reason: ami1 + " in eu-west-1 is pending", missingRegions: eu},
		},
		"disabled": {
			seen: existing{published: one, regions: eu, images: described(there("disabled", nil))},
			want: decision{pending: app1, reason: ami1 + " in eu-west-1 is disabled", missingRegions: eu},
		},
		"of the architecture": {
			config: Config{Architecture: "arm64"},
			seen:   existing{published: one, regions: eu, images: described(arm)},
			want:   decision{reason: "unchanged", entries: one.Builds},
		},
		"of another architecture": {
			config: Config{Architecture: "x86_64"},
			seen:   existing{published: one, regions: eu, images: described(arm)},
			want:   decision{pending: app1, reason: ami1 + " in eu-west-1 is for arm64, not for x86_64", missingRegions: eu},
		},
		"revoked in the manifest": {
			seen: existing{published: revoked, regions: eu, images: good},
			want: decision{pending: app1, reason: "revoked: bad kernel"},
		},
		"revoked by tag": {
			seen: existing{published: one, regions: eu, images: described(
				there("available", map[string]string{tags.Revoked: "CVE"}))},
			want: decision{pending: app1, reason: ami1 + " in eu-west-1 is revoked: CVE", missingRegions: eu},
		},
		"revoked without a reason": {
			seen: existing{published: noReason, regions: eu, images: good},
			want: decision{pending: app1, reason: "revoked"},
		},
		"one of two sources": {
			config: Config{Sources: []string{"amazon-ebs.app", "amazon-ebs.arm64"}},
			seen:   existing{published: of([]string{"amazon-ebs.arm64", "amazon-ebs.app"}, one.Builds...), regions: eu, images: good},
			want:   decision{pending: []string{"amazon-ebs.arm64"}, reason: "amazon-ebs.arm64: not built yet", entries: one.Builds},
		},
		"older than a week allows": {
			config: Config{MaxAge: 12 * time.Hour},
			seen:   existing{published: one, regions: eu, images: good},
			want:   decision{pending: app1, reason: "older than 12h"},
		},
		"young enough": {
			config: Config{MaxAge: 168 * time.Hour},
			seen:   existing{published: one, regions: eu, images: good},
			want:   decision{reason: "unchanged", entries: one.Builds},
		},
		"built and not published": {
			seen: existing{unpublished: one.Builds, regions: eu, images: good},
			want: decision{reason: reasonUnpublished, entries: one.Builds, unpublished: true},
		},
		"no AMI at all": {
			seen: existing{published: file},
			want: decision{reason: "unchanged", entries: file.Builds},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			tt.config.Image, tt.facts.Image = "app", "app"
			got := decide(tt.config, tt.facts, tt.seen, now)
			if diff := cmp.Diff(tt.want, got, asDecisions); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestDecide_earlierRuns has an image of which the last run made one source only. With no list of
// sources, what an earlier run had left of another one made the image pending, although no run
// would ever build that again.
func TestDecide_earlierRuns(t *testing.T) {
	arm, amd := built("arm64", "eu-west-1", ami1), built("amd64", "eu-west-1", ami2)
	amd.PackerRunUUID, amd.BuildTime = "last", now.Unix()
	m := existingManifest(arm, amd)
	m.LastRunUUID = "last"
	both := []string{"amazon-ebs.amd64", "amazon-ebs.arm64"}
	last := ami.Image{ID: ami2, Region: "eu-west-1", State: "available"}
	earlier := there("available", nil)
	tests := map[string]struct {
		config Config
		images map[ami.Address]ami.Image
		want   decision
	}{
		"both are good":           {images: described(earlier, last), want: decision{reason: "unchanged", entries: []manifest.Entry{amd}}},
		"the earlier one is gone": {images: described(last), want: decision{reason: "unchanged", entries: []manifest.Entry{amd}}},
		"the earlier one is old": {config: Config{MaxAge: 12 * time.Hour}, images: described(earlier, last),
			want: decision{reason: "unchanged", entries: []manifest.Entry{amd}}},
		"the last one is gone": {images: described(earlier),
			want: decision{pending: app1, reason: ami2 + " in eu-west-1 is gone", missingRegions: eu}},
		"both are wanted, and the earlier one is gone": {config: Config{Sources: both}, images: described(last),
			want: decision{pending: both[1:], reason: "amazon-ebs.arm64: " + ami1 + " in eu-west-1 is gone",
				missingRegions: eu, entries: []manifest.Entry{amd}}},
		"both are wanted, and the earlier one is old": {config: Config{Sources: both, MaxAge: 12 * time.Hour}, images: described(earlier, last),
			want: decision{pending: both[1:], reason: "amazon-ebs.arm64: older than 12h", entries: []manifest.Entry{amd}}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			tt.config.Image, m.Chain.Sources = "app", tt.config.Sources
			got := decide(tt.config, manifest.Facts{}, existing{published: m, regions: eu, images: tt.images}, now)
			if diff := cmp.Diff(tt.want, got, asDecisions); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestShortDuration(t *testing.T) {
	for want, in := range map[string]time.Duration{
		"168h": 168 * time.Hour, "1h30m": 90 * time.Minute, "10m": 10 * time.Minute, "45s": 45 * time.Second, "10s": 10 * time.Second, "1m30s": 90 * time.Second, "1h0m5s": time.Hour + 5*time.Second,
	} {
		if got := shortDuration(in); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
