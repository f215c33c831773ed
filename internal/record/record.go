// SPDX-License-Identifier: MPL-2.0

// Package record is what the data sources pass on through the template: the record of an image,
// for the builder and the post-processor, and the ref of a parent, for the image that is built on
// it. Both are opaque JSON to the user.
package record

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/packer-chain/packer-plugin-chain/internal/artifact"
	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
	"github.com/packer-chain/packer-plugin-chain/internal/option"
	"github.com/packer-chain/packer-plugin-chain/internal/registry"
)

// Record is what a data source found out about one image: "chain-image" about the one that the
// template makes, "chain" about one that exists.
type Record struct {
	Schema int `json:"schema"`
	manifest.Facts
	Registry string `json:"registry"`
	// Access is how the data source reaches AWS.
	Access Access `json:"access,omitzero"`
	// Pending are the sources that have to be built: those of Facts.Sources, or the name of the image
	// if that lists none. Reason says why, in one line. Forced is true if the template asks for it.
	Pending []string `json:"pending"`
	Reason  string   `json:"reason"`
	Forced  bool     `json:"forced,omitzero"`
	// DecidedAt is when that was decided, by the clock of the registry.
	DecidedAt time.Time `json:"decided_at"`
	// Known are the Packer runs that the manifest had by then.
	Known []string `json:"known,omitempty"`
	// Regions are those in which the AMI must exist. Empty: the region of the session.
	Regions []string          `json:"regions,omitempty"`
	Tags    map[string]string `json:"tags"`
	// Entries are what exists of the image: those of each source that is not pending.
	Entries []manifest.Entry `json:"entries,omitempty"`
	// LocalManifest is the file from which the next run publishes what this one could not.
	LocalManifest string `json:"local_manifest,omitzero"`
	// Unpublished is true if entries are only in a local manifest, and still to be published.
	Unpublished bool `json:"unpublished,omitzero"`
	// Unmarked is true if AMIs of the entries lack the tag that names their manifest.
	Unmarked bool `json:"unmarked,omitzero"`
	// Abandoned are AMIs with this fingerprint that were never published.
	Abandoned []string `json:"abandoned,omitempty"`
	// Warnings are what the user should know about the template and its files, each on one line.
	Warnings []string `json:"warnings,omitempty"`
	// DefaultBranches are those that may move channels if the template names none. NotOnBranch says
	// why the run belongs to no branch.
	DefaultBranches []string `json:"default_branches,omitempty"`
	NotOnBranch     string   `json:"not_on_branch,omitzero"`
	// Checkout is what the image is built from; nil in a record of data "chain".
	Checkout *Checkout `json:"checkout,omitempty"`
	// Pointer is what data "chain" read the image from; nil in a record of data "chain-image".
	Pointer *Pointer `json:"pointer,omitempty"`
}

// Access are the AWS options that a data source was given. What it found in the environment is not
// among them.
type Access struct {
	// Options are by their names in HCL.
	Options map[string]any `json:"options,omitempty"`
	// Withheld are the names of those that are secret, and so not in Options.
	Withheld []string `json:"withheld,omitempty"`
}

// IsZero reports whether no option was given.
func (a Access) IsZero() bool { return len(a.Options)+len(a.Withheld) == 0 }

// Checkout is what git knew of the image's files when the run decided. They must still be the same
// when the image is published.
type Checkout struct {
	// Paths are absolute: the image's folder, then its extra paths. Content are their object ids.
	Paths   []string `json:"paths"`
	Content []string `json:"content"`
	// DirtyHash stands for content that no object id names.
	DirtyHash string `json:"dirty_hash,omitzero"`
	// Untracked are files that git did not know. They were part of the image then.
	Untracked []string `json:"untracked,omitempty"`
	// NoGit is true if the files are in no checkout. Then each new file counts.
	NoGit bool `json:"no_git,omitzero"`
}

// Pointer is what a promotion or a rollback moves a channel to: exactly the AMIs that a pointer
// pinned, with the position, the origin and the line of the run that had moved it there.
type Pointer struct {
	registry.Target
	// Channel and Seq are those of the channel, if it was found by one.
	Channel string `json:"channel,omitzero"`
	Seq     int64  `json:"seq,omitzero"`
	// Back is true if it is where the channel was before.
	Back bool `json:"back,omitzero"`
	// Others are AMIs of other builds with the same fingerprint, if nothing says which one is meant.
	Others []string `json:"others,omitempty"`
	// Owners are the accounts that the AMIs may belong to. They are checked again before a channel
	// is moved, in every region.
	Owners []string `json:"owners,omitempty"`
	// AllowDeprecated and AllowRevoked accept AMIs that are deprecated or revoked.
	AllowDeprecated bool `json:"allow_deprecated,omitzero"`
	AllowRevoked    bool `json:"allow_revoked,omitzero"`
}

// Artifact returns the image that exists, as the artifact of a build.
func (r Record) Artifact() *artifact.Existing {
	return artifact.NewExisting(r.Image, r.Fingerprint, r.Entries, r.Folders()...)
}

// Folders returns the folder of the template, if it is known.
func (r Record) Folders() []string {
	if r.Checkout == nil || len(r.Checkout.Paths) == 0 {
		return nil
	}
	return r.Checkout.Paths[:1:1]
}

// Source is the word for the one source of an image that lists none.
func (r Record) Source(name string) string {
	if len(r.Sources) == 0 {
		return r.Image
	}
	return name
}

// IsPending reports whether a source has to be built.
func (r Record) IsPending(source string) bool {
	return slices.Contains(r.Pending, r.Source(source))
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
		return r, fmt.Errorf("record is not one of data \"chain-image\" or \"chain\": %w"+remedy, err)
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
	if err := plainly(manifest.Decode([]byte(text), r)); err != nil {
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
	return r.checkPointer()
}

// checkPointer refuses a record to promote that says two things. It may come from a file.
func (r *Record) checkPointer() error {
	if r.Pointer == nil {
		return nil
	}
	if err := r.Pointer.Check(); err != nil {
		return fmt.Errorf("pointer: %w", err)
	}
	entries := registry.TargetOf(r.Fingerprint, r.Entries)
	if len(r.Pending) > 0 || r.Unpublished || r.Unmarked || !r.Pointer.Same(entries) {
		return errors.New("its builds are not those that it points at")
	}
	return nil
}

// Parent is the ref of a parent: what the manifest keeps of it, and the checkout that it was found
// in by its path, if it was.
type Parent struct {
	manifest.Parent
	Root string `json:"root,omitzero"`
}

// EncodeParent returns the text of a parent's ref.
func EncodeParent(p Parent) (string, error) {
	body, err := manifest.Encode(p)
	if err != nil {
		return "", fmt.Errorf("encode ref of parent %s: %w", p.Image, err)
	}
	return string(body), nil
}

// DecodeParent reads one element of the option "parents".
func DecodeParent(text string) (Parent, error) {
	var p Parent
	if text == option.Unknown {
		return p, errors.New("is not known" + parentRemedy)
	}
	if err := decodeParent(text, &p); err != nil {
		return p, fmt.Errorf("is not the ref of a data \"chain\": %w"+parentRemedy, err)
	}
	return p, nil
}

const parentRemedy = "\n\nSet parents = [data.chain.NAME.ref]."

func decodeParent(text string, p *Parent) error {
	if err := plainly(manifest.Decode([]byte(text), p)); err != nil {
		return err
	}
	if err := manifest.CheckImage(p.Image); err != nil {
		return fmt.Errorf("image %w", err)
	}
	if p.Identity == "" {
		return errors.New("identity is missing")
	}
	return nil
}

// plainly returns an error of a text that is no document of the registry: it is not damaged, it is
// something else.
func plainly(err error) error {
	if err == nil {
		return nil
	}
	return errors.New(strings.TrimPrefix(err.Error(), manifest.ErrCorrupt.Error()+": "))
}
