// SPDX-License-Identifier: MPL-2.0

package parent

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/packer-chain/packer-plugin-chain/internal/ami"
	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
	"github.com/packer-chain/packer-plugin-chain/internal/record"
	"github.com/packer-chain/packer-plugin-chain/internal/registry"
	"github.com/packer-chain/packer-plugin-chain/internal/tags"
)

// candidate is what a finder found. Its AMIs have not been checked yet.
type candidate struct {
	// read, if set, reads the rest of the candidate. The finder leaves that until its turn comes.
	read func(context.Context) (candidate, error)
	// way is the place where it was found, foundBy the same with details.
	way, foundBy string
	// facts are those that are known: a manifest has all of them, tags have few.
	facts   manifest.Facts
	revoked *manifest.Revocation
	// uri and sha256 are those of its manifest. Both are empty if it has none.
	uri, sha256 string
	// root is the checkout in which it was found by its path, if it was, and content what it is
	// built from there.
	root    string
	content map[string]string
	// pointer is where it was read from, for a promotion; nil if it was not a channel.
	pointer *record.Pointer
	// entries are the builds that it consists of, according to its manifest: all, or in the end those
	// of the wanted source. whole are all.
	entries, whole []manifest.Entry
	// seen are AMIs of the manifest that EC2 has described already.
	seen map[ami.Address]ami.Image
	// asked are the ancestors that EC2 and the registry have been asked about, revokedBelow which of
	// them is revoked, in words, and channels where the channels are that they came from.
	asked        []manifest.Ancestor
	revokedBelow string
	channels     map[ancestorChannel]*registry.Pointer
	// history is what the error about an earlier image of a channel ends with.
	history string
	// tagged are the AMIs that were found by tag, by region: available, and of the wanted owners.
	tagged map[string]ami.Image
}

// fromManifest returns the candidate that a manifest describes. It has no facts if the file is by
// Packer's own post-processor.
func fromManifest(way string, m *manifest.Manifest, uri, sha256 string) candidate {
	found := candidate{way: way, foundBy: way, uri: uri, sha256: sha256, entries: m.LastRun()}
	if m.Chain != nil {
		found.facts = m.Chain.Facts
		found.setEntries(m.Current())
	}
	return found
}

// setEntries sets the builds that the candidate consists of. It is revoked if one of them is.
func (c *candidate) setEntries(entries []manifest.Entry) {
	c.entries, c.whole, c.revoked = entries, entries, nil
	for _, entry := range entries {
		c.revoked = cmp.Or(c.revoked, entry.Revoked)
	}
}

func fromStored(stored registry.Stored) candidate {
	return fromManifest(wayRegistry, stored.Manifest, stored.URI, stored.SHA256)
}

// fromTags returns the candidate that an AMI's tags describe. Tags are untrusted: what does not
// have the right form is left out.
func fromTags(way string, image ami.Image, gitSHATag string) candidate {
	found := candidate{way: way, foundBy: way}
	if fingerprint := image.Tags[tags.Fingerprint]; manifest.CheckFingerprint(fingerprint) == nil {
		found.facts.Fingerprint = fingerprint
	}
	sha, _, _ := strings.Cut(image.Tags[gitSHATag], "-")
	if manifest.IsGitSHA(sha) {
		found.facts.Git.SHA = sha
	}
	if commit := image.Tags[tags.Commit]; manifest.IsGitSHA(commit) {
		found.facts.Git.Commit = commit
	}
	return found
}

// builtAt returns when the oldest of the entries was built, or zero if none has a time.
func (c candidate) builtAt() time.Time {
	var oldest time.Time
	for _, entry := range c.entries {
		built := time.Unix(entry.BuildTime, 0)
		if entry.BuildTime > 0 && (oldest.IsZero() || built.Before(oldest)) {
			oldest = built
		}
	}
	return oldest
}

// artifactID returns the id of an image that is not an AMI.
func (c candidate) artifactID() string {
	if len(c.entries) == 0 {
		return ""
	}
	return c.entries[len(c.entries)-1].ArtifactID
}

// of returns the candidate with the entries of a source only, if one is named.
func (c candidate) of(source string) candidate {
	c.entries = slices.DeleteFunc(slices.Clone(c.entries), func(entry manifest.Entry) bool {
		return source != "" && entry.Source() != source
	})
	return c
}

// amiIDs returns the AMIs that the entries of a source name, by region. An empty source means all
// entries. isAMI is false for an image that is not an AMI.
func (c candidate) amiIDs(source string) (ids map[string][]string, isAMI bool) {
	ids = map[string][]string{}
	for _, entry := range c.entries {
		amis := entry.AMIs()
		if len(amis) == 0 {
			// Packer's own post-processor has them in the artifact id only.
			amis = manifest.ImagesFromID(entry.ArtifactID)
		}
		for _, image := range amis {
			isAMI = true
			if source == "" || entry.Source() == source {
				ids[image.Region] = append(ids[image.Region], image.ID)
			}
		}
	}
	return ids, isAMI
}
