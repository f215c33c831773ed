// SPDX-License-Identifier: MPL-2.0

package publish

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
	"github.com/packer-chain/packer-plugin-chain/internal/manifest/manifesttest"
	"github.com/packer-chain/packer-plugin-chain/internal/record"
)

// made is what a run of one source left, with an AMI in each of the regions.
func made(name, run string, regions ...string) manifest.Entry {
	entry := manifest.Entry{Name: name, BuilderType: "file", PackerRunUUID: run, ArtifactID: name + " of " + run}
	for _, region := range regions {
		entry.Images = append(entry.Images, manifest.Image{Provider: manifest.ProviderAWS, Region: region, ID: ami1})
	}
	return entry
}

func TestWhole(t *testing.T) {
	two := []string{"file.a", "file.b"}
	revoked := made("a", "2")
	revoked.Revoked = manifesttest.Revoked("bad kernel", time.Now())
	bare, detailed := made("a", "1", "eu-west-1"), made("a", "1", "eu-west-1")
	detailed.Images[0].Architecture = "arm64"
	of := func(entries ...manifest.Entry) []manifest.Entry { return entries }
	for name, tt := range map[string]struct {
		// rec has what was decided, with Pending and Sources, and stored is the manifest.
		rec     record.Record
		stored  []manifest.Entry
		want    []manifest.Entry
		missing []string
	}{
		"first build":         {record.Record{Pending: []string{"app"}}, of(made("a", "1")), of(made("a", "1")), nil},
		"nothing there":       {record.Record{Pending: []string{"app"}}, nil, nil, []string{"app"}},
		"built again":         {record.Record{Pending: []string{"app"}, Known: []string{"1"}}, of(made("a", "1"), made("a", "2")), of(made("a", "2")), nil},
		"another came first":  {record.Record{Pending: []string{"app"}}, of(made("a", "1"), made("a", "2")), of(made("a", "1")), nil},
		"forced":              {record.Record{Pending: []string{"app"}, Forced: true}, of(made("a", "1"), made("a", "2")), of(made("a", "2")), nil},
		"first one revoked":   {record.Record{Pending: []string{"app"}}, of(revoked, made("a", "3")), of(made("a", "3")), nil},
		"only known ones":     {record.Record{Pending: []string{"app"}, Known: []string{"1"}}, of(made("a", "1")), nil, []string{"app"}},
		"nothing pending":     {record.Record{Entries: of(made("a", "1"))}, of(made("a", "1"), made("a", "2")), of(made("a", "1")), nil},
		"published only now":  {record.Record{Entries: of(bare), Unpublished: true}, of(detailed), of(detailed), nil},
		"a region is missing": {record.Record{Pending: []string{"app"}, Regions: []string{"eu-west-1", "us-east-1"}}, of(made("a", "1", "eu-west-1")), nil, []string{"app"}},
		"first one lacks a region": {record.Record{Pending: []string{"app"}, Regions: []string{"us-east-1"}},
			of(made("a", "1", "eu-west-1"), made("a", "2", "us-east-1")), of(made("a", "2", "us-east-1")), nil},
		"not an AMI": {record.Record{Pending: []string{"app"}, Regions: []string{"eu-west-1"}}, of(made("a", "1")), of(made("a", "1")), nil},
		"two sources": {record.Record{Facts: manifest.Facts{Sources: two}, Pending: two},
			of(made("b", "1"), made("a", "1")), of(made("a", "1"), made("b", "1")), nil},
		"one of two": {record.Record{Facts: manifest.Facts{Sources: two}, Pending: two}, of(made("b", "1")), of(made("b", "1")), []string{"file.a"}},
		"one was there": {record.Record{Facts: manifest.Facts{Sources: two}, Pending: two[1:], Entries: of(made("a", "1")), Known: []string{"1"}},
			of(made("a", "1"), made("a", "2"), made("b", "3")), of(made("a", "1"), made("b", "3")), nil},
		"one was there, the other is missing": {record.Record{Facts: manifest.Facts{Sources: two}, Pending: two[1:], Entries: of(made("a", "1"))},
			of(made("a", "1")), of(made("a", "1")), []string{"file.b"}},
		"a source of no image": {record.Record{Facts: manifest.Facts{Sources: two}, Pending: two},
			of(made("a", "1"), made("debug", "1"), made("b", "1")), of(made("a", "1"), made("b", "1")), nil},
	} {
		t.Run(name, func(t *testing.T) {
			tt.rec.Image = "app"
			stored := &manifest.Manifest{Builds: slices.Clone(tt.stored)}
			got, missing := whole(tt.rec, stored)
			if diff := cmp.Diff(tt.want, got, asJSON); diff != "" {
				t.Error(diff)
			}
			if !slices.Equal(missing, tt.missing) {
				t.Errorf("missing are %q, want %q", missing, tt.missing)
			}
			if diff := cmp.Diff(tt.stored, stored.Builds, asJSON); diff != "" {
				t.Errorf("the manifest is changed: %s", diff)
			}
		})
	}
}

// TestWhole_sameForAll has two runs build the two sources of an image, and publish in any order:
// both see one image in the end.
func TestWhole_sameForAll(t *testing.T) {
	two := []string{"file.a", "file.b"}
	rec := record.Record{Facts: manifest.Facts{Image: "app", Sources: two}, Pending: two}
	first, _ := whole(rec, &manifest.Manifest{Builds: []manifest.Entry{made("a", "1"), made("b", "2"), made("b", "1")}})
	second, _ := whole(rec, &manifest.Manifest{Builds: []manifest.Entry{made("a", "1"), made("b", "2"), made("b", "1"), made("a", "2")}})
	if diff := cmp.Diff(first, second, asJSON); diff != "" || len(first) != 2 {
		t.Errorf("got %+v: %s", first, diff)
	}
}
