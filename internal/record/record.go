// SPDX-License-Identifier: MPL-2.0

// Package record is what the data sources hand on through the template: the record of a build, for
// the builder and the post-processor, and the ref of a parent, for the build that stands on it. Both
// are opaque JSON to the user.
package record

import (
	"errors"
	"fmt"

	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
	"github.com/packer-chain/packer-plugin-chain/internal/option"
)

// Record is what data "chain-image" found out about one image.
type Record struct {
	Schema      int    `json:"schema"`
	Registry    string `json:"registry"`
	Image       string `json:"image"`
	Fingerprint string `json:"fingerprint"`
	// Needed says whether the image has to be built, Reason why, in one line.
	Needed     bool                 `json:"needed"`
	Reason     string               `json:"reason"`
	Git        manifest.Git         `json:"git"`
	Components []manifest.Component `json:"components"`
	Parents    []manifest.Parent    `json:"parents"`
	// Sources make one complete image. Empty: any one does.
	Sources []string `json:"sources,omitempty"`
	// Regions are where the AMI must be. Empty: the region of the session.
	Regions []string          `json:"regions,omitempty"`
	Tags    map[string]string `json:"tags"`
	// Entries are what the existing image consists of; empty where there is none.
	Entries []manifest.Entry `json:"entries,omitempty"`
	// LocalManifest is the local manifest that the next run looks at.
	LocalManifest string `json:"local_manifest,omitempty"`
	// Unpublished is true when the entries are in a local manifest only, and still to be published.
	Unpublished bool `json:"unpublished,omitempty"`
}

// Encode is the text that goes through the template.
func (r Record) Encode() (string, error) {
	r.Schema = manifest.Schema
	body, err := manifest.Encode(r)
	if err != nil {
		return "", fmt.Errorf("encode record of %s: %w", r.Image, err)
	}
	return string(body), nil
}

// Decode reads a record from the option "record" of a component.
func Decode(text string) (Record, error) {
	var r Record
	if text == option.Unknown {
		return r, errors.New("record is not known\n\nSet record = data.chain-image.NAME.record, of a data source in the same template.")
	}
	if err := decode(text, &r); err != nil {
		return r, fmt.Errorf("record is not one of data \"chain-image\": %w\n\nSet record = data.chain-image.NAME.record.", err)
	}
	return r, nil
}

func decode(text string, r *Record) error {
	if err := manifest.Decode([]byte(text), r); err != nil {
		return err
	}
	if r.Schema != manifest.Schema {
		return fmt.Errorf("schema %d, this plugin reads %d", r.Schema, manifest.Schema)
	}
	if err := manifest.CheckImage(r.Image); err != nil {
		return fmt.Errorf("image %w", err)
	}
	if err := manifest.CheckFingerprint(r.Fingerprint); err != nil {
		return fmt.Errorf("fingerprint %w", err)
	}
	return nil
}

// EncodeParent is the text of a parent's ref.
func EncodeParent(p manifest.Parent) (string, error) {
	body, err := manifest.Encode(p)
	if err != nil {
		return "", fmt.Errorf("encode ref of parent %s: %w", p.Image, err)
	}
	return string(body), nil
}

// DecodeParent reads one element of the option "parents".
func DecodeParent(text string) (manifest.Parent, error) {
	var p manifest.Parent
	if text == option.Unknown {
		return p, errors.New("is not known")
	}
	if err := manifest.Decode([]byte(text), &p); err != nil {
		return p, fmt.Errorf("is not the ref of a data \"chain\": %w", err)
	}
	if err := manifest.CheckImage(p.Image); err != nil {
		return p, fmt.Errorf("is not the ref of a data \"chain\": image %w", err)
	}
	if p.Identity == "" {
		return p, errors.New("is not the ref of a data \"chain\": identity is missing")
	}
	return p, nil
}

// Facts is what the record says of the image, for its manifest. The caller adds labels, CI and
// versions.
func (r Record) Facts() manifest.Chain {
	return manifest.Chain{
		Image: r.Image, Fingerprint: r.Fingerprint, Sources: r.Sources, Git: r.Git,
		Components: r.Components, Parents: nonNil(r.Parents), Ancestors: manifest.Ancestors(r.Parents),
	}
}

func nonNil(parents []manifest.Parent) []manifest.Parent {
	if parents == nil {
		return []manifest.Parent{}
	}
	return parents
}
