// SPDX-License-Identifier: MPL-2.0

package manifest

import (
	"slices"
	"strings"
)

// Mark returns a manifest in which the entries that are wanted have a revocation, or none if mark
// is nil. It reports false if there is nothing to change: an entry that is revoked keeps its mark,
// in which only EC2 is brought up to date.
func (m *Manifest) Mark(
	wanted func(Entry) bool, mark *Revocation, writeID string,
) (marked *Manifest, changed bool) {
	next, chain := *m, *m.Chain
	next.Builds, next.Chain = slices.Clone(m.Builds), &chain
	for i, entry := range next.Builds {
		switch before := entry.Revoked; {
		case !wanted(entry):
		case (before == nil) != (mark == nil):
			next.Builds[i].Revoked, changed = mark, true
		case mark != nil && !before.Did(mark.EC2...):
			more := before.with(*mark)
			next.Builds[i].Revoked, changed = &more, true
		}
	}
	if !changed {
		return m, false
	}
	// UpdatedAt stays: it is when the newest build was published, which orders builds without
	// commits.
	chain.Seq, chain.WriteID = chain.Seq+1, writeID
	chain.AMIs = next.liveAMIs()
	return &next, true
}

// Did reports whether the revocation did all of that to the AMIs.
func (r Revocation) Did(what ...string) bool {
	return !slices.ContainsFunc(what, func(one string) bool { return !slices.Contains(r.EC2, one) })
}

// Same reports whether another mark is this one, and did the same to the AMIs.
func (r Revocation) Same(other *Revocation) bool {
	return other != nil && r.At.Equal(other.At) && slices.Equal(r.EC2, other.EC2)
}

// with returns the revocation with what another one does to the AMIs besides.
func (r Revocation) with(other Revocation) Revocation {
	if other.Did(EC2Deprecate) && !r.Did(EC2Deprecate) {
		r.DeprecatedAt = other.DeprecatedAt
	}
	if other.Did(EC2Disable) && !r.Did(EC2Disable) {
		r.DisabledBefore = other.DisabledBefore
	}
	r.EC2 = slices.Compact(slices.Sorted(slices.Values(slices.Concat(r.EC2, other.EC2))))
	return r
}

// RevokedAs returns the mark by which the manifest of an ancestor revokes it as it was built on, or
// nil: that of an entry with one of its AMIs, or if it has none, of its builds if none of them
// counts any more.
func (m *Manifest) RevokedAs(a Ancestor) *Revocation {
	if m == nil {
		return nil
	}
	live := len(m.Live()) > 0
	for _, entry := range m.Builds {
		if entry.Revoked != nil && (entry.hasAny(a.AMIs) || len(a.AMIs) == 0 && !live) {
			return entry.Revoked
		}
	}
	return nil
}

// hasAny reports whether the entry has one of the AMIs of a map as [AMIMap] returns.
func (e Entry) hasAny(amis map[string]string) bool {
	return slices.ContainsFunc(e.AMIs(), func(image Image) bool {
		for key, id := range amis {
			if region, _, _ := strings.Cut(key, "/"); region == image.Region && id == image.ID {
				return true
			}
		}
		return false
	})
}
