// SPDX-License-Identifier: MPL-2.0

package report_test

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/packer-chain/packer-plugin-chain/internal/ami"
	"github.com/packer-chain/packer-plugin-chain/internal/fingerprint"
	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
	"github.com/packer-chain/packer-plugin-chain/internal/registry"
	"github.com/packer-chain/packer-plugin-chain/internal/report"
	"github.com/packer-chain/packer-plugin-chain/internal/store/storetest/memstore"
	"github.com/packer-chain/packer-plugin-chain/internal/text"
)

const (
	eu = "eu-west-1"
	us = "us-east-1"
)

// world is a registry in memory, and what EC2 has.
type world struct {
	t       *testing.T
	store   *memstore.Store
	reg     *registry.Registry
	options report.Options
	// names are what stands for ids in the tables: BASE2 is the AMI of the second build of base.
	names map[string]string
	// builds counts them by image.
	builds map[string]int
}

func newWorld(t *testing.T) *world {
	store := memstore.New()
	return &world{t: t, store: store, reg: registry.New(store), builds: map[string]int{}, names: map[string]string{
		tree("1")[:7]: "TREE1", tree("2")[:7]: "TREE2",
	}}
}

// build describes an image that is built.
type build struct {
	image   string
	parents []manifest.Parent
	// template stands for the files.
	template string
	extra    map[string]string
	sources  []string // of which all are built but the last
	regions  []string
	isFile   bool
	// allowDeprecated is that of data "chain-image".
	allowDeprecated bool
	result          string // of a file: what is in it. Empty: the fingerprint
}

// id returns an AMI that stands for a text.
func id(s string) string { return "ami-" + text.SHA256(s)[:17] }

// run builds an image, publishes it, and moves the channel latest. It returns the image as a parent.
func (w *world) run(b build) manifest.Parent {
	w.t.Helper()
	if b.template == "" {
		b.template = "1"
	}
	if b.regions == nil {
		b.regions = []string{eu}
	}
	facts := manifest.Facts{
		Image: b.image, Sources: b.sources, Parents: b.parents, Ancestors: manifest.Ancestors(b.parents),
		AllowDeprecated: b.allowDeprecated,
		Git:             manifest.Git{Commit: text.SHA256(b.template)[:40], Origin: "github.com/acme/images//" + b.image},
	}
	facts.Fingerprint, facts.Components = fingerprint.Compute(fingerprint.Parts{
		Image: b.image, TemplateSHA: tree(b.template), Extra: b.extra, Parents: b.parents})
	sources := []string{"amazon-ebs.app"}
	if len(b.sources) > 0 {
		sources = b.sources[:len(b.sources)-1]
	}
	var entries []manifest.Entry
	for _, source := range sources {
		entry := manifest.Entry{Name: source[len("amazon-ebs."):], BuilderType: "amazon-ebs",
			PackerRunUUID: w.t.Name(), BuildTime: time.Now().Unix()}
		for _, region := range b.regions {
			entry.Images = append(entry.Images, manifest.Image{
				Provider: "aws", Region: region, ID: id(facts.Fingerprint + source + region)})
		}
		if b.isFile {
			entry.BuilderType, entry.Images = "file", nil
			entry.Files = []manifest.File{{Name: "out.txt", Size: 1234, SHA256: text.SHA256(cmp.Or(b.result, facts.Fingerprint))}}
		}
		entries = append(entries, entry)
	}
	stored, err := w.reg.Publish(w.t.Context(), facts, entries, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	w.move(b.image, "latest", stored)
	parent := manifest.Parent{Image: b.image, Fingerprint: facts.Fingerprint, Channel: "latest",
		AMIs: manifest.AMIMap(entries), Ancestors: facts.Ancestors, Identity: manifest.Identity(entries)}
	if !b.isFile {
		parent.AMI, parent.Region = entries[0].Images[0].ID, eu
		parent.Identity = parent.AMI
	}
	if w.names[parent.Identity] == "" {
		w.builds[b.image]++
		w.names[parent.Identity] = fmt.Sprint(strings.ToUpper(b.image), w.builds[b.image])
	}
	return parent
}

// named returns texts with names in place of ids.
func (w *world) named(texts []string) []string {
	for i := range texts {
		for id, name := range w.names {
			texts[i] = strings.ReplaceAll(texts[i], id, name)
		}
		texts[i] = fingerprints.ReplaceAllString(texts[i], "PRINT")
	}
	return texts
}

var fingerprints = regexp.MustCompile(`\b[0-9a-f]{64}\b`)

// tree returns the object id of files.
func tree(template string) string { return text.SHA256("tree " + template)[:40] }

// move moves a channel to a build.
func (w *world) move(image, channel string, to registry.Stored) {
	w.t.Helper()
	m := to.Manifest
	target := registry.TargetOf(m.Chain.Fingerprint, m.Current())
	target.Commit, target.Origin = m.Chain.Git.Commit, m.Chain.Git.Origin
	target.DecidedAt = w.reg.Now()
	_, err := w.reg.Move(w.t.Context(), registry.Request{
		Image: image, Name: registry.Name{Kind: registry.Channel, Name: channel}, To: target, Stored: to,
		AllowRollback: true, Change: manifest.Change{By: "alice", Reason: "tested"},
	}, nil)
	if err != nil {
		w.t.Fatal(err)
	}
}

// promote moves a channel to what a parent was built as.
func (w *world) promote(p manifest.Parent, channel string) {
	w.t.Helper()
	stored, err := w.reg.Manifest(w.t.Context(), p.Image, p.Fingerprint)
	if err != nil {
		w.t.Fatal(err)
	}
	w.move(p.Image, channel, stored)
}

// revoke marks the builds of an image.
func (w *world) revoke(p manifest.Parent, reason string) {
	w.t.Helper()
	stored, err := w.reg.Manifest(w.t.Context(), p.Image, p.Fingerprint)
	if err != nil {
		w.t.Fatal(err)
	}
	of := registry.TargetOf(p.Fingerprint, stored.Manifest.Builds)
	mark := manifest.Revocation{Change: manifest.Change{Reason: reason}}
	if _, err := w.reg.Revoke(w.t.Context(), p.Image, of, mark); err != nil {
		w.t.Fatal(err)
	}
}

// see lets EC2 have all AMIs that channels point at, but for some.
func (w *world) see(gone ...string) {
	w.t.Helper()
	w.options.Seen = map[ami.Address]ami.Image{}
	for region, ids := range w.read().AMIs() {
		for _, id := range ids {
			if !slices.Contains(gone, id) {
				at := ami.Address{Region: region, ID: id}
				w.options.Seen[at] = ami.Image{ID: id, Region: region, State: "available", SizeGiB: 8}
			}
		}
	}
}

// deprecate lets EC2 say that an AMI is deprecated.
func (w *world) deprecate(p manifest.Parent) {
	at := ami.Address{Region: p.Region, ID: p.AMI}
	image := w.options.Seen[at]
	image.DeprecatedAt = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	w.options.Seen[at] = image
}

// put replaces a document.
func (w *world) put(key, body string) {
	w.t.Helper()
	var tag string
	if object, err := w.store.Get(w.t.Context(), key); err == nil {
		tag = object.ETag
	}
	if _, err := w.store.Put(w.t.Context(), key, []byte(body), tag); err != nil {
		w.t.Fatal(err)
	}
}

// edit changes a document. A manifest can be edited if its channel has "manifest_seq": 0, as if the
// manifest were newer.
func (w *world) edit(key, old, new string) {
	w.t.Helper()
	object, err := w.store.Get(w.t.Context(), key)
	if err != nil || strings.Count(string(object.Body), old) != 1 {
		w.t.Fatalf("%s: %v, %q is not once in\n%s", key, err, old, object.Body)
	}
	w.put(key, strings.Replace(string(object.Body), old, new, 1))
}

func (w *world) read() report.Contents {
	w.t.Helper()
	contents, err := report.Read(w.t.Context(), w.reg, func(string) {})
	if err != nil {
		w.t.Fatal(err)
	}
	return contents
}

// report returns the report of all that.
func (w *world) report() report.Report {
	w.t.Helper()
	return report.Make(w.read(), w.options)
}

// lines returns what a report says of each image: "name: status: reason".
func lines(r report.Report) []string {
	var all []string
	for _, image := range r.Images {
		all = append(all, image.Name+": "+image.Status.With(image.Reason))
	}
	return all
}

// plan returns what a report plans: "level name: why".
func plan(r report.Report) []string {
	var all []string
	for _, step := range r.Plan {
		line := fmt.Sprintf("%d %s: %s", step.Level, step.Image, step.Why)
		if step.OnlyFollows {
			line += " (only follows)"
		}
		all = append(all, line)
	}
	return all
}

// keys returns the keys of the documents of one kind of an image.
func (w *world) keys(image, kind string) []string {
	w.t.Helper()
	keys, err := w.store.List(w.t.Context(), image+"/"+kind+"/", "/")
	if err != nil {
		w.t.Fatal(err)
	}
	return keys
}
