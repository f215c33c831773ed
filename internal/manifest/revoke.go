// SPDX-License-Identifier: MPL-2.0

package manifest

import (
	"slices"
	"time"
)

// Mark returns a manifest in which the entries that are wanted have a revocation, or none if mark
// is nil. It reports false if there is nothing to change: an entry that is revoked keeps its mark,
// in which only EC2 is brought up to date.
func (m *Manifest) Mark(
	wanted func(Entry) bool, mark *Revocation, now time.Time, writeID string,
) (marked *Manifest, changed bool) {
	next, chain := *m, *m.Chain
	next.Builds, next.Chain = slices.Clone(m.Builds), &chain
	for i, entry := range next.Builds {
		switch before := entry.Revoked; {
		case !wanted(entry):
		case (before == nil) != (mark == nil):
			next.Builds[i].Revoked, changed = mark, true
		case mark != nil && mark.EC2 != "" && mark.EC2 != before.EC2:
			more := *before
			more.EC2 = mark.EC2
			next.Builds[i].Revoked, changed = &more, true
		}
	}
	if !changed {
		return m, false
	}
	chain.Seq, chain.WriteID, chain.UpdatedAt = chain.Seq+1, writeID, now
	chain.AMIs = next.liveAMIs()
	return &next, true
}
