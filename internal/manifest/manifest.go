// SPDX-License-Identifier: MPL-2.0

// Package manifest is the document that describes one image: what was built, from what, and on
// which parent. It knows the document's shape, reads and writes it, and merges a new build into
// it. It does no I/O.
//
// The document is a superset of the file that Packer's own manifest post-processor writes, so
// tools that read that file can read this one too. Fields that this version does not know survive
// a rewrite: a newer plugin may have added them.
package manifest

import (
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// Schema is the version of the documents that this plugin writes, and the newest that it reads.
const Schema = 1

// Manifest describes one image: all its sources and regions, and every time it was built.
type Manifest struct {
	// Builds has one entry for each source and run, oldest first.
	Builds []Entry `json:"builds"`
	// LastRunUUID is the UUID of the Packer run that wrote last.
	LastRunUUID string `json:"last_run_uuid"`
	// Chain holds what this plugin adds. It is nil in a file by Packer's manifest post-processor.
	Chain *Chain `json:"chain,omitempty"`

	Unknown jsontext.Value `json:",embed"`
}

// Entry is what one source produced in one Packer run. The first seven fields are Packer's.
type Entry struct {
	Name          string            `json:"name"`
	BuilderType   string            `json:"builder_type"`
	BuildTime     int64             `json:"build_time,omitzero"`
	Files         []File            `json:"files"`
	ArtifactID    string            `json:"artifact_id"`
	PackerRunUUID string            `json:"packer_run_uuid"`
	CustomData    map[string]string `json:"custom_data"`
	// BuilderID is the artifact's builder id, such as "mitchellh.amazonebs".
	BuilderID string `json:"builder_id,omitzero"`
	// Images are the machine images of the entry, sorted by region.
	Images []Image `json:"images,omitempty"`
	// Revoked, if set, is why the entry no longer counts: nothing may be built on it any more.
	Revoked *Revocation `json:"revoked,omitempty"`

	Unknown jsontext.Value `json:",embed"`
}

// File is a file of an artifact.
type File struct {
	Name string `json:"name"`
	// Size is in bytes.
	Size int64 `json:"size"`
	// SHA256 is in lower-case hex. Packer's own manifest has none.
	SHA256 string `json:"sha256,omitzero"`

	Unknown jsontext.Value `json:",embed"`
}

// Image is one machine image in one region.
type Image struct {
	// Provider is "aws" for an AMI; other builders name their own.
	Provider     string    `json:"provider,omitzero"`
	Region       string    `json:"region,omitzero"`
	ID           string    `json:"id"`
	Name         string    `json:"name,omitzero"`
	Architecture string    `json:"architecture,omitzero"`
	SourceID     string    `json:"source_id,omitzero"`
	Owner        string    `json:"owner,omitzero"`
	CreatedAt    time.Time `json:"created_at,omitzero"`
	Snapshots    []string  `json:"snapshots,omitempty"`

	Unknown jsontext.Value `json:",embed"`
}

// Chain is what this plugin adds to Packer's manifest.
type Chain struct {
	Schema int `json:"schema"`
	Facts
	// Seq counts the writes of the document, from 1 and without gaps.
	Seq int64 `json:"seq"`
	// WriteID is random and new in every write: bytes never recur, and a writer recognises its own.
	WriteID   string    `json:"write_id"`
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
	// Published is false only in a local manifest whose image is not in the registry yet.
	Published *bool `json:"published,omitzero"`
	// AMIs maps region to AMI. See [AMIMap] for an image with several AMIs in a region.
	AMIs map[string]string `json:"amis"`

	Unknown jsontext.Value `json:",embed"`
}

// Facts are what an image is and what it was built from. The data source collects them, except for
// CI, labels and versions, which the post-processor adds.
type Facts struct {
	Image       string `json:"image"`
	Fingerprint string `json:"fingerprint"`
	// Sources are the names of the sources that make one complete image. Empty: exactly one, whatever
	// its name.
	Sources []string `json:"sources,omitempty"`
	// Architecture is that of all AMIs of the image, in EC2's words. Empty: any.
	Architecture string `json:"architecture,omitzero"`
	// AllowDeprecated is true if the image exists even if its AMIs are deprecated.
	AllowDeprecated bool        `json:"allow_deprecated,omitzero"`
	Git             Git         `json:"git"`
	CI              *CI         `json:"ci,omitempty"`
	Components      []Component `json:"components"`
	Parents         []Parent    `json:"parents"`
	// Ancestors are the images below this one, nearest first.
	Ancestors []Ancestor        `json:"ancestors"`
	Labels    map[string]string `json:"labels,omitempty"`
	Versions  Versions          `json:"versions"`
}

// Git names the files that the image was built from.
type Git struct {
	// SHA is the git object id of the image's folder: it names content.
	SHA string `json:"sha"`
	// Name is SHA, or for uncommitted files SHA and a hash of them. It is empty if files outside
	// the folder were not committed: then no git object names what was built.
	Name   string `json:"name,omitzero"`
	Commit string `json:"commit"`
	// CommitTime is the committer's time of Commit.
	CommitTime time.Time `json:"commit_time,omitzero"`
	Branch     string    `json:"branch,omitzero"`
	// Line is the branch, pull request or tag whose run made the image.
	Line Line `json:"line,omitzero"`
	// Origin is where the template is kept, such as "github.com/acme/images//base": repository and
	// folder. The repository is missing if git knows no remote.
	Origin string `json:"origin,omitzero"`
	// Content maps the paths that the image is built from, and those of its ancestors in the same
	// checkout, to their git object ids.
	Content map[string]string `json:"content,omitempty"`
	// Dirty is true if uncommitted files went into the image.
	Dirty bool `json:"dirty,omitzero"`
}

// CI is the CI build that made the image.
type CI struct {
	Provider string `json:"provider"`
	BuildID  string `json:"build_id,omitzero"`
	BuildURL string `json:"build_url,omitzero"`
}

// Change is who changed something about an image after it was built, when and why.
type Change struct {
	At time.Time `json:"at"`
	// By is the name that the CI system or the machine has for whoever did it. It proves nothing.
	By string `json:"by,omitzero"`
	// CI is the CI build that did it, nil outside of CI.
	CI     *CI    `json:"ci,omitempty"`
	Reason string `json:"reason,omitzero"`
}

// Revocation is the change by which a build does not count any more.
type Revocation struct {
	Change
	// EC2 is what was done to its AMIs besides: [EC2Deprecate], [EC2Disable], both or nothing.
	EC2 []string `json:"ec2,omitempty"`
	// DeprecatedAt maps "region/ami" to the time from which that AMI was to be deprecated before
	// [EC2Deprecate]. It gets that time back when the build is restored.
	DeprecatedAt map[string]time.Time `json:"deprecated_at,omitempty"`
	// DisabledBefore are the AMIs, as "region/ami", that others had disabled before [EC2Disable].
	// They stay so.
	DisabledBefore []string `json:"disabled_before,omitempty"`

	Unknown jsontext.Value `json:",embed"`
}

// What a revocation can do to AMIs.
const (
	EC2Deprecate = "deprecate"
	EC2Disable   = "disable"
)

// Component is one part of a fingerprint, such as {"input docker", "<sha256>"}.
type Component struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Parent is an image that another is built on, as it was at that time.
type Parent struct {
	Image       string `json:"image"`
	Fingerprint string `json:"fingerprint,omitzero"`
	// FoundBy is how it was found, such as "registry: refs/latest".
	FoundBy string `json:"found_by,omitzero"`
	// Identity goes into the child's fingerprint: the AMI id, or for other images a digest.
	Identity string `json:"identity"`
	// AMI is the parent in the region that the child was built in; empty if it is not an AMI.
	AMI    string            `json:"ami,omitzero"`
	Region string            `json:"region,omitzero"`
	AMIs   map[string]string `json:"amis,omitempty"`
	// ManifestURI is empty for a parent that was found by tag or is a fallback.
	ManifestURI    string `json:"manifest_uri,omitzero"`
	ManifestSHA256 string `json:"manifest_sha256,omitzero"`
	// AllowRevoked is true if the template takes the parent although it or an ancestor is revoked.
	AllowRevoked bool `json:"allow_revoked,omitzero"`
	// Ancestors are the images below the parent, nearest first.
	Ancestors []Ancestor `json:"ancestors,omitempty"`
	// Channel is the one that it was found in, or that comes after the line if it was found by path.
	Channel string `json:"channel,omitzero"`
	// Content is [Git.Content] of the parent, if it was found by its path in this checkout.
	Content map[string]string `json:"content,omitempty"`
}

// Ancestor is one image below another, as it was built on.
type Ancestor struct {
	Image       string            `json:"image"`
	Fingerprint string            `json:"fingerprint,omitzero"`
	AMIs        map[string]string `json:"amis,omitempty"`
	// Channel is [Parent.Channel]. If it is elsewhere now, the ancestor is out of date.
	Channel string `json:"channel,omitzero"`
}

// Versions are those of the programs that made the image.
type Versions struct {
	Packer string `json:"packer,omitzero"`
	Plugin string `json:"plugin"`
}
