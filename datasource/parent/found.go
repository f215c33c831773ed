// SPDX-License-Identifier: MPL-2.0

package parent

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/packer-chain/packer-plugin-chain/internal/ami"
	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
	"github.com/packer-chain/packer-plugin-chain/internal/registry"
	"github.com/packer-chain/packer-plugin-chain/internal/tags"
	"github.com/packer-chain/packer-plugin-chain/internal/text"
)

// found is a parent, as one of the ways found it.
type found struct {
	way, foundBy                string
	fingerprint, gitSHA, commit string
	ci                          *manifest.CI
	uri, sha256                 string
	ancestors                   []string
	revoked                     string
	createdAt                   time.Time
	entries                     []manifest.Entry
	// region is that of the session; amis are the AMIs that were checked, by region. Both are empty
	// for an image that is no AMI.
	region string
	amis   map[string]ami.Image
}

// fromManifest is the parent that a manifest describes, with its AMIs still to be checked.
func fromManifest(way string, m *manifest.Manifest, uri, sha256 string) *found {
	f := &found{way: way, uri: uri, sha256: sha256, entries: m.LastRun()}
	if chain := m.Chain; chain != nil {
		f.entries = m.Current()
		f.fingerprint, f.gitSHA, f.commit, f.ci = chain.Fingerprint, chain.Git.SHA, chain.Git.Commit, chain.CI
		f.ancestors, f.revoked = chain.Ancestors, chain.Revoked
	}
	for _, entry := range f.entries {
		if built := time.Unix(entry.BuildTime, 0); entry.BuildTime > 0 && (f.createdAt.IsZero() || built.Before(f.createdAt)) {
			f.createdAt = built
		}
	}
	return f
}

// fromStored is the parent whose manifest lies in the registry.
func fromStored(stored registry.Stored) *found {
	return fromManifest(wayRegistry, stored.Manifest, stored.URI, stored.SHA256)
}

// fromImage is the parent that an AMI's own tags describe. Tags are untrusted: what does not look
// right is left out.
func fromImage(way string, image ami.Image, gitSHATag string) *found {
	f := &found{way: way}
	if fp := image.Tags[tags.Fingerprint]; manifest.CheckFingerprint(fp) == nil {
		f.fingerprint = fp
	}
	sha, _, _ := strings.Cut(image.Tags[gitSHATag], "-")
	if manifest.CheckGitSHA(sha) == nil {
		f.gitSHA = sha
	}
	if commit := image.Tags[tags.Commit]; manifest.CheckGitSHA(commit) == nil {
		f.commit = commit
	}
	return f
}

// artifactID is the id of an image that is no AMI.
func (f *found) artifactID() string {
	if len(f.entries) == 0 {
		return ""
	}
	return f.entries[len(f.entries)-1].ArtifactID
}

// acceptable tells whether a parent that is there may be stood on.
func (f *found) acceptable(c Config, now time.Time) error {
	if f.way == wayFallback {
		return nil
	}
	if f.revoked != "" && !c.AllowRevoked {
		return f.refused("it is revoked"+because(f.revoked), "Build the parent again, or set allow_revoked = true.")
	}
	for _, region := range slices.Sorted(maps.Keys(f.amis)) {
		image := f.amis[region]
		if reason, revoked := ami.RevokedReason(image); revoked && !c.AllowRevoked {
			return f.refused(fmt.Sprintf("%s is revoked%s", image, because(reason)),
				"Build the parent again, or set allow_revoked = true.")
		}
		if image.Deprecated(now) && !c.AllowDeprecated {
			return f.refused(fmt.Sprintf("%s is deprecated since %s", image, image.DeprecatedAt.UTC().Format(time.RFC3339)),
				"Build the parent again, or set allow_deprecated = true.")
		}
	}
	return f.youngEnough(c.MaxAge, now)
}

func (f *found) youngEnough(maxAge time.Duration, now time.Time) error {
	if maxAge == 0 {
		return nil
	}
	created := f.created()
	if created.IsZero() {
		return f.refused("nothing says how old it is", "Build the parent again, or remove max_age.")
	}
	if age := now.Sub(created); age > maxAge {
		return f.refused(fmt.Sprintf("it is %s old, older than max_age %s", age.Round(time.Minute), maxAge),
			"Build the parent again, or raise max_age.")
	}
	return nil
}

// created is when the oldest part of the parent was made; zero where nothing says when, or where one AMI does not.
func (f *found) created() time.Time {
	if len(f.amis) == 0 {
		return f.createdAt
	}
	oldest := slices.MinFunc(slices.Collect(maps.Values(f.amis)), func(a, b ami.Image) int {
		return a.CreatedAt.Compare(b.CreatedAt)
	})
	return oldest.CreatedAt
}

// because shows a reason from a tag or a document, which may be anything, on the same line.
func because(reason string) string {
	if reason = text.OneLine(reason); reason == "" {
		return ""
	}
	return ": " + reason
}

func (f *found) refused(why, remedy string) error {
	where := f.uri
	if where == "" {
		where = "found by " + f.way
	}
	return errors.New(why + " (" + where + ")\n\n" + remedy)
}
