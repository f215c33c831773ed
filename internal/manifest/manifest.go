// SPDX-License-Identifier: MPL-2.0

// Package manifest is the document that describes one image: what was built, from what, and on
// which parent. It knows the shape, reads and writes it, and merges a new build into it. It does no
// I/O and imports the standard library only.
//
// The document is a superset of the file that Packer's own manifest post-processor writes, so
// tools that read that file read this one too.
package manifest

import (
	"encoding/json"
	"time"
)

// Schema is the version of the documents that this plugin writes, and the newest that it reads.
const Schema = 1

// MaxSize is the largest document that is read or written, in bytes.
const MaxSize = 1 << 20

// Manifest describes one image: every source and region of it, and every time it was built.
type Manifest struct {
	// Builds has one entry for each source and run, oldest first.
	Builds []Entry `json:"builds"`
	// LastRunUUID is the UUID of the Packer run that wrote last.
	LastRunUUID string `json:"last_run_uuid"`
	// Chain holds what this plugin adds. It is nil in a file by Packer's manifest post-processor.
	Chain *Chain `json:"chain,omitempty"`

	extra map[string]json.RawMessage
}

// Entry is what one source produced in one Packer run. The first seven fields are Packer's.
type Entry struct {
	Name          string            `json:"name"`
	BuilderType   string            `json:"builder_type"`
	BuildTime     int64             `json:"build_time,omitempty"`
	Files         []File            `json:"files"`
	ArtifactID    string            `json:"artifact_id"`
	PackerRunUUID string            `json:"packer_run_uuid"`
	CustomData    map[string]string `json:"custom_data"`
	// BuilderID is the artifact's builder id, such as "mitchellh.amazonebs".
	BuilderID string `json:"builder_id,omitempty"`
	// Images are the machine images that the entry stands for, sorted by region.
	Images []Image `json:"images,omitempty"`
	// Revoked, where set, says why the entry does not count any more: the image was revoked, and then
	// built again.
	Revoked string `json:"revoked,omitempty"`

	extra map[string]json.RawMessage
}

// File is a file of an artifact.
type File struct {
	Name string `json:"name"`
	// Size is in bytes.
	Size int64 `json:"size"`
	// SHA256 is in lower-case hex. Packer's own manifest has none.
	SHA256 string `json:"sha256,omitempty"`

	extra map[string]json.RawMessage
}

// Image is one machine image in one region.
type Image struct {
	// Provider is "aws" for an AMI; other builders name their own.
	Provider     string    `json:"provider,omitempty"`
	Region       string    `json:"region,omitempty"`
	ID           string    `json:"id"`
	Name         string    `json:"name,omitempty"`
	Architecture string    `json:"architecture,omitempty"`
	SourceID     string    `json:"source_id,omitempty"`
	Owner        string    `json:"owner,omitempty"`
	CreatedAt    time.Time `json:"created_at,omitzero"`
	Snapshots    []string  `json:"snapshots,omitempty"`

	extra map[string]json.RawMessage
}

// Chain is what this plugin adds to Packer's manifest.
type Chain struct {
	Schema      int    `json:"schema"`
	Image       string `json:"image"`
	Fingerprint string `json:"fingerprint"`
	// Seq counts the writes of the document, from 1 and without gaps.
	Seq int64 `json:"seq"`
	// WriteID is random and new in every write: bytes never recur, and a writer knows its own.
	WriteID   string    `json:"write_id"`
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
	// Published is false only in a local manifest of a manifest that never reached the registry.
	Published *bool `json:"published,omitempty"`
	// Revoked, where set, says why nothing may stand on the image any more.
	Revoked string `json:"revoked,omitempty"`
	// Sources are the names of the sources that make one complete image. Empty: any one does.
	Sources []string `json:"sources,omitempty"`
	// AMIs maps region to AMI. See [AMIMap] for an image with several AMIs in a region.
	AMIs       map[string]string `json:"amis"`
	Git        Git               `json:"git"`
	CI         *CI               `json:"ci,omitempty"`
	Components []Component       `json:"components"`
	Parents    []Parent          `json:"parents"`
	// Ancestors are the names of the images below this one, nearest first.
	Ancestors []string          `json:"ancestors"`
	Labels    map[string]string `json:"labels,omitempty"`
	Versions  Versions          `json:"versions"`

	extra map[string]json.RawMessage
}

// Git says which files the image was built from.
type Git struct {
	// SHA is the git object id of the image's folder: it names content.
	SHA string `json:"sha"`
	// Name is SHA, or for uncommitted files SHA and a hash of them. It is empty where files outside
	// the folder were not committed: then no git object names what was built.
	Name   string `json:"name,omitempty"`
	Commit string `json:"commit"`
	// CommitTime is the committer's time of Commit.
	CommitTime time.Time `json:"commit_time,omitzero"`
	Branch     string    `json:"branch,omitempty"`
	// Dirty is true when uncommitted files went into the image.
	Dirty bool `json:"dirty,omitempty"`
}

// CI says which CI build made the image.
type CI struct {
	Provider string `json:"provider"`
	BuildID  string `json:"build_id,omitempty"`
	BuildURL string `json:"build_url,omitempty"`
}

// Component is one part of a fingerprint, such as {"input docker", "<sha256>"}.
type Component struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Parent is the image that another stands on, as it was when that one was built.
type Parent struct {
	Image       string `json:"image"`
	Fingerprint string `json:"fingerprint,omitempty"`
	// FoundBy is the way that found it, such as "registry: refs/latest".
	FoundBy string `json:"found_by,omitempty"`
	// Identity is what the child's fingerprint takes in: the AMI id, or for other images a digest.
	Identity string `json:"identity"`
	// AMI is the parent in the region that the child was built in; empty where it is no AMI.
	AMI    string            `json:"ami,omitempty"`
	Region string            `json:"region,omitempty"`
	AMIs   map[string]string `json:"amis,omitempty"`
	// ManifestURI is empty for a parent that was found by tag or is a fallback.
	ManifestURI    string   `json:"manifest_uri,omitempty"`
	ManifestSHA256 string   `json:"manifest_sha256,omitempty"`
	Ancestors      []string `json:"ancestors,omitempty"`
}

// Versions are those of the programs that made the image.
type Versions struct {
	Packer string `json:"packer,omitempty"`
	Plugin string `json:"plugin"`
}
