// SPDX-License-Identifier: MPL-2.0

package report

import (
	"cmp"
	"math"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/packer-chain/packer-plugin-chain/internal/ami"
	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
	"github.com/packer-chain/packer-plugin-chain/internal/registry"
	"github.com/packer-chain/packer-plugin-chain/internal/text"
)

// Options are what a user wants to see, and what was found out besides.
type Options struct {
	Title string
	// Images and Channels are globs of the names that are shown. Empty: all.
	Images, Channels []string
	// Seen are the AMIs that EC2 has. Nil: it was not asked.
	Seen map[ami.Address]ami.Image
	// Unseen says by region why EC2 could not be asked there.
	Unseen map[string]string
	// Checkouts are the files of images, by image.
	Checkouts map[string]Checkout
}

// Checkout is what the files of an image are now.
type Checkout struct {
	// Folder is that of the image, or a file, relative to the root of the checkout.
	Folder      string
	TemplateSHA string
	Extra       map[string]string
	DirtyHash   string
	// Problem is why git could not tell.
	Problem string
}

// maxBuildTime is the last second of the year 9999.
const maxBuildTime = 253_402_300_799

// mainChannel is the channel that builds move, and by which an image is judged.
const mainChannel = "latest"

// Make returns the report of what was read. It does no I/O.
func Make(from Contents, o Options) Report {
	r := Report{
		Schema: Schema, Title: cmp.Or(text.OneLine(o.Title), from.Registry),
		Registry: from.Registry, At: from.At,
		Images: []Image{}, NotCompared: []string{},
		Problems: append([]string{}, from.Problems[""]...),
	}
	for region, why := range o.Unseen {
		r.Problems = append(r.Problems, "AMIs in "+region+" were not looked up: "+why)
	}
	slices.Sort(r.Problems)
	c := chain{from, o}
	verdicts := map[string]verdict{}
	for _, name := range c.images() {
		image, of := c.image(name)
		r.Images, verdicts[name] = append(r.Images, image), of
		if !of.compared && Matches(o.Images, name) {
			r.NotCompared = append(r.NotCompared, name)
		}
	}
	r.relate()
	r.Plan = r.plan(verdicts)
	hidden := func(name string) bool { return !Matches(o.Images, name) }
	r.Plan = slices.DeleteFunc(r.Plan, func(s Step) bool { return hidden(s.Image) })
	r.Images = slices.DeleteFunc(r.Images, func(i Image) bool { return hidden(i.Name) })
	return r
}

// Matches reports whether one of the globs covers a name. No globs cover all.
func Matches(globs []string, name string) bool {
	return len(globs) == 0 || slices.ContainsFunc(globs, func(glob string) bool {
		covers, err := path.Match(glob, name)
		return err == nil && covers
	})
}

// chain is what was read, with what was found out besides.
type chain struct {
	Contents
	options Options
}

// images returns the names of all images: those of the registry, and those that are in the checkout
// only.
func (c chain) images() []string {
	all := slices.Clone(c.Images)
	for name := range c.options.Checkouts {
		all = append(all, name)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// image returns what is known of one image alone, and the verdict on its main channel, whether that
// is shown or not.
func (c chain) image(name string) (Image, verdict) {
	image := Image{Name: name, Parents: []string{}, Children: []string{}, Channels: []Channel{},
		Problems: append([]string{}, c.Problems[name]...)}
	var names []string
	for at := range c.Channels {
		if at.Image == name {
			names = append(names, at.Channel)
		}
	}
	for at := range c.BadChannels {
		if at.Image == name {
			names = append(names, at.Channel)
		}
	}
	slices.SortFunc(names, func(a, b string) int {
		return cmp.Or(cmp.Compare(notMain(a), notMain(b)), cmp.Compare(a, b))
	})
	main := c.withoutChannels(name, image.Problems)
	if folder := c.options.Checkouts[name].Folder; folder != "" {
		image.Origin = "//" + folder
	}
	for i, channelName := range names {
		channel, of := c.channel(Pointed{name, channelName})
		if i == 0 {
			main = of
			image.Origin = cmp.Or(c.origin(name, channelName), image.Origin)
			for _, parent := range channel.Parents {
				if !slices.Contains(image.Parents, parent.Image) {
					image.Parents = append(image.Parents, parent.Image)
				}
			}
		}
		if Matches(c.options.Channels, channelName) {
			image.Channels = append(image.Channels, channel)
		}
	}
	image.Status, image.Reason = main.status(), main.reason()
	if len(image.Channels) > 0 {
		image.Status, image.Reason = image.Channels[0].Status, image.Channels[0].Reason
	}
	return image, main
}

// notMain orders the main channel before the others.
func notMain(channel string) int {
	if channel == mainChannel {
		return 0
	}
	return 1
}

func (c chain) origin(image, channel string) string {
	if pointer := c.Channels[Pointed{image, channel}]; pointer != nil {
		return text.OneLine(pointer.Current().Origin)
	}
	return ""
}

// channel returns a channel, and the verdict on what it points at.
func (c chain) channel(at Pointed) (Channel, verdict) {
	channel := Channel{Name: at.Channel, AMIs: []AMI{}, Artifacts: []Artifact{}, Parents: []Parent{},
		History: []Move{}}
	var of verdict
	pointer := c.Channels[at]
	if pointer == nil {
		of.add(Unknown, c.BadChannels[at])
	} else {
		to := pointer.Current()
		channel.Fingerprint, channel.Commit = to.Fingerprint, to.Commit
		channel.CommitURL = commitURL(to.Origin, to.Commit)
		channel.History = history(pointer)
		channel.AMIs = c.amis(to)
		of = c.fill(&channel, at.Image, pointer)
	}
	channel.Status, channel.Reason = of.status(), of.reason()
	return channel, of
}

// fill adds to a channel what the manifest says, and returns the verdict.
func (c chain) fill(channel *Channel, image string, pointer *registry.Pointer) (of verdict) {
	build := Build{image, pointer.Fingerprint}
	stored, read := c.Builds[build]
	if !read {
		of.add(Unknown, c.BadBuilds[build])
		return of
	}
	channel.ManifestURI = stored.URI
	if err := registry.CheckFollowed(stored, pointer, pointer.Moves[0]); err != nil {
		of.add(Unknown, text.Clip(err.Error(), maxProblem))
		return of
	}
	entries, _ := pointer.Current().Entries(stored.Manifest)
	facts := stored.Manifest.Chain.Facts
	channel.BuiltAt, channel.Build = builtAt(entries), shownCI(facts.CI)
	channel.Artifacts = artifacts(entries)
	for _, p := range facts.Parents {
		identity, unknown := c.identity(p)
		channel.Parents = append(channel.Parents, Parent{
			Image: p.Image, Fingerprint: p.Fingerprint, Channel: p.Channel, AMI: p.AMI,
			Current: identity == p.Identity, Newer: unknown == "" && identity != p.Identity,
		})
	}
	return c.judge(image, channel.Name, channel.AMIs, entries, facts)
}

// amis returns the AMIs of a target, with what EC2 says of them.
func (c chain) amis(to registry.Target) []AMI {
	all := []AMI{}
	for _, build := range to.Builds {
		for region, id := range build.AMIs {
			one := AMI{Region: region, ID: id, Source: text.OneLine(build.Source),
				Architecture: manifest.If(manifest.IsID, build.Architecture)}
			if _, failed := c.options.Unseen[region]; c.options.Seen != nil && !failed {
				seen := c.options.Seen[ami.Address{Region: region, ID: id}]
				one.State = cmp.Or(c.problemOf(seen, false), "available")
				one.SizeGiB = seen.SizeGiB
			}
			all = append(all, one)
		}
	}
	slices.SortFunc(all, func(a, b AMI) int {
		return cmp.Or(cmp.Compare(a.Region, b.Region), cmp.Compare(a.Source, b.Source))
	})
	return all
}

// artifacts returns what entries made that is no AMI.
func artifacts(entries []manifest.Entry) []Artifact {
	all := []Artifact{}
	for _, entry := range entries {
		if len(entry.AMIs()) > 0 {
			continue
		}
		one := Artifact{Source: text.OneLine(entry.Source()), ID: text.OneLine(entry.ArtifactID)}
		for _, file := range entry.Files {
			one.Size += min(max(file.Size, 0), math.MaxInt64-one.Size)
		}
		all = append(all, one)
	}
	return all
}

// shownCI returns a CI build without what could not be one. Nil: nothing is left.
func shownCI(ci *manifest.CI) *manifest.CI {
	shown := manifest.Facts{CI: ci}.Outgoing().CI
	if *shown == (manifest.CI{}) {
		return nil
	}
	return shown
}

// builtAt returns when the oldest of some entries was built. JSON has no times after maxBuildTime.
func builtAt(entries []manifest.Entry) time.Time {
	var oldest time.Time
	for _, entry := range entries {
		built := time.Unix(entry.BuildTime, 0).UTC()
		known := entry.BuildTime > 0 && entry.BuildTime <= maxBuildTime
		if known && (oldest.IsZero() || built.Before(oldest)) {
			oldest = built
		}
	}
	return oldest
}

func history(p *registry.Pointer) []Move {
	moves := make([]Move, len(p.Moves))
	for i, m := range p.Moves {
		moves[i] = Move{
			Kind: text.OneLine(string(m.Kind)), Fingerprint: m.Fingerprint, Commit: m.Commit, At: m.At,
			By: text.OneLine(m.By), CI: shownCI(m.CI), Reason: text.OneLine(m.Reason),
		}
	}
	return moves
}

// commitPages are the paths of the pages of commits on the code hosts that everybody uses, by the
// first part of their names: "gitlab.acme.com" is as "gitlab.com".
var commitPages = map[string]string{
	"github": "/commit/", "gitlab": "/-/commit/", "bitbucket": "/commits/",
}

// commitURL returns a page about a commit, or "".
func commitURL(origin, commit string) string {
	repository, _, _ := strings.Cut(origin, "//")
	host, _, _ := strings.Cut(repository, ".")
	page, known := commitPages[host]
	if !known || commit == "" {
		return ""
	}
	return manifest.If(manifest.IsURL, "https://"+repository+page+commit)
}
