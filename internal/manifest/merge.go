// SPDX-License-Identifier: MPL-2.0

package manifest

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/packer-chain/packer-plugin-chain/internal/text"
)

// ProviderAWS is the provider of an AMI.
const ProviderAWS = "aws"

// maxPast is how many entries a manifest keeps that are no longer current.
const maxPast = 100

// Source returns the name of the entry's source, such as "amazon-ebs.arm64".
func (e Entry) Source() string { return e.BuilderType + "." + e.Name }

// AMIs returns the images of the entry that are AMIs.
func (e Entry) AMIs() []Image {
	var amis []Image
	for _, image := range e.Images {
		if image.Provider == ProviderAWS {
			amis = append(amis, image)
		}
	}
	return amis
}

// AMIsByRegion returns the ids of the AMIs of entries.
func AMIsByRegion(entries []Entry) map[string][]string {
	ids := map[string][]string{}
	for _, entry := range entries {
		for _, image := range entry.AMIs() {
			ids[image.Region] = append(ids[image.Region], image.ID)
		}
	}
	return ids
}

// identity is what makes two entries the same. It is the key of a map, because a document may hold
// very many entries. The id of an artifact of files says nothing: it is "File", or empty.
type identity struct{ run, source, artifact, files string }

func (e Entry) identity() identity {
	var files []string
	for _, file := range e.Files {
		files = append(files, file.Name)
	}
	return identity{e.PackerRunUUID, e.Source(), e.ArtifactID, strings.Join(files, "\x00")}
}

func identities(entries []Entry) map[identity]bool {
	have := make(map[identity]bool, len(entries))
	for _, entry := range entries {
		have[entry.identity()] = true
	}
	return have
}

// Missing returns those of the entries that the manifest does not have, each once. A nil manifest
// has none.
func (m *Manifest) Missing(entries []Entry) []Entry {
	have := map[identity]bool{}
	if m != nil {
		have = identities(m.Builds)
	}
	return slices.DeleteFunc(slices.Clone(entries), func(e Entry) bool {
		known := have[e.identity()]
		have[e.identity()] = true
		return known
	})
}

// Conflict returns why entries cannot be added to an image that is made by these sources, or nil. A
// source is known by its type and name, so two artifacts of one source in one run would replace
// each other; and without a list of sources, nobody could tell when an image of several is
// complete. Entries that are there already are no conflict.
func (m *Manifest) Conflict(entries []Entry, sources []string) error {
	live := m.Live()
	for _, entry := range m.Missing(entries) {
		for _, other := range live {
			switch {
			case other.Source() == entry.Source() && other.PackerRunUUID == entry.PackerRunUUID:
				return fmt.Errorf("source %s has made two artifacts in one run, %s and %s\n\nGive each its "+
					"own source block, with its own name, and list all in sources of data \"chain-image\".",
					text.OneLine(entry.Source()), text.OneLine(other.ArtifactID),
					text.OneLine(entry.ArtifactID))
			case other.Source() != entry.Source() && len(sources) == 0:
				return fmt.Errorf("source %s publishes into the image of source %s\n\nIf the image "+
					"consists of both, set sources = [%q, %q] in data \"chain-image\". If not, give each "+
					"image its own name.", text.OneLine(entry.Source()), text.OneLine(other.Source()),
					text.OneLine(other.Source()), text.OneLine(entry.Source()))
			}
		}
	}
	return nil
}

// Unpublished reports whether the manifest is a local one whose image is not in the registry yet.
func (m *Manifest) Unpublished() bool {
	return m.Chain != nil && m.Chain.Published != nil && !*m.Chain.Published
}

// Merge returns a manifest with entries added to old, or a new one if old is nil. It reports false
// if old holds the entries already. Then nothing needs to be written: a writer whose response was
// lost learns that its write landed.
//
// A revocation is that of single entries: a new run adds one that counts, and those that are
// revoked stay it.
//
// Of the entries that are no longer current it keeps the newest [maxPast].
func Merge(
	old *Manifest, facts Facts, entries []Entry, now time.Time, writeID string,
) (merged *Manifest, changed bool) {
	added := old.Missing(entries)
	if len(added) == 0 {
		return old, false
	}
	m := &Manifest{}
	chain := Chain{CreatedAt: now}
	if old != nil {
		*m = *old
		if old.Chain != nil {
			chain = *old.Chain
		}
	}
	m.Builds = append(slices.Clone(m.Builds), added...)
	m.LastRunUUID = added[len(added)-1].PackerRunUUID
	chain.Schema, chain.Facts, chain.Published = Schema, facts, nil
	chain.Seq, chain.WriteID, chain.UpdatedAt = chain.Seq+1, writeID, now
	m.Chain = &chain
	m.Chain.AMIs = m.liveAMIs()
	m.forget(identities(m.Current()))
	return m, true
}

// forget drops the oldest entries that are not current.
func (m *Manifest) forget(current map[identity]bool) {
	excess := len(m.Builds) - len(current) - maxPast
	m.Builds = slices.DeleteFunc(m.Builds, func(e Entry) bool {
		if excess <= 0 || current[e.identity()] {
			return false
		}
		excess--
		return true
	})
}

// Current returns the entries that make up the image now: for each source, those of its newest run
// that is not revoked, or of its newest run if all are. If the manifest names the sources of a
// complete image, entries of others do not count.
func (m *Manifest) Current() []Entry {
	newestRun := map[string]string{}
	for _, entry := range append(m.revoked(), m.Live()...) {
		newestRun[entry.Source()] = entry.PackerRunUUID
	}
	var current []Entry
	for _, entry := range m.Builds {
		if newestRun[entry.Source()] == entry.PackerRunUUID && m.wants(entry.Source()) {
			current = append(current, entry)
		}
	}
	slices.SortStableFunc(current, func(a, b Entry) int { return cmp.Compare(a.Source(), b.Source()) })
	return current
}

// Live returns the entries that are not revoked, oldest first.
func (m *Manifest) Live() []Entry {
	return slices.DeleteFunc(slices.Clone(m.Builds), func(e Entry) bool { return e.Revoked != nil })
}

func (m *Manifest) revoked() []Entry {
	return slices.DeleteFunc(slices.Clone(m.Builds), func(e Entry) bool { return e.Revoked == nil })
}

// liveAMIs returns the AMIs of the current entries that are not revoked.
func (m *Manifest) liveAMIs() map[string]string {
	return AMIMap((&Manifest{Builds: m.Current()}).Live())
}

func (m *Manifest) wants(source string) bool {
	return m.Chain == nil || len(m.Chain.Sources) == 0 || slices.Contains(m.Chain.Sources, source)
}

// LastRun returns the entries of the run that wrote last. In a file by Packer's manifest
// post-processor, only these are known to be current.
func (m *Manifest) LastRun() []Entry {
	var last []Entry
	for _, entry := range m.Builds {
		if entry.PackerRunUUID == m.LastRunUUID {
			last = append(last, entry)
		}
	}
	return last
}

// MissingSources returns the sources of a complete image that have no entry yet, sorted. One whose
// entries are all revoked is not missing.
func (m *Manifest) MissingSources() []string {
	if m.Chain == nil {
		return nil
	}
	have := map[string]bool{}
	for _, entry := range m.Builds {
		have[entry.Source()] = true
	}
	var missing []string
	for _, source := range m.Chain.Sources {
		if !have[source] {
			missing = append(missing, source)
		}
	}
	slices.Sort(missing)
	return missing
}

// AMIMap maps region to AMI. If two entries have an AMI in one region, all keys of the map include
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

// Identity returns a name for what the entries produced, for the fingerprint of a child of an image
// that is not an AMI. It changes whenever the image is built again with another result.
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

// Ancestors returns the images below one with these parents, nearest first, each once.
func Ancestors(parents []Parent) []Ancestor {
	ancestors := []Ancestor{}
	add := func(a Ancestor) {
		known := slices.ContainsFunc(ancestors, func(b Ancestor) bool {
			return b.Image == a.Image && b.Fingerprint == a.Fingerprint && maps.Equal(b.AMIs, a.AMIs)
		})
		if a.Image != "" && !known {
			ancestors = append(ancestors, a)
		}
	}
	for _, p := range parents {
		add(Ancestor{Image: p.Image, Fingerprint: p.Fingerprint, AMIs: p.AMIs, Channel: p.Channel})
	}
	for _, p := range parents {
		for _, a := range p.Ancestors {
			add(a)
		}
	}
	return ancestors
}
