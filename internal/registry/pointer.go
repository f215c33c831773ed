// SPDX-License-Identifier: MPL-2.0

package registry

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
)

// maxMoves is how many moves a pointer remembers.
const maxMoves = 100

// Kind is what a pointer is for.
type Kind string

const (
	// Channel is a pointer that people move, such as "production".
	Channel Kind = "channel"
	// Line is what the runs of one branch, pull request or tag left.
	Line Kind = "line"
)

// Name is the name of a pointer of an image.
type Name struct {
	Kind Kind
	Name string
}

func (n Name) String() string { return string(n.Kind) + " " + n.Name }

// Key returns the key of a pointer in the store.
func (n Name) Key(image string) string {
	return image + "/" + string(n.Kind) + "s/" + n.Name + ".json"
}

// Pointer is a channel or a line: a name for the AMIs of one image, with its history.
type Pointer struct {
	Schema int    `json:"schema"`
	Image  string `json:"image"`
	Kind   Kind   `json:"kind"`
	Name   string `json:"name"`
	// Seq counts the writes of the pointer, from 1 and without gaps. WriteID is new in every write.
	Seq     int64  `json:"seq"`
	WriteID string `json:"write_id"`
	// Fingerprint and AMIs are those of the newest move, for readers that need nothing else.
	Fingerprint string            `json:"fingerprint"`
	AMIs        map[string]string `json:"amis"`
	// ManifestSeq and ManifestSHA256 are those of the manifest when the pointer was written.
	ManifestSeq    int64  `json:"manifest_seq"`
	ManifestSHA256 string `json:"manifest_sha256"`
	// Ancestors are the images below what the pointer points at.
	Ancestors []manifest.Ancestor `json:"ancestors"`
	// Mark is the newest position that moved the pointer forward. No rollback lowers it.
	Mark Position `json:"mark"`
	// Held is what rollbacks left. The pointer does not go back there by itself.
	Held []Held `json:"held,omitempty"`
	// Moves are the last moves, newest first. The first is where the pointer is.
	Moves []Move `json:"moves"`

	Unknown jsontext.Value `json:",embed"`
}

// Target is what a pointer points at: exact AMIs, and where they come from.
type Target struct {
	Fingerprint string `json:"fingerprint"`
	// Builds are the runs that made the image, one for each of its sources.
	Builds []Build `json:"builds"`
	Position
	// Content is [manifest.Git.Content] as the run found it.
	Content map[string]string `json:"content,omitempty"`
	// GitSHA is the object id of the image's folder, [manifest.Git.Name].
	GitSHA string `json:"git_sha,omitzero"`
	// Origin is [manifest.Git.Origin], and Line that of the run.
	Origin string        `json:"origin,omitzero"`
	Line   manifest.Line `json:"line,omitzero"`
}

// Build is what one run of one source made.
type Build struct {
	Source string `json:"source"`
	Run    string `json:"packer_run_uuid"`
	// AMIs maps region to AMI. ArtifactID names what is not an AMI.
	AMIs       map[string]string `json:"amis,omitempty"`
	ArtifactID string            `json:"artifact_id,omitzero"`
	// Architecture is that of the AMIs, in EC2's words.
	Architecture string `json:"architecture,omitzero"`
}

// Position is where a run stands in the history of its image.
type Position struct {
	Commit string `json:"commit,omitzero"`
	// CommitTime is the committer's time of Commit, but never later than the store's clock when the
	// pointer first saw the commit.
	CommitTime time.Time `json:"commit_time,omitzero"`
	// DecidedAt is when the run decided what to do, by the store's clock.
	DecidedAt time.Time `json:"decided_at"`
}

// MoveKind distinguishes moves that follow the order of commits from those that go back.
type MoveKind string

// The kinds of moves.
const (
	Forward  MoveKind = "forward"
	Rollback MoveKind = "rollback"
)

// Move is one entry of a pointer's history.
type Move struct {
	Kind MoveKind `json:"kind"`
	Target
	manifest.Change
	// Parameters are those that were to follow the pointer, as "region:name", sorted. Another template
	// may move it next, and not know them.
	Parameters []string `json:"parameters,omitempty"`
	WriteID    string   `json:"write_id"`

	Unknown jsontext.Value `json:",embed"`
}

// Held is what a rollback left, in the widest sense in which it differs from what it went to: its
// content, else its fingerprint, else its AMIs.
type Held struct {
	Content     map[string]string `json:"content,omitempty"`
	Fingerprint string            `json:"fingerprint,omitzero"`
	Builds      []Build           `json:"builds,omitempty"`
}

// Current returns where the pointer is.
func (p *Pointer) Current() Target { return p.Moves[0].Target }

// ID returns the name of the pointer.
func (p *Pointer) ID() Name { return Name{p.Kind, p.Name} }

// TargetOf returns the target that entries of a manifest make up.
func TargetOf(fingerprint string, entries []manifest.Entry) Target {
	to := Target{Fingerprint: fingerprint}
	for _, entry := range entries {
		build := Build{Source: entry.Source(), Run: entry.PackerRunUUID}
		for _, image := range entry.AMIs() {
			if build.AMIs == nil {
				build.AMIs = map[string]string{}
			}
			build.AMIs[image.Region] = image.ID
			build.Architecture = cmp.Or(build.Architecture, image.Architecture)
		}
		if build.AMIs == nil {
			build.ArtifactID = entry.ArtifactID
		}
		to.Builds = append(to.Builds, build)
	}
	slices.SortFunc(to.Builds, func(a, b Build) int { return strings.Compare(a.Source, b.Source) })
	return to
}

// Has reports whether an entry of a manifest is one of the target's builds.
func (t Target) Has(entry manifest.Entry) bool {
	return slices.ContainsFunc(t.Builds, func(b Build) bool {
		return b.same(TargetOf("", []manifest.Entry{entry}).Builds[0])
	})
}

// Entries returns the entries of a manifest that the target pins. It reports false if the manifest
// lacks one of them.
func (t Target) Entries(m *manifest.Manifest) (pinned []manifest.Entry, complete bool) {
	for _, entry := range m.Builds {
		if t.Has(entry) {
			pinned = append(pinned, entry)
		}
	}
	slices.SortStableFunc(pinned, func(a, b manifest.Entry) int {
		return strings.Compare(a.Source(), b.Source())
	})
	return pinned, len(pinned) == len(t.Builds)
}

// AMIs maps region to AMI, or region/source to AMI, as [manifest.AMIMap].
func (t Target) AMIs() map[string]string {
	var entries []manifest.Entry
	for _, build := range t.Builds {
		builder, name, _ := strings.Cut(build.Source, ".")
		entry := manifest.Entry{BuilderType: builder, Name: name}
		for region, id := range build.AMIs {
			entry.Images = append(entry.Images,
				manifest.Image{Provider: manifest.ProviderAWS, Region: region, ID: id})
		}
		entries = append(entries, entry)
	}
	return manifest.AMIMap(entries)
}

func (b Build) same(other Build) bool {
	return b.Source == other.Source && b.Run == other.Run && b.ArtifactID == other.ArtifactID &&
		maps.Equal(b.AMIs, other.AMIs)
}

// Same reports whether two targets are the same AMIs.
func (t Target) Same(other Target) bool {
	return t.Fingerprint == other.Fingerprint && slices.EqualFunc(t.Builds, other.Builds, Build.same)
}

// Architectures returns those of the AMIs, sorted.
func (t Target) Architectures() []string {
	var all []string
	for _, build := range t.Builds {
		if build.Architecture != "" {
			all = append(all, build.Architecture)
		}
	}
	return slices.Compact(slices.Sorted(slices.Values(all)))
}

// Is reports whether a target is an image as another was built on it: the same AMIs in the regions
// that are named, or if it is no AMI, the same fingerprint. A key of amis is "region" or
// "region/source".
func (t Target) Is(fingerprint string, amis map[string]string) bool {
	if len(amis) == 0 {
		return t.Fingerprint == fingerprint
	}
	for key, id := range amis {
		region, _, _ := strings.Cut(key, "/")
		is := func(b Build) bool { return b.AMIs[region] == id }
		if !slices.ContainsFunc(t.Builds, is) {
			return false
		}
	}
	return true
}

// Overlaps reports whether two targets have a build in common.
func (t Target) Overlaps(other Target) bool {
	return slices.ContainsFunc(t.Builds, func(a Build) bool {
		return slices.ContainsFunc(other.Builds, a.same)
	})
}

// Check returns what is wrong with a target. It comes from a document that others can write.
func (t Target) Check() error {
	if err := manifest.CheckFingerprint(t.Fingerprint); err != nil {
		return fmt.Errorf("fingerprint %w", err)
	}
	if len(t.Builds) == 0 {
		return errors.New("it names no builds")
	}
	for _, build := range t.Builds {
		// The artifacts of some builders have no id.
		if len(build.AMIs) == 0 && build.ArtifactID == "" && build.Run == "" {
			return fmt.Errorf("build %.60q has neither AMIs nor an artifact nor a run", build.Source)
		}
		for region, id := range build.AMIs {
			if !manifest.IsRegion(region) || !manifest.IsAMI(id) {
				return fmt.Errorf("build %.60q: %.60q in %.60q is not an AMI", build.Source, id, region)
			}
		}
	}
	if t.Commit != "" && !manifest.IsGitSHA(t.Commit) {
		return fmt.Errorf("commit %.60q is not a git object id", t.Commit)
	}
	return nil
}

// pointer reads a pointer from its document.
func (r *Registry) pointer(body []byte, image string, name Name) (*Pointer, error) {
	p, err := parsePointer(body, image, name)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", r.PointerURI(image, name), err)
	}
	return p, nil
}

func parsePointer(body []byte, image string, name Name) (*Pointer, error) {
	var head struct {
		Schema jsontext.Value `json:"schema"`
	}
	if err := manifest.Decode(body, &head); err != nil {
		return nil, err
	}
	if err := manifest.CheckSchema(head.Schema); err != nil {
		return nil, err
	}
	var p Pointer
	if err := manifest.Decode(body, &p); err != nil {
		return nil, err
	}
	if err := p.check(image, name); err != nil {
		return nil, fmt.Errorf("%w: %w", manifest.ErrCorrupt, err)
	}
	return &p, nil
}

// check returns what is wrong with a pointer that was read as that of an image.
func (p *Pointer) check(image string, name Name) error {
	if p.Image != image || p.ID() != name {
		return fmt.Errorf("it is %.20q %.60q of image %.60q", p.Kind, p.Name, p.Image)
	}
	if err := manifest.CheckWrite(p.Seq, p.WriteID); err != nil {
		return err
	}
	if len(p.Moves) == 0 {
		return errors.New("it has no moves")
	}
	for i, move := range p.Moves {
		if err := move.Check(); err != nil {
			return fmt.Errorf("moves[%d]: %w", i, err)
		}
	}
	if p.Mark.Commit != "" && !manifest.IsGitSHA(p.Mark.Commit) {
		return fmt.Errorf("mark.commit %.60q is not a git object id", p.Mark.Commit)
	}
	// Readers with other tools believe these two, so they must not say anything else.
	now := p.Current()
	if p.Fingerprint != now.Fingerprint || !maps.Equal(p.AMIs, now.AMIs()) {
		return errors.New("fingerprint or amis differ from those of the newest move")
	}
	return nil
}

// encodePointer returns the body of a pointer. It drops the oldest moves if it would be too large,
// and refuses a pointer that could not be read again.
func (r *Registry) encodePointer(p *Pointer) ([]byte, error) {
	body, err := manifest.Encode(p)
	for errors.Is(err, manifest.ErrTooLarge) && len(p.Moves) > 1 {
		p.Moves = p.Moves[:len(p.Moves)/2]
		body, err = manifest.Encode(p)
	}
	if err == nil {
		_, err = parsePointer(body, p.Image, p.ID())
	}
	if err != nil {
		return nil, fmt.Errorf(
			"write %s: it would be unreadable: %w", r.PointerURI(p.Image, p.ID()), err)
	}
	return body, nil
}
