// SPDX-License-Identifier: MPL-2.0

package manifest

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/packer-chain/packer-plugin-chain/internal/text"
)

// ProviderAWS is the provider of an AMI.
const ProviderAWS = "aws"

// Source is the name of the entry's source, such as "amazon-ebs.arm64".
func (e Entry) Source() string { return e.BuilderType + "." + e.Name }

// AMIs are the images of the entry that are AMIs.
func (e Entry) AMIs() []Image {
	var amis []Image
	for _, image := range e.Images {
		if image.Provider == ProviderAWS {
			amis = append(amis, image)
		}
	}
	return amis
}

// identity is what makes two entries the same one. A manifest may hold 100,000 of them, so they are
// looked up and not compared each with each.
type identity struct{ run, source, artifact string }

func (e Entry) identity() identity { return identity{e.PackerRunUUID, e.Source(), e.ArtifactID} }

func identities(entries []Entry) map[identity]bool {
	have := make(map[identity]bool, len(entries))
	for _, entry := range entries {
		have[entry.identity()] = true
	}
	return have
}

// Unknown are those of the entries that the manifest does not have; all of them where it is nil.
func (m *Manifest) Unknown(entries []Entry) []Entry {
	if m == nil {
		return entries
	}
	have := identities(m.Builds)
	return slices.DeleteFunc(slices.Clone(entries), func(e Entry) bool { return have[e.identity()] })
}

// Unpublished tells whether the manifest is a local manifest of what is not in the registry yet.
func (m *Manifest) Unpublished() bool {
	return m.Chain != nil && m.Chain.Published != nil && !*m.Chain.Published
}

// Merge adds entries to a manifest; with a nil manifest it begins one. facts say what the entries
// were built from. It reports false when the manifest holds the entries already: then nothing needs
// to be written, and a writer whose answer was lost learns that its write landed.
//
// A new run of a revoked manifest takes the revocation off, and puts it on the entries that were there:
// with one job for each source, the others stay revoked until they are built again too.
func Merge(old *Manifest, entries []Entry, facts Chain, now time.Time, writeID string) (*Manifest, bool) {
	m := &Manifest{}
	if old != nil {
		*m = *old
		m.Builds = slices.Clone(old.Builds)
	}
	if m.Chain != nil && m.Chain.Revoked != "" {
		for i := range m.Builds {
			m.Builds[i].Revoked = cmp.Or(m.Builds[i].Revoked, m.Chain.Revoked)
		}
	}
	changed := false
	have := identities(m.Builds)
	for _, entry := range entries {
		if have[entry.identity()] {
			continue
		}
		have[entry.identity()] = true
		m.Builds = append(m.Builds, entry)
		m.LastRunUUID = entry.PackerRunUUID
		changed = true
	}
	if !changed {
		return old, false
	}
	facts.Schema = Schema
	facts.Seq, facts.CreatedAt = 1, now
	if old != nil && old.Chain != nil {
		facts.extra = old.Chain.extra
		facts.Seq, facts.CreatedAt = old.Chain.Seq+1, old.Chain.CreatedAt
	}
	facts.WriteID, facts.UpdatedAt = writeID, now
	m.Chain = &facts
	m.Chain.AMIs = AMIMap(m.Current())
	return m, true
}

// Withdrawn is why a manifest is revoked whose last entries that counted were withdrawn.
const Withdrawn = "withdrawn: its publication failed"

// Withdraw takes entries out of a manifest. When only revoked ones would be left it keeps them and revokes
// the manifest. It reports false when the manifest has none of the entries.
func Withdraw(old *Manifest, entries []Entry, now time.Time, writeID string) (*Manifest, bool) {
	m, chain := *old, *old.Chain
	m.Chain = &chain
	gone := identities(entries)
	m.Builds = slices.DeleteFunc(slices.Clone(old.Builds), func(e Entry) bool { return gone[e.identity()] })
	switch {
	case len(m.Builds) == len(old.Builds):
		return old, false
	case len(m.live()) == 0:
		m.Builds, chain.Revoked = old.Builds, cmp.Or(chain.Revoked, Withdrawn)
	default:
		m.LastRunUUID = m.Builds[len(m.Builds)-1].PackerRunUUID
	}
	chain.Seq, chain.WriteID, chain.UpdatedAt = chain.Seq+1, writeID, now
	chain.AMIs = AMIMap(m.Current())
	return &m, true
}

// Prune takes the oldest half of the entries out that are not current. It reports false when there is
// none to take out. An image that is built again and again would outgrow [MaxSize] otherwise.
func Prune(m *Manifest) (*Manifest, bool) {
	current := identities(m.Current())
	spare := len(m.Builds) - len(current)
	if spare <= 0 {
		return m, false
	}
	out := *m
	drop := (spare + 1) / 2
	out.Builds = slices.DeleteFunc(slices.Clone(m.Builds), func(e Entry) bool {
		if drop == 0 || current[e.identity()] {
			return false
		}
		drop--
		return true
	})
	return &out, true
}

// Current are the entries that make up the image now: of each source those of its newest run. Where
// the manifest names the sources of a complete image, entries of others do not count.
func (m *Manifest) Current() []Entry {
	newestRun := map[string]string{}
	for _, entry := range m.live() {
		newestRun[entry.Source()] = entry.PackerRunUUID
	}
	var current []Entry
	for _, entry := range m.live() {
		if newestRun[entry.Source()] == entry.PackerRunUUID && m.wants(entry.Source()) {
			current = append(current, entry)
		}
	}
	slices.SortStableFunc(current, func(a, b Entry) int { return cmp.Compare(a.Source(), b.Source()) })
	return current
}

// live are the entries that are not revoked.
func (m *Manifest) live() []Entry {
	return slices.DeleteFunc(slices.Clone(m.Builds), func(e Entry) bool { return e.Revoked != "" })
}

func (m *Manifest) wants(source string) bool {
	return m.Chain == nil || len(m.Chain.Sources) == 0 || slices.Contains(m.Chain.Sources, source)
}

// LastRun are the entries of the run that wrote last. For a file by Packer's manifest
// post-processor that is all that can be said to be current.
func (m *Manifest) LastRun() []Entry {
	var last []Entry
	for _, entry := range m.Builds {
		if entry.PackerRunUUID == m.LastRunUUID {
			last = append(last, entry)
		}
	}
	return last
}

// MissingSources are the sources of a complete image that have no entry yet, sorted.
func (m *Manifest) MissingSources() []string {
	if m.Chain == nil {
		return nil
	}
	return m.Unbuilt(m.Chain.Sources)
}

// Unbuilt are those of the sources that have no entry, sorted.
func (m *Manifest) Unbuilt(sources []string) []string {
	have := map[string]bool{}
	for _, entry := range m.live() {
		have[entry.Source()] = true
	}
	var missing []string
	for _, source := range sources {
		if !have[source] {
			missing = append(missing, source)
		}
	}
	slices.Sort(missing)
	return missing
}

// AMIMap maps region to AMI. Where two entries have an AMI in one region, all keys of the map take
// the source's name, as in "eu-west-1/amazon-ebs.arm64".
func AMIMap(entries []Entry) map[string]string {
	plain, named := map[string]string{}, map[string]string{}
	unique := true
	for _, entry := range entries {
		for _, image := range entry.AMIs() {
			if other, taken := plain[image.Region]; taken && other != image.ID {
				unique = false
			}
			plain[image.Region] = image.ID
			named[image.Region+"/"+entry.Source()] = image.ID
		}
	}
	if unique {
		return plain
	}
	return named
}

// Identity names what the entries produced, for the fingerprint of a child of an image that is no
// AMI. It changes whenever the image is built again to another result.
func Identity(entries []Entry) string {
	var parts []string
	for _, entry := range entries {
		parts = append(parts, entry.Source()+"\x00"+entry.ArtifactID)
		for _, image := range entry.Images {
			parts = append(parts, image.Region+"\x00"+image.ID)
		}
		for _, file := range entry.Files {
			parts = append(parts, file.Name+"\x00"+file.SHA256)
		}
	}
	slices.Sort(parts)
	return "sha256:" + text.SHA256(strings.Join(parts, "\x01"))
}

// Ancestors are the names of the images below one with these parents, nearest first, each once.
func Ancestors(parents []Parent) []string {
	names := []string{}
	add := func(name string) {
		if name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	for _, parent := range parents {
		add(parent.Image)
	}
	for _, parent := range parents {
		for _, name := range parent.Ancestors {
			add(name)
		}
	}
	return names
}
