// SPDX-License-Identifier: MPL-2.0

package report

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
	"github.com/packer-chain/packer-plugin-chain/internal/registry"
	"github.com/packer-chain/packer-plugin-chain/internal/text"
)

// Options are what a user wants to see.
type Options struct {
	Title string
	// Images and Channels are globs of the names that are shown. Empty: all.
	Images, Channels []string
	// States says what EC2 says of AMIs, by region and id. Nil: it was not asked.
	States map[string]map[string]string
	// Changed says which images have other files in this checkout than in the build, and which.
	Changed map[string]string
}

// mainChannel is the channel that an image is judged by.
const mainChannel = "latest"

// Make returns the report of what was read. It does no I/O.
func Make(from Contents, o Options) Report {
	r := Report{
		Schema: Schema, Title: cmp.Or(o.Title, from.Registry), Registry: from.Registry, At: from.At,
		Images: []Image{}, Problems: append([]string{}, from.Unread[""]...),
	}
	for _, name := range from.Images {
		r.Images = append(r.Images, from.image(name, o))
	}
	r.relate()
	r.Plan = r.plan()
	r.Images = slices.DeleteFunc(r.Images, func(i Image) bool { return !matches(o.Images, i.Name) })
	for i := range r.Images {
		r.Images[i].Channels = slices.DeleteFunc(r.Images[i].Channels, func(c Channel) bool {
			return !matches(o.Channels, c.Name)
		})
	}
	return r
}

// matches reports whether one of the globs covers a name. No globs cover all.
func matches(globs []string, name string) bool {
	return len(globs) == 0 || slices.ContainsFunc(globs, func(glob string) bool {
		covers, err := path.Match(glob, name)
		return err == nil && covers
	})
}

// image returns what is known of one image alone.
func (c Contents) image(name string, o Options) Image {
	image := Image{Name: name, Status: Unknown, Reason: "it has no channel yet",
		Parents: []string{}, Children: []string{}, Channels: []Channel{},
		Problems: append([]string{}, c.Unread[name]...)}
	for at := range c.Channels {
		if at.Image == name {
			image.Channels = append(image.Channels, c.channel(at, o))
		}
	}
	slices.SortFunc(image.Channels, func(a, b Channel) int {
		return cmp.Or(cmp.Compare(isNotMain(a), isNotMain(b)), cmp.Compare(a.Name, b.Name))
	})
	if len(image.Channels) == 0 {
		if len(image.Problems) > 0 {
			image.Reason = "its documents could not be read"
		}
		return image
	}
	first := image.Channels[0]
	image.Status, image.Reason = first.Status, first.Reason
	image.Origin = text.OneLine(c.Channels[Pointed{name, first.Name}].Current().Origin)
	for _, parent := range first.Parents {
		if !slices.Contains(image.Parents, parent.Image) {
			image.Parents = append(image.Parents, parent.Image)
		}
	}
	return image
}

func isNotMain(c Channel) int {
	if c.Name == mainChannel {
		return 0
	}
	return 1
}

// channel returns a channel, and how the image is that it points at.
func (c Contents) channel(at Pointed, o Options) Channel {
	pointer := c.Channels[at]
	to := pointer.Current()
	channel := Channel{
		Name: at.Channel, Fingerprint: to.Fingerprint, Commit: to.Commit, AMIs: []AMI{},
		CommitURL: commitURL(to.Origin, to.Commit), Parents: []Parent{}, History: history(pointer),
	}
	for _, build := range to.Builds {
		if build.ArtifactID != "" {
			channel.Artifacts = append(channel.Artifacts, text.OneLine(build.ArtifactID))
		}
		for region, id := range build.AMIs {
			channel.AMIs = append(channel.AMIs, AMI{Region: region, ID: id,
				Source: text.OneLine(build.Source), Architecture: text.OneLine(build.Architecture),
				State: o.States[region][id]})
		}
	}
	slices.SortFunc(channel.AMIs, func(a, b AMI) int {
		return cmp.Or(cmp.Compare(a.Region, b.Region), cmp.Compare(a.Source, b.Source))
	})
	stored, read := c.Builds[Build{at.Image, to.Fingerprint}]
	if !read {
		channel.Status, channel.Reason = Unknown, "its manifest could not be read"
		return channel
	}
	channel.ManifestURI = stored.URI
	entries, complete := to.Entries(stored.Manifest)
	if !complete {
		channel.Status, channel.Reason = Unknown, "its manifest lacks the builds that it points at"
		return channel
	}
	channel.BuiltAt, channel.Build = builtAt(entries), stored.Manifest.Chain.CI
	for _, p := range stored.Manifest.Chain.Parents {
		channel.Parents = append(channel.Parents, c.parent(p))
	}
	channel.Status, channel.Reason = c.judge(at, channel, entries, stored.Manifest, o)
	return channel
}

// judge returns how the image of a channel is, and why. What is worst counts.
func (c Contents) judge(
	at Pointed, channel Channel, entries []manifest.Entry, m *manifest.Manifest, o Options,
) (Status, string) {
	if why, revoked := revokedEntry(entries); revoked {
		return Revoked, "revoked" + why
	}
	for _, a := range m.Chain.Ancestors {
		if why, revoked := c.revokedAncestor(a); revoked {
			return Revoked, "its ancestor " + a.Image + " is revoked" + why
		}
	}
	if missing := missingSources(m, entries); len(missing) > 0 {
		return Incomplete, "not built: " + text.List(missing)
	}
	for _, image := range channel.AMIs {
		if image.State != "" && image.State != "available" {
			return Incomplete, fmt.Sprintf("%s in %s is %s", image.ID, image.Region, image.State)
		}
	}
	var unknown []string
	for _, p := range channel.Parents {
		known := c.Channels[Pointed{p.Image, p.Channel}] != nil
		switch {
		case p.Channel != "" && known && !p.Current:
			return Outdated, fmt.Sprintf("parent %s: channel %s points at another build", p.Image, p.Channel)
		case p.Channel != "" && !known:
			unknown = append(unknown, fmt.Sprintf("channel %s of parent %s is not in this registry",
				p.Channel, p.Image))
		}
	}
	if changed := o.Changed[at.Image]; changed != "" && at.Channel == mainChannel {
		return Outdated, changed
	}
	if len(unknown) > 0 {
		return Unknown, strings.Join(unknown, "; ")
	}
	return Current, "nothing below it has changed"
}

func (c Contents) parent(p manifest.Parent) Parent {
	parent := Parent{Image: p.Image, Fingerprint: p.Fingerprint, Channel: p.Channel, AMI: p.AMI}
	if pointer := c.Channels[Pointed{p.Image, p.Channel}]; pointer != nil {
		parent.Current = pointer.Current().Is(p.Fingerprint, p.AMIs)
	}
	return parent
}

func revokedEntry(entries []manifest.Entry) (why string, revoked bool) {
	for _, entry := range entries {
		if entry.Revoked != nil {
			return because(entry.Revoked.Reason), true
		}
	}
	return "", false
}

// revokedAncestor reports whether the build of an ancestor is revoked, by its manifest.
func (c Contents) revokedAncestor(a manifest.Ancestor) (why string, revoked bool) {
	stored, read := c.Builds[Build{a.Image, a.Fingerprint}]
	if !read {
		return "", false
	}
	var its []manifest.Entry
	for _, entry := range stored.Manifest.Builds {
		target := registry.TargetOf(a.Fingerprint, []manifest.Entry{entry})
		if len(a.AMIs) == 0 || target.Is(a.Fingerprint, a.AMIs) {
			its = append(its, entry)
		}
	}
	if len(a.AMIs) == 0 && len(stored.Manifest.Live()) > 0 {
		return "", false
	}
	return revokedEntry(its)
}

func missingSources(m *manifest.Manifest, entries []manifest.Entry) []string {
	return slices.DeleteFunc(slices.Clone(m.Chain.Sources), func(source string) bool {
		return slices.ContainsFunc(entries, func(e manifest.Entry) bool { return e.Source() == source })
	})
}

func builtAt(entries []manifest.Entry) time.Time {
	var oldest time.Time
	for _, entry := range entries {
		built := time.Unix(entry.BuildTime, 0).UTC()
		if entry.BuildTime > 0 && (oldest.IsZero() || built.Before(oldest)) {
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
			By: text.OneLine(m.By), CI: m.CI, Reason: text.OneLine(m.Reason),
		}
	}
	return moves
}

// commitPages are the pages of commits on the code hosts that everybody uses.
var commitPages = map[string]string{
	"github.com": "/commit/", "gitlab.com": "/-/commit/", "bitbucket.org": "/commits/",
}

// commitURL returns a page about a commit, or "".
func commitURL(origin, commit string) string {
	repository, _, _ := strings.Cut(origin, "//")
	host, _, _ := strings.Cut(repository, "/")
	page, known := commitPages[host]
	if !known || commit == "" {
		return ""
	}
	return manifest.If(manifest.IsURL, "https://"+repository+page+commit)
}

// because returns a reason as the end of a sentence.
func because(reason string) string {
	if reason = text.OneLine(reason); reason == "" {
		return ""
	}
	return ": " + reason
}
