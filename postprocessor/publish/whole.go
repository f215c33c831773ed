// SPDX-License-Identifier: MPL-2.0

package publish

import (
	"slices"

	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
	"github.com/packer-chain/packer-plugin-chain/internal/record"
	"github.com/packer-chain/packer-plugin-chain/internal/registry"
)

// whole returns the entries that make up the image after a publication, and the sources that are
// still missing. A source that did not have to be built stays as it was when that was decided. For
// one that had to be, the first entry counts that a run has published since: two runs that built
// the same image concurrently pass on the same AMIs. If the build was forced, the newest counts.
func whole(rec record.Record, m *manifest.Manifest) (entries []manifest.Entry, missing []string) {
	if len(rec.Pending) == 0 {
		return asPublished(rec.Entries, m), nil
	}
	sources := rec.Sources
	if len(sources) == 0 {
		sources = rec.Pending
	}
	for _, source := range sources {
		if !rec.IsPending(source) {
			entries = append(entries, asPublished(ofSource(rec, rec.Entries, source), m)...)
			continue
		}
		fresh := slices.DeleteFunc(ofSource(rec, m.Live(), source), func(e manifest.Entry) bool {
			return slices.Contains(rec.Known, e.PackerRunUUID) || len(uncovered(rec.Regions, e)) > 0
		})
		switch {
		case len(fresh) == 0:
			missing = append(missing, source)
		case rec.Forced:
			entries = append(entries, fresh[len(fresh)-1])
		default:
			entries = append(entries, fresh[0])
		}
	}
	return entries, missing
}

// asPublished returns entries as a manifest has them. Those that were published only now come from
// a local manifest, which does not have what EC2 says of their AMIs.
func asPublished(entries []manifest.Entry, m *manifest.Manifest) []manifest.Entry {
	entries = slices.Clone(entries)
	for i := range entries {
		own := registry.TargetOf("", entries[i:i+1])
		if k := slices.IndexFunc(m.Builds, own.Has); k >= 0 {
			entries[i] = m.Builds[k]
		}
	}
	return entries
}

func ofSource(rec record.Record, entries []manifest.Entry, source string) []manifest.Entry {
	return slices.DeleteFunc(slices.Clone(entries), func(e manifest.Entry) bool {
		return rec.Source(e.Source()) != source
	})
}

// uncovered returns the wanted regions in which an entry has no AMI. What is not an AMI is in no
// region.
func uncovered(wanted []string, entry manifest.Entry) []string {
	have := regionsOf(entry)
	if len(have) == 0 {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(wanted), func(region string) bool {
		return slices.Contains(have, region)
	})
}
