// SPDX-License-Identifier: MPL-2.0

package parent

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/packer-chain/packer-plugin-chain/internal/ami/amitest"
	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
)

// TestGood_path has one AMI on the own line and another one in the channel, both of what is checked
// out. The first one that is good is the parent. What is not good counts as absent; but if one of
// them is refused and none is good, that is not "missing".
func TestGood_path(t *testing.T) {
	const onMain, inLatest = amiHere, amiThere
	is := func(id string, image amitest.Image) []amitest.Step {
		image.ID = id
		return []amitest.Step{lookedFor(id, "self", amitest.Describe(image))}
	}
	gone := func(id string) []amitest.Step {
		none := lookedFor(id, "self", amitest.Describe())
		return []amitest.Step{none, none, {Want: map[string]string{"ImageId.1": id}, Status: 400, Body: amitest.NotFound().Body}}
	}
	good, revoked := amitest.Image{}, amitest.Image{Tags: map[string]string{"chain:revoked": "leaked"}}
	deprecated := amitest.Image{Deprecated: "2026-01-01T00:00:00.000Z"}
	arm := amitest.Image{Arch: "arm64"}
	ofBoth := func(a, b []amitest.Step) []amitest.Step { return append(append([]amitest.Step{}, a...), b...) }
	isArm := []amitest.Step{lookedFor(onMain, "self", amitest.Describe(amitest.Image{ID: onMain, Arch: "arm64"})),
		{Want: map[string]string{"ImageId.1": onMain}, Body: amitest.Page("", amitest.Image{ID: onMain, Arch: "arm64"})},
		lookedFor(onMain, "self", amitest.Describe(amitest.Image{ID: onMain, Arch: "arm64"}))}
	tests := map[string]struct {
		options string
		steps   []amitest.Step
		want    string
		errors  []string
	}{
		"both are good":                 {steps: is(onMain, good), want: onMain},
		"gone on the line":              {steps: ofBoth(gone(onMain), is(inLatest, good)), want: inLatest},
		"revoked on the line":           {steps: ofBoth(is(onMain, revoked), is(inLatest, good)), want: inLatest},
		"deprecated on the line":        {steps: ofBoth(is(onMain, deprecated), is(inLatest, good)), want: inLatest},
		"deprecated and allowed":        {options: "allow_deprecated = true", steps: is(onMain, deprecated), want: onMain},
		"revoked and allowed":           {options: "allow_revoked = true", steps: is(onMain, revoked), want: onMain},
		"another architecture":          {options: `architecture = "amd64"`, steps: ofBoth(isArm, is(inLatest, good)), want: inLatest},
		"the wanted architecture":       {options: `architecture = "arm64"`, steps: is(onMain, arm), want: onMain},
		"too old on the line":           {options: `max_age = "87600h"`, steps: ofBoth(is(onMain, amitest.Image{Created: "2010-01-01T00:00:00.000Z"}), is(inLatest, good)), want: inLatest},
		"gone everywhere":               {steps: ofBoth(gone(onMain), gone(inLatest)), errors: []string{notFound, onMain + " is gone", inLatest + " is gone", "Run the packer build of base at this commit first"}},
		"gone everywhere, lenient":      {options: `on_missing = "empty"`, steps: ofBoth(gone(onMain), gone(inLatest))},
		"revoked everywhere":            {steps: ofBoth(is(onMain, revoked), is(inLatest, revoked)), errors: []string{onMain + " in " + here + " is revoked: leaked", "allow_revoked = true"}},
		"revoked everywhere, lenient":   {options: `on_missing = "empty"`, steps: ofBoth(is(onMain, revoked), is(inLatest, revoked)), errors: []string{onMain + " in " + here + " is revoked: leaked"}},
		"revoked and deprecated":        {options: `on_missing = "empty"`, steps: ofBoth(is(onMain, deprecated), is(inLatest, revoked)), errors: []string{onMain + " in " + here + " has been deprecated since"}},
		"revoked here, gone there":      {options: `on_missing = "empty"`, steps: ofBoth(is(onMain, revoked), gone(inLatest)), errors: []string{onMain + " in " + here + " is revoked"}},
		"gone here, revoked there":      {options: `on_missing = "empty"`, steps: ofBoth(gone(onMain), is(inLatest, revoked)), errors: []string{inLatest + " in " + here + " is revoked"}},
		"revoked, and there is a spare": {options: `fallback_ami = "` + ami2 + `"`, steps: ofBoth(is(onMain, revoked), is(inLatest, revoked)), errors: []string{"is revoked"}},
		"not allowed":                   {options: `on_missing = "empty"`, steps: []amitest.Step{amitest.Refuse(403, "UnauthorizedOperation", "You are not authorized.")}, errors: []string{"ec2:DescribeImages is not allowed"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.put(w.facts(), baked("run1", map[string]string{here: onMain}), onLine("main"))
			w.put(w.facts(), baked("run2", map[string]string{here: inLatest}), latest)
			options := fmt.Sprintf("registry = %q\n%s%s", w.registry, byPath, tt.options)
			id, err := fromEC2(t, options, map[string][]amitest.Step{here: tt.steps})
			if tt.errors == nil && (err != nil || id != tt.want) {
				t.Errorf("got %q, %v; want %q", id, err, tt.want)
			}
			if tt.errors != nil {
				wantParent(t, id, err, tt.errors)
			}
		})
	}
}

// TestGood_damaged has a line whose build is damaged. That is never taken for absent.
func TestGood_damaged(t *testing.T) {
	w := newWorld(t)
	facts := w.facts()
	w.publish(facts, onLine("main"))
	w.build(latest)
	cut(t, filepath.Join(w.registry, "base", "builds", facts.Fingerprint+".json"))
	value, err := w.resolve(byPath)
	wantID(t, value, err, "", facts.Fingerprint+".json: corrupt: ")
}

// TestGood_pinned has a channel that was moved to an image, which was then built again from the
// same parts, without moving it. The channel means what was moved there; the fingerprint means what
// is new.
func TestGood_pinned(t *testing.T) {
	offline(t)
	production := inChannel("production")
	old, again := baked("run1", map[string]string{here: amiHere}), baked("run2", map[string]string{here: amiThere})
	byFingerprint := fmt.Sprintf("fingerprint = %q\nresolve_by = [\"registry\"]", print1)
	tests := map[string]struct {
		revoked string // before it was built again
		options string
		asked   string // the AMI that EC2 is asked about
		errors  []string
	}{
		"the channel":      {options: `channel = "production"`, asked: amiHere},
		"the fingerprint":  {options: byFingerprint, asked: amiThere},
		"the other branch": {options: `channel = "latest"`, asked: amiThere},
		"revoked in between": {revoked: "leaked", options: `channel = "production"`, asked: amiHere,
			errors: []string{"it is revoked: leaked (", "allow_revoked = true"}},
		"revoked in between, allowed":         {revoked: "leaked", options: "channel = \"production\"\nallow_revoked = true", asked: amiHere},
		"revoked in between, the fingerprint": {revoked: "leaked", options: byFingerprint, asked: amiThere},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			publish(t, dir, chain(print1), old)
			point(t, dir, chain(print1), now, production, old)
			if tt.revoked != "" {
				revoke(t, filepath.Join(dir, "base", "builds", print1+".json"), tt.revoked)
			}
			_, err := open(t, dir).Publish(t.Context(), chain(print1), []manifest.Entry{again}, nil)
			check(t, err)
			point(t, dir, chain(print1), now.Add(time.Hour), latest, again)
			id, err := fromEC2(t, fmt.Sprintf("registry = %q\n%s", dir, tt.options), map[string][]amitest.Step{
				here: {lookedFor(tt.asked, "self", amitest.Describe(amitest.Image{ID: tt.asked}))}})
			if tt.errors == nil && (err != nil || id != tt.asked) {
				t.Errorf("got %q, %v; want %s", id, err, tt.asked)
			}
			if tt.errors != nil {
				wantParent(t, id, err, tt.errors)
			}
		})
	}
}

// TestGood_lost has a channel that pins a build which its manifest does not have any more: an older
// manifest was put back. Nothing is built on what only the pointer knows.
func TestGood_lost(t *testing.T) {
	offline(t)
	dir := published(t, chain(print1))
	path := filepath.Join(dir, "base", "builds", print1+".json")
	before, err := os.ReadFile(path)
	check(t, err)
	again := fileBuild("image")
	again.PackerRunUUID, again.ArtifactID = "run2", "File-2"
	publish(t, dir, chain(print1), again)
	check(t, os.WriteFile(path, before, 0o644))
	wantExecute(t, "registry = "+strconv.Quote(dir)+"\non_missing = \"empty\"", path, "corrupt: it does not have the builds that channel latest points at")
}

// TestTag_path finds an AMI of another tool by the folder of the parent, without a registry. The
// folder is part of what the child is built from.
func TestTag_path(t *testing.T) {
	w := newWorld(t)
	content := w.content("base")
	step := amitest.Describe(amitest.Image{ID: amiHere, Tags: map[string]string{"SHA": content["base"]}})
	step.Want["Filter.2.Name"], step.Want["Filter.2.Value.1"] = "tag:SHA", content["base"]
	server := amitest.Start(t, map[string][]amitest.Step{here: {step}})
	value, err := valueFrom(t, server.URL, "path = \"base\"\ngit_sha_tag = \"SHA\"")
	wantID(t, value, err, amiHere)
	if ref := refOf(t, value, err); ref.Root != w.dir || !maps.Equal(ref.Content, content) {
		t.Errorf("got %+v", ref)
	}
}
