// SPDX-License-Identifier: MPL-2.0

// Package report says what a registry holds: every image, its channels and AMIs, what is built on
// what, what is out of date and why, and in which order images have to be built. It decides and
// writes; the builder "chain-report" reads.
package report

import (
	"time"

	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
)

// Schema is the version of chain.json.
const Schema = 1

// Report is what chain.json holds.
type Report struct {
	Schema int    `json:"schema"`
	Title  string `json:"title"`
	// Registry is its address.
	Registry string `json:"registry"`
	// At is when the registry was read, by its own clock.
	At time.Time `json:"at"`
	// Images are sorted: parents before what is built on them, then by name.
	Images []Image `json:"images"`
	// Plan is what has to be built, in this order.
	Plan []Step `json:"plan"`
	// Problems are what belongs to no image, such as a folder that could not be listed.
	Problems []string `json:"problems"`
}

// Status is how a channel or an image is.
type Status string

// The statuses, from good to bad.
const (
	// Current means that nothing below it has changed.
	Current Status = "current"
	// Unknown means that it cannot be told.
	Unknown Status = "unknown"
	// Outdated means that a parent has a newer build in the channel that it came from.
	Outdated Status = "out of date"
	// Incomplete means that a source is missing.
	Incomplete Status = "incomplete"
	// Revoked means that nothing may be built on it, or on one of its ancestors.
	Revoked Status = "revoked"
)

// Image is one image of the chain.
type Image struct {
	Name string `json:"name"`
	// Status and Reason are those of the channel "latest", or if there is none, of the first channel.
	Status Status `json:"status"`
	Reason string `json:"reason"`
	// Level is 0 for an image without parents here, else one more than that of its highest parent.
	Level int `json:"level"`
	// Parents are the images that it is built on, and Children those that are built on it.
	Parents  []string  `json:"parents"`
	Children []string  `json:"children"`
	Channels []Channel `json:"channels"`
	// Origin is where its template is kept, such as "github.com/acme/images//base".
	Origin string `json:"origin,omitzero"`
	// Problems are documents that could not be read, with their addresses.
	Problems []string `json:"problems"`
}

// Channel is a channel and the image that it points at.
type Channel struct {
	Name        string `json:"name"`
	Status      Status `json:"status"`
	Reason      string `json:"reason"`
	Fingerprint string `json:"fingerprint"`
	Commit      string `json:"commit,omitzero"`
	// CommitURL is a page about the commit, if the origin is on a code host that is known.
	CommitURL string `json:"commit_url,omitzero"`
	// BuiltAt is when the oldest part was built, and Build the CI build that made it.
	BuiltAt time.Time    `json:"built_at,omitzero"`
	Build   *manifest.CI `json:"build,omitempty"`
	AMIs    []AMI        `json:"amis"`
	// Artifacts are the ids of what is not an AMI.
	Artifacts []string `json:"artifacts,omitempty"`
	Parents   []Parent `json:"parents"`
	// ManifestURI is the address of the manifest.
	ManifestURI string `json:"manifest_uri"`
	// History are the moves, newest first. The first is where the channel is.
	History []Move `json:"history"`
}

// AMI is one AMI that a channel points at.
type AMI struct {
	Region       string `json:"region"`
	ID           string `json:"id"`
	Source       string `json:"source"`
	Architecture string `json:"architecture,omitzero"`
	// State is what EC2 says of it if it was asked: "available", "gone" and so on.
	State string `json:"state,omitzero"`
}

// Parent is an image that another was built on, as it was at that time.
type Parent struct {
	Image       string `json:"image"`
	Fingerprint string `json:"fingerprint,omitzero"`
	// Channel is the one that it came from. Empty: that is not known.
	Channel string `json:"channel,omitzero"`
	// AMI is the one in the region of the build.
	AMI string `json:"ami,omitzero"`
	// Current is false if Channel points at another build now.
	Current bool `json:"current"`
}

// Move is one move of a channel.
type Move struct {
	Kind        string       `json:"kind"`
	Fingerprint string       `json:"fingerprint"`
	Commit      string       `json:"commit,omitzero"`
	At          time.Time    `json:"at"`
	By          string       `json:"by,omitzero"`
	CI          *manifest.CI `json:"ci,omitempty"`
	Reason      string       `json:"reason,omitzero"`
}

// Step is an image that has to be built.
type Step struct {
	Image string `json:"image"`
	// Level says what can be built concurrently: images of one level, after those of the levels before.
	Level int    `json:"level"`
	Why   string `json:"why"`
	// Follows are images of the plan that it is built on. If Only is true, that is the only reason.
	Follows []string `json:"follows"`
	Only    bool     `json:"only_follows"`
	Origin  string   `json:"origin,omitzero"`
}
