// SPDX-License-Identifier: MPL-2.0

package report

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/packer-chain/packer-plugin-chain/internal/ami"
	"github.com/packer-chain/packer-plugin-chain/internal/fingerprint"
	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
	"github.com/packer-chain/packer-plugin-chain/internal/registry"
	"github.com/packer-chain/packer-plugin-chain/internal/text"
)

// verdict is how a build is, and why, in the words of the output "reason" of data "chain-image".
type verdict struct {
	reasons map[Status][]string
	// pending is true if the image has to be built whatever happens to the images below it.
	pending bool
	// compared is true if it is known whether its files have changed.
	compared bool
}

const (
	// unchanged is the reason of what is current.
	unchanged = "unchanged"
	// maxReasons is how many reasons for one status are shown.
	maxReasons = 20
)

// add adds a reason, once.
func (v *verdict) add(s Status, why string) {
	if v.reasons == nil {
		v.reasons = map[Status][]string{}
	}
	switch n := len(v.reasons[s]); {
	case n > maxReasons || slices.Contains(v.reasons[s], why):
		return
	case n == maxReasons:
		why = "and more"
	}
	v.reasons[s] = append(v.reasons[s], why)
}

// status returns the worst status that there is a reason for.
func (v *verdict) status() Status {
	for _, s := range slices.Backward(statuses) {
		if len(v.reasons[s]) > 0 {
			return s
		}
	}
	return Current
}

// reason returns all reasons, those for the worst status first.
func (v *verdict) reason() string {
	var all []string
	for _, s := range slices.Backward(statuses) {
		all = append(all, v.reasons[s]...)
	}
	return cmp.Or(strings.Join(all, "; "), unchanged)
}

// withoutChannels returns the verdict on an image that has none.
func (c chain) withoutChannels(name string, problems []string) (of verdict) {
	files, here := c.options.Checkouts[name]
	switch {
	case len(problems) > 0:
		of.add(Unknown, "its channels could not be read")
	case slices.Contains(c.Images, name):
		of.pending = here
		of.add(Unknown, "no channel points at it")
	default:
		of.pending = true
		of.add(Unknown, "first build of "+name)
	}
	if files.Problem != "" {
		of.add(Unknown, files.Problem)
	}
	of.compared = here && files.Problem == ""
	return of
}

// judge returns the verdict on the build that a channel points at. It looks at everything that data
// "chain-image" and data "chain" look at, as far as that is known here.
func (c chain) judge(
	image, channel string, amis []AMI, entries []manifest.Entry, facts manifest.Facts,
) (of verdict) {
	c.judgeBuild(&of, amis, entries, facts)
	for _, a := range suspects(facts) {
		if why, revoked := c.revokedAncestor(a); revoked {
			of.add(Revoked, "its ancestor "+a.Image+why)
		}
	}
	c.judgeFingerprint(&of, image, channel, facts)
	of.pending = slices.ContainsFunc(
		[]Status{Outdated, Incomplete, Revoked}, func(s Status) bool { return len(of.reasons[s]) > 0 })
	// What follows is mended by building the images below first.
	parents := c.asNow(facts.Parents)
	direct := func(a manifest.Ancestor) bool {
		return slices.ContainsFunc(parents, func(p manifest.Parent) bool {
			return p.Image == a.Image && p.Fingerprint == a.Fingerprint
		})
	}
	ancestors := manifest.Ancestors(parents)
	for _, a := range ancestors {
		now := c.Channels[Pointed{a.Image, a.Channel}]
		if direct(a) || a.Image == image || a.Channel == "" || now == nil ||
			now.Current().Is(a.Fingerprint, a.AMIs) || c.hasSameResult(a, ancestors) {
			continue
		}
		of.add(Outdated, fmt.Sprintf(
			"its ancestor %s has a newer build in channel %s", a.Image, a.Channel))
	}
	return of
}

// judgeBuild judges what was built: its entries and AMIs.
func (c chain) judgeBuild(
	of *verdict, amis []AMI, entries []manifest.Entry, facts manifest.Facts,
) {
	// As data "chain-image" does, it names the source if the template lists several.
	named := func(source, why string) string {
		if len(facts.Sources) == 0 {
			return why
		}
		return text.OneLine(source) + ": " + why
	}
	built := map[string]bool{}
	for _, entry := range entries {
		built[entry.Source()] = true
		if entry.Revoked != nil {
			of.add(Revoked, named(entry.Source(), "revoked"+text.Because(entry.Revoked.Reason)))
		}
	}
	for _, source := range facts.Sources {
		if !built[source] {
			of.add(Incomplete, named(source, "not built yet"))
		}
	}
	marked := len(of.reasons[Revoked]) > 0
	for _, one := range amis {
		at := ami.Address{Region: one.Region, ID: one.ID}
		_, tagged := ami.RevokedReason(c.options.Seen[at])
		switch {
		case tagged && marked:
			// Who revokes a build tags its AMIs.
		case tagged:
			of.add(Revoked, named(one.Source, at.String()+" "+one.State))
		case one.State != "" && c.problemOf(c.options.Seen[at], facts.AllowDeprecated) != "":
			of.add(Incomplete, named(one.Source, at.String()+" "+one.State))
		case c.options.Unseen[one.Region] != "":
			of.add(Unknown, at.String()+" was not looked up")
		}
	}
}

// problemOf returns why an AMI cannot be used, or "". EC2 shows none that is gone.
func (c chain) problemOf(image ami.Image, allowDeprecated bool) string {
	if image.ID == "" {
		return "is gone"
	}
	flaw := ami.Judge(image, c.At, allowDeprecated, false)
	return text.OneLine(cmp.Or(ami.Problem(image), flaw.Text))
}

// judgeFingerprint judges what the build was made from, compared with what it would be made from
// now. If both have the same fingerprint, data "chain-image" finds the image unchanged.
func (c chain) judgeFingerprint(of *verdict, image, channel string, facts manifest.Facts) {
	var now fingerprint.Parts
	for _, p := range facts.Parents {
		identity, why := c.identity(p)
		if why != "" {
			of.add(Unknown, why)
		}
		p.Identity = cmp.Or(identity, p.Identity)
		now.Parents = append(now.Parents, p)
	}
	if files, known := c.options.Checkouts[image]; known && channel == mainChannel {
		if files.Problem != "" {
			of.add(Unknown, files.Problem)
		}
		of.compared = files.Problem == ""
		now.TemplateSHA, now.Extra, now.DirtyHash = files.TemplateSHA, files.Extra, files.DirtyHash
	}
	for _, line := range fingerprint.Diff(facts.Components, fingerprint.Renew(facts.Components, now)) {
		of.add(Outdated, line)
	}
}

// isCurrent reports whether a parent is still what its channel points at.
func (c chain) isCurrent(p manifest.Parent) bool {
	identity, _ := c.identity(p)
	return identity == p.Identity
}

// identity returns what a parent that is found in the same channel would give to the fingerprint
// now, or why that is not known.
func (c chain) identity(p manifest.Parent) (identity, why string) {
	at := Pointed{p.Image, p.Channel}
	pointer := c.Channels[at]
	switch {
	case p.Channel == "":
		return "", "parent " + p.Image + " came from no channel"
	case pointer == nil && c.BadChannels[at] != "":
		return "", fmt.Sprintf("channel %s of parent %s could not be read", p.Channel, p.Image)
	case pointer == nil:
		return "", fmt.Sprintf("this registry has no channel %s of parent %s", p.Channel, p.Image)
	}
	to := pointer.Current()
	if p.AMI != "" {
		if identity = amiIn(to, p); identity == "" {
			return "", fmt.Sprintf("channel %s of parent %s has no AMI in %s", p.Channel, p.Image, p.Region)
		}
		return identity, ""
	}
	stored, read := c.Builds[Build{p.Image, to.Fingerprint}]
	entries, complete := to.Entries(cmp.Or(stored.Manifest, &manifest.Manifest{}))
	if !read || !complete {
		return "", fmt.Sprintf("the manifest of channel %s of parent %s could not be read",
			p.Channel, p.Image)
	}
	return manifest.Identity(entries), ""
}

// amiIn returns the AMI of a target that a child of p would be built on now: that of the same
// source in the same region.
func amiIn(to registry.Target, p manifest.Parent) string {
	var source string
	for key, id := range p.AMIs {
		if region, name, _ := strings.Cut(key, "/"); region == p.Region && id == p.AMI {
			source = name
		}
	}
	for _, build := range to.Builds {
		if id := build.AMIs[p.Region]; id != "" && (source == "" || source == build.Source) {
			return id
		}
	}
	return ""
}

// asNow returns parents as their channels have them now, if those were built again with the same
// result. Only that of an image that is no AMI can be the same.
func (c chain) asNow(parents []manifest.Parent) []manifest.Parent {
	parents = slices.Clone(parents)
	for i, p := range parents {
		now := c.Channels[Pointed{p.Image, p.Channel}]
		if p.AMI == "" && now != nil && c.isCurrent(p) {
			parents[i].Fingerprint, parents[i].Ancestors = now.Fingerprint, now.Ancestors
		}
	}
	return parents
}

// hasSameResult reports whether an ancestor that is no AMI has a newer build with the same result,
// by what another ancestor says that is built on it. Nothing has to be built for that.
func (c chain) hasSameResult(a manifest.Ancestor, ancestors []manifest.Ancestor) bool {
	return len(a.AMIs) == 0 && slices.ContainsFunc(ancestors, func(child manifest.Ancestor) bool {
		stored, read := c.Builds[Build{child.Image, child.Fingerprint}]
		return read && slices.ContainsFunc(stored.Manifest.Chain.Parents, func(p manifest.Parent) bool {
			return p.Image == a.Image && p.Fingerprint == a.Fingerprint && p.Channel == a.Channel &&
				c.isCurrent(p)
		})
	})
}

// suspects returns the ancestors that must not be revoked: those that the template does not take
// all the same.
func suspects(facts manifest.Facts) []manifest.Ancestor {
	return manifest.Ancestors(slices.DeleteFunc(slices.Clone(facts.Parents),
		func(p manifest.Parent) bool { return p.AllowRevoked }))
}

// revokedAncestor reports whether an ancestor is revoked, by its AMIs or its manifest.
func (c chain) revokedAncestor(a manifest.Ancestor) (why string, revoked bool) {
	for _, at := range ami.Addresses(a.AMIs) {
		if reason, revoked := ami.RevokedReason(c.options.Seen[at]); revoked {
			return fmt.Sprintf(", %s, is revoked%s", at, text.Because(reason)), true
		}
	}
	stored := c.Builds[Build{a.Image, a.Fingerprint}]
	if mark := stored.Manifest.RevokedAs(a); mark != nil {
		return " is revoked" + text.Because(mark.Reason), true
	}
	return "", false
}

// AMIs returns the AMIs that channels point at, and those of the images below them, by region.
func (c Contents) AMIs() map[string][]string {
	wanted := map[ami.Address]bool{}
	for _, pointer := range c.Channels {
		for _, build := range pointer.Current().Builds {
			for region, id := range build.AMIs {
				wanted[ami.Address{Region: region, ID: id}] = true
			}
		}
		for _, a := range pointer.Ancestors {
			if a.Check() == nil {
				for _, at := range ami.Addresses(a.AMIs) {
					wanted[at] = true
				}
			}
		}
	}
	ids := map[string][]string{}
	for at := range maps.Keys(wanted) {
		ids[at.Region] = append(ids[at.Region], at.ID)
	}
	return ids
}

// ExtraPaths returns the paths outside of its folder that an image is built from, by the build that
// its main channel points at.
func (c Contents) ExtraPaths(image string) []string {
	pointer := c.Channels[Pointed{image, mainChannel}]
	if pointer == nil {
		return nil
	}
	stored := c.Builds[Build{image, pointer.Fingerprint}]
	if stored.Manifest == nil {
		return nil
	}
	return fingerprint.ExtraPaths(stored.Manifest.Chain.Components)
}
