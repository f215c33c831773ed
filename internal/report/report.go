// SPDX-License-Identifier: MPL-2.0

// Package report says what a registry holds: every image, its channels and AMIs, what is built on
// what, what is out of date and why, and in which order images have to be built. [Read] reads the
// registry, [Make] judges what was read, and [HTML], [JSON] and [Mermaid] show it.
package report

import (
	"fmt"
	"slices"
	"strings"
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
	// NotCompared are the images of which the plan does not know whether their files have changed.
	NotCompared []string `json:"not_compared"`
	// Problems are what belongs to no image, such as a folder that could not be listed.
	Problems []string `json:"problems"`
}

// Status is how a channel or an image is.
type Status string

// The statuses, from good to bad.
const (
	// Current means that nothing that is known has changed since it was built.
	Current Status = "current"
	// Unknown means that it cannot be told.
	Unknown Status = "unknown"
	// Outdated means that an image below it has a newer build in the channel that it came from, or
	// that its files have changed.
	Outdated Status = "out of date"
	// Incomplete means that a source was not built, or that an AMI cannot be used.
	Incomplete Status = "incomplete"
	// Revoked means that the image, or one below it, is revoked.
	Revoked Status = "revoked"
)

// With returns the status and a reason for it, which may begin with the same word.
func (s Status) With(reason string) string {
	if strings.HasPrefix(reason, string(s)) {
		return reason
	}
	return string(s) + ": " + reason
}

// statuses are all of them, from good to bad.
var statuses = []Status{Current, Unknown, Outdated, Incomplete, Revoked}

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

// Channel is a channel and the build that it points at. One that could not be read has a name, a
// status and a reason only.
type Channel struct {
	Name        string `json:"name"`
	Status      Status `json:"status"`
	Reason      string `json:"reason"`
	Fingerprint string `json:"fingerprint,omitzero"`
	Commit      string `json:"commit,omitzero"`
	// CommitURL is a page about the commit, if the origin is on a code host that is known.
	CommitURL string `json:"commit_url,omitzero"`
	// BuiltAt is when the oldest part was built, and Build the CI build that made it.
	BuiltAt time.Time    `json:"built_at,omitzero"`
	Build   *manifest.CI `json:"build,omitempty"`
	AMIs    []AMI        `json:"amis"`
	// Artifacts are what is not an AMI.
	Artifacts []Artifact `json:"artifacts"`
	Parents   []Parent   `json:"parents"`
	// ManifestURI is the address of the manifest.
	ManifestURI string `json:"manifest_uri,omitzero"`
	// History are the moves, newest first. The first is where the channel is.
	History []Move `json:"history"`
}

// AMI is one AMI that a channel points at.
type AMI struct {
	Region       string `json:"region"`
	ID           string `json:"id"`
	Source       string `json:"source"`
	Architecture string `json:"architecture,omitzero"`
	// State is "available", or why the AMI cannot be used, such as "is gone". Empty: not asked.
	State string `json:"state,omitzero"`
	// SizeGiB is that of its volumes, if EC2 was asked.
	SizeGiB int64 `json:"size_gib,omitzero"`
}

// Artifact is what a source made that is no AMI.
type Artifact struct {
	Source string `json:"source"`
	ID     string `json:"id,omitzero"`
	// Size is that of its files, in bytes.
	Size int64 `json:"size,omitzero"`
}

// Parent is an image that another was built on, as it was at that time.
type Parent struct {
	Image       string `json:"image"`
	Fingerprint string `json:"fingerprint,omitzero"`
	// Channel is the one that it came from. Empty: it came from none.
	Channel string `json:"channel,omitzero"`
	// AMI is the one in the region of the build.
	AMI string `json:"ami,omitzero"`
	// Current is true if Channel points at this build still.
	Current bool `json:"current"`
	// Newer is true if Channel has a newer build. Neither is if nobody can tell.
	Newer bool `json:"-"`
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
	// Level says what can be built at the same time: the images of one level, after those of the
	// levels before it.
	Level int    `json:"level"`
	Why   string `json:"why"`
	// Follows are images of the plan that it is built on. If OnlyFollows is true, that is the only
	// reason: if they turn out to be unchanged, so does it.
	Follows     []string `json:"follows"`
	OnlyFollows bool     `json:"only_follows"`
	Origin      string   `json:"origin,omitzero"`
}

// Count is how many images have a status.
type Count struct {
	Status Status
	N      int
}

func (c Count) String() string { return fmt.Sprintf("%d %s", c.N, c.Status) }

// Counts returns how many images have each status, the worst first.
func (r Report) Counts() []Count {
	var counts []Count
	for _, s := range slices.Backward(statuses) {
		n := 0
		for _, image := range r.Images {
			if known(image.Status) == s {
				n++
			}
		}
		if n > 0 {
			counts = append(counts, Count{s, n})
		}
	}
	return counts
}

// Worse returns the channels that are incomplete or revoked, or could not be read, although the
// image is in a better status. Somebody may launch servers from them.
func (i Image) Worse() []Channel {
	var worse []Channel
	rank := func(s Status) int { return slices.Index(statuses, s) }
	for _, c := range i.Channels {
		bad := c.Status == Revoked || c.Status == Incomplete || c.Fingerprint == ""
		if bad && rank(c.Status) > rank(i.Status) {
			worse = append(worse, c)
		}
	}
	return worse
}

// JSON returns chain.json.
func JSON(r Report) ([]byte, error) { return manifest.Indent(r) }
