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
	"github.com/packer-chain/packer-plugin-chain/internal/registry"
)

const (
	sourceA, sourceB = "amazon-ebs.a", "amazon-ebs.b"
	oldA, newA       = "ami-0000000000000000a", "ami-1111111111111111a"
	onlyB, leftA     = "ami-0000000000000000b", "ami-2222222222222222a"
)

// made is what a run made of a source, so many hours ago.
func made(name, run, id string, hours int) manifest.Entry {
	e := built(name, "eu-west-1", id)
	e.PackerRunUUID, e.BuildTime = run, now.Add(-time.Duration(hours)*time.Hour).Unix()
	return e
}

// seen is what exists of an image of the sources a and b, of which a was built twice.
func seen(gone ...string) existing {
	e := existing{
		published: of([]string{sourceA, sourceB},
			made("a", "run1", oldA, 48), made("b", "run1", onlyB, 48), made("a", "run2", newA, 24)),
		regions: eu, images: map[ami.Address]ami.Image{},
	}
	for _, id := range []string{oldA, newA, onlyB, leftA} {
		e.images[ami.Address{Region: "eu-west-1", ID: id}] = ami.Image{ID: id, Region: "eu-west-1", State: "available"}
	}
	for _, id := range gone {
		delete(e.images, ami.Address{Region: "eu-west-1", ID: id})
	}
	return e
}

// left adds what an earlier run built of source a, and could not publish.
func (e existing) left() existing {
	e.unpublished = []manifest.Entry{made("a", "run3", leftA, 12)}
	return e
}

// revoked revokes the builds of some runs.
func (e existing) revoked(runs ...string) existing {
	for i, entry := range e.published.Builds {
		for _, run := range runs {
			if entry.PackerRunUUID == run {
				e.published.Builds[i].Revoked = manifesttest.Revoked("bad kernel", now)
			}
		}
	}
	return e
}

// amis are those of entries, all of which have one.
func amis(entries []manifest.Entry) []string {
	var all []string
	for _, e := range entries {
		all = append(all, e.Images[0].ID)
	}
	return all
}

// TestDecide_perSource has an image of two sources. Only what is missing is built, and the rest is
// passed on: one missing source baked all of them again, or none was built for ever.
func TestDecide_perSource(t *testing.T) {
	whole := seen().revoked("run1", "run2")
	onlyA := seen()
	onlyA.published.Builds = onlyA.published.Builds[:1]
	tests := map[string]struct {
		config  Config
		seen    existing
		pending []string
		reason  string
		entries []string
	}{
		"both are good":      {seen: seen(), reason: "unchanged", entries: []string{newA, onlyB}},
		"one is missing":     {seen: onlyA, pending: []string{sourceB}, reason: "amazon-ebs.b: not built yet", entries: []string{oldA}},
		"one is gone":        {seen: seen(onlyB), pending: []string{sourceB}, reason: "amazon-ebs.b: " + onlyB + " in eu-west-1 is gone", entries: []string{newA}},
		"the newest is gone": {seen: seen(newA), reason: "unchanged", entries: []string{oldA, onlyB}},
		"the older is gone":  {seen: seen(oldA), reason: "unchanged", entries: []string{newA, onlyB}},
		"all of one are gone": {seen: seen(oldA, newA), pending: []string{sourceA},
			reason: "amazon-ebs.a: " + newA + " in eu-west-1 is gone", entries: []string{onlyB}},
		"all are gone": {seen: seen(oldA, newA, onlyB), pending: []string{sourceA, sourceB},
			reason: "amazon-ebs.a: " + newA + " in eu-west-1 is gone; amazon-ebs.b: " + onlyB + " in eu-west-1 is gone"},
		"one is too old": {config: Config{MaxAge: 36 * time.Hour}, seen: seen(), pending: []string{sourceB},
			reason: "amazon-ebs.b: older than 36h", entries: []string{newA}},
		"the young one is gone": {config: Config{MaxAge: 36 * time.Hour}, seen: seen(newA), pending: []string{sourceA, sourceB},
			reason: "amazon-ebs.a: " + newA + " in eu-west-1 is gone; amazon-ebs.b: older than 36h"},
		"one is revoked": {seen: seen().revoked("run1"), pending: []string{sourceB},
			reason: "amazon-ebs.b: revoked: bad kernel", entries: []string{newA}},
		"the whole image is revoked": {seen: whole, pending: []string{sourceA, sourceB},
			reason: "amazon-ebs.a: revoked: bad kernel; amazon-ebs.b: revoked: bad kernel"},
		"forced":                 {config: Config{Force: true}, seen: seen(), pending: []string{sourceA, sourceB}, reason: "forced"},
		"one source was removed": {config: Config{Sources: []string{sourceA}}, seen: seen(onlyB), reason: "unchanged", entries: []string{newA}},
		"one source was added": {config: Config{Sources: []string{"amazon-ebs.c", sourceB, sourceA}}, seen: seen(), pending: []string{"amazon-ebs.c"},
			reason: "amazon-ebs.c: not built yet", entries: []string{newA, onlyB}},
		"a source twice in the list": {config: Config{Sources: []string{sourceA, sourceB, sourceA}}, seen: seen(), reason: "unchanged", entries: []string{newA, onlyB}},

		"one was not published":             {seen: seen().left(), reason: reasonUnpublished, entries: []string{leftA, onlyB}},
		"not published, and gone":           {seen: seen(leftA).left(), reason: "unchanged", entries: []string{newA, onlyB}},
		"not published, and the other gone": {seen: seen(onlyB).left(), pending: []string{sourceB}, reason: "amazon-ebs.b: " + onlyB + " in eu-west-1 is gone", entries: []string{leftA}},
		"not published, and forced": {config: Config{Force: true}, seen: seen().left(), pending: []string{sourceB},
			reason: "forced", entries: []string{leftA}},
		"not published, gone, and forced": {config: Config{Force: true}, seen: seen(leftA).left(), pending: []string{sourceA, sourceB}, reason: "forced"},
		"not published, and too old": {config: Config{MaxAge: 6 * time.Hour}, seen: seen().left(), pending: []string{sourceA, sourceB},
			reason: "amazon-ebs.a: older than 6h; amazon-ebs.b: older than 6h"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			tt.config.Image = "app"
			if tt.config.Sources == nil {
				tt.config.Sources = []string{sourceB, sourceA}
			}
			got := decide(tt.config, manifest.Facts{Image: "app"}, tt.seen, now)
			wantDecision(t, got, tt.pending, tt.reason, tt.entries)
			fresh := len(got.entries) > 0 && got.entries[0].PackerRunUUID == "run3"
			if got.unpublished != fresh {
				t.Errorf("unpublished is %v", got.unpublished)
			}
		})
	}
}

func wantDecision(t *testing.T, got decision, pending []string, reason string, entries []string) {
	t.Helper()
	if diff := cmp.Diff(pending, got.pending, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("pending: %s", diff)
	}
	if diff := cmp.Diff(entries, amis(got.entries)); diff != "" || got.reason != reason {
		t.Errorf("reason %q, want %q; %s", got.reason, reason, diff)
	}
}

// TestDecide_missingRegions has two sources in two regions. A region is missing if it lacks one of
// them, even if it has the other.
func TestDecide_missingRegions(t *testing.T) {
	in := func(name, far string) manifest.Entry {
		e := made(name, "run1", oldA, 24)
		e.Images = append(e.Images, manifest.Image{Provider: "aws", Region: "us-east-1", ID: far})
		return e
	}
	e := seen()
	e.published.Builds = []manifest.Entry{in("a", newA), in("b", onlyB)}
	e.regions = []string{"eu-west-1", "us-east-1"}
	e.images[ami.Address{Region: "us-east-1", ID: newA}] = ami.Image{ID: newA, Region: "us-east-1", State: "available"}
	got := decide(Config{Image: "app", Sources: []string{sourceA, sourceB}}, manifest.Facts{}, e, now)
	wantDecision(t, got, []string{sourceB}, "amazon-ebs.b: "+onlyB+" in us-east-1 is gone", []string{oldA})
	if diff := cmp.Diff([]string{"us-east-1"}, got.missingRegions); diff != "" {
		t.Error(diff)
	}
}

// TestDecide_pinned has pointers that pin builds of the image, best first. What was passed on last
// is passed on again, even if there is a newer build: that one has moved no pointer.
func TestDecide_pinned(t *testing.T) {
	pin := func(entries ...manifest.Entry) registry.Target {
		return registry.TargetOf("", entries)
	}
	a1, a2, b1 := made("a", "run1", oldA, 48), made("a", "run2", newA, 24), made("b", "run1", onlyB, 48)
	first, second := pin(a1, b1), pin(a2, b1)
	tests := map[string]struct {
		config  Config
		seen    existing
		pins    []registry.Target
		pending []string
		reason  string
		entries []string
	}{
		"older than the newest":    {seen: seen(), pins: []registry.Target{first}, entries: []string{oldA, onlyB}},
		"the first pointer counts": {seen: seen(), pins: []registry.Target{first, second}, entries: []string{oldA, onlyB}},
		"the newest":               {seen: seen(), pins: []registry.Target{second, first}, entries: []string{newA, onlyB}},
		"gone": {seen: seen(oldA), pins: []registry.Target{first}, entries: []string{newA, onlyB},
			reason: "unchanged, but another build counts now: " + oldA + " in eu-west-1 is gone"},
		"gone, the second is good": {seen: seen(newA), pins: []registry.Target{second, first}, entries: []string{oldA, onlyB}},
		"revoked since":            {seen: seen().revoked("run2"), pins: []registry.Target{second, first}, entries: []string{oldA, onlyB}},
		"too old": {config: Config{MaxAge: 36 * time.Hour, Sources: []string{sourceA}}, seen: seen(), pins: []registry.Target{first}, entries: []string{newA},
			reason: "unchanged, but another build counts now: older than 36h"},
		"of a build that is lost":   {seen: seen(), pins: []registry.Target{pin(made("a", "run9", leftA, 1), b1), first}, entries: []string{oldA, onlyB}},
		"of other AMIs of that run": {seen: seen(), pins: []registry.Target{pin(made("a", "run1", leftA, 48), b1)}, entries: []string{newA, onlyB}},
		"of one source only":        {seen: seen(), pins: []registry.Target{pin(a1)}, entries: []string{newA, onlyB}},
		"of a source that was removed, and gone": {config: Config{Sources: []string{sourceA}}, seen: seen(onlyB),
			pins: []registry.Target{first}, entries: []string{oldA}},
		"of sources that nobody lists": {config: Config{Sources: []string{}}, seen: seen(), pins: []registry.Target{first}, entries: []string{newA}},
		"one source is to be built": {config: Config{Sources: []string{sourceA, sourceB, "amazon-ebs.c"}}, seen: seen(), pins: []registry.Target{first},
			pending: []string{"amazon-ebs.c"}, reason: "amazon-ebs.c: not built yet", entries: []string{newA, onlyB}},
		"forced": {config: Config{Force: true}, seen: seen(), pins: []registry.Target{first}, pending: []string{sourceA, sourceB}, reason: "forced"},

		"another was not published": {seen: seen().left(), pins: []registry.Target{first}, reason: reasonUnpublished, entries: []string{leftA, onlyB}},
		// A local manifest never hides a published image that is good.
		"another was not published, and is gone": {seen: seen(leftA).left(), pins: []registry.Target{first}, entries: []string{oldA, onlyB}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			tt.config.Image, tt.seen.preferred = "app", tt.pins
			if tt.config.Sources == nil {
				tt.config.Sources = []string{sourceA, sourceB}
			}
			if tt.reason == "" {
				tt.reason = "unchanged"
			}
			got := decide(tt.config, manifest.Facts{Image: "app"}, tt.seen, now)
			wantDecision(t, got, tt.pending, tt.reason, tt.entries)
		})
	}
}
