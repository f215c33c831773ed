// SPDX-License-Identifier: MPL-2.0

// Package record is what the data sources pass on through the template: the record of an image,
// for the builder and the post-processor, and the ref of a parent, for the image that is built on
// it. Both are opaque JSON to the user.
package record

import (
	"errors"
	"fmt"

	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
	"github.com/packer-chain/packer-plugin-chain/internal/option"
)

// Record is what data "chain-image" found out about one image.
type Record struct {
	Schema int `json:"schema"`
	manifest.Facts
	Registry string `json:"registry"`
	// Needed is true if the image has to be built. Reason says why, in one line.
	Needed bool   `json:"needed"`
	Reason string `json:"reason"`
	// Regions are those in which the AMI must exist. Empty: the region of the session.
	Regions []string          `json:"regions,omitempty"`
	Tags    map[string]string `json:"tags"`
	// Entries are what the existing image consists of; empty if there is none.
	Entries []manifest.Entry `json:"entries,omitempty"`
	// LocalManifest is the file from which the next run publishes what this one could not.
	LocalManifest string `json:"local_manifest,omitzero"`
	// Unpublished is true if the entries are only in a local manifest, and still to be published.
	Unpublished bool `json:"unpublished,omitzero"`
}

// Encode returns the text that goes through the template.
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
	switch text {
	case "":
		return r, errors.New("record is required" + remedy)
	case option.Unknown:
		return r, errors.New("record is not known" + remedy)
	}
	if err := decode(text, &r); err != nil {
		return r, fmt.Errorf("record is not one of data \"chain-image\": %w"+remedy, err)
	}
	return r, nil
}

const remedy = "\n\nSet record = data.chain-image.NAME.record."

// Check is the rule of the option "record". A value that is not known yet passes.
func Check(text string) error {
	if text == option.Unknown {
		return nil
	}
	_, err := Decode(text)
	return err
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

// EncodeParent returns the text of a parent's ref.
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
