// SPDX-License-Identifier: MPL-2.0

package registry

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
	"github.com/packer-chain/packer-plugin-chain/internal/store"
)

// maxMoves is how many moves a ref remembers, for rollback.
const maxMoves = 100

// Ref is a named pointer to one build of an image.
type Ref struct {
	Schema int    `json:"schema"`
	Image  string `json:"image"`
	Name   string `json:"name"`
	// Seq counts the writes of the ref, from 1 and without gaps. WriteID is new in every write.
	Seq     int64  `json:"seq"`
	WriteID string `json:"write_id"`
	Target
	MovedAt time.Time `json:"moved_at"`
	MovedBy string    `json:"moved_by,omitzero"`
	// Moves are the last moves of the ref, newest first, this one included.
	Moves []Move `json:"moves"`

	Unknown jsontext.Value `json:",embed"`
}

// Target is what a ref points at, and for which commit.
type Target struct {
	Fingerprint string `json:"fingerprint"`
	// AMIs is the AMI map of the manifest, so that the AMIs can be looked up while it is read.
	AMIs           map[string]string `json:"amis"`
	ManifestSeq    int64             `json:"manifest_seq"`
	ManifestSHA256 string            `json:"manifest_sha256"`
	Commit         string            `json:"commit,omitzero"`
	CommitTime     time.Time         `json:"commit_time,omitzero"`
}

// Of returns the target with the details of the stored manifest of its build.
func (t Target) Of(stored Stored) Target {
	m := stored.Manifest
	t.AMIs, t.ManifestSeq, t.ManifestSHA256 = m.Chain.AMIs, m.Chain.Seq, stored.SHA256
	if t.AMIs == nil {
		t.AMIs = manifest.AMIMap(m.Current())
	}
	return t
}

// Move is one entry of a ref's history.
type Move struct {
	Fingerprint string    `json:"fingerprint"`
	Commit      string    `json:"commit,omitzero"`
	MovedAt     time.Time `json:"moved_at"`
	MovedBy     string    `json:"moved_by,omitzero"`
	WriteID     string    `json:"write_id"`

	Unknown jsontext.Value `json:",embed"`
}

// ref reads a ref from its document.
func (r *Registry) ref(body []byte, image, name string) (*Ref, error) {
	ref, err := parseRef(body, image, name)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", r.RefURI(image, name), err)
	}
	return ref, nil
}

func parseRef(body []byte, image, name string) (*Ref, error) {
	var head struct {
		Schema jsontext.Value `json:"schema"`
	}
	if err := manifest.Decode(body, &head); err != nil {
		return nil, err
	}
	if err := manifest.CheckSchema(head.Schema); err != nil {
		return nil, err
	}
	var ref Ref
	if err := manifest.Decode(body, &ref); err != nil {
		return nil, err
	}
	if ref.Image != image || ref.Name != name {
		return nil, fmt.Errorf(
			"%w: it is ref %.60q of image %.60q", manifest.ErrCorrupt, ref.Name, ref.Image)
	}
	if err := manifest.CheckFingerprint(ref.Fingerprint); err != nil {
		return nil, fmt.Errorf("%w: fingerprint %w", manifest.ErrCorrupt, err)
	}
	if err := manifest.CheckWrite(ref.Seq, ref.WriteID); err != nil {
		return nil, fmt.Errorf("%w: %w", manifest.ErrCorrupt, err)
	}
	return &ref, nil
}

// GitRef returns the name of the ref to the last image that was built from the files that gitName
// names.
func GitRef(gitName string) string { return "git-" + gitName }

// CommitRef returns the name of the ref to the image as the run of a commit left it, built or found
// unchanged. Unlike [GitRef], it distinguishes images whose folders are equal, but whose parents,
// inputs or extra files differ.
func CommitRef(commit string) string { return "commit-" + commit }

// Rule decides when a ref may move.
type Rule int

const (
	// Always is the rule of refs named for a git object or a commit.
	Always Rule = iota
	// NotBack is the rule of channels: an older commit does not move one back. Of two commits in
	// the same second, the one that moved the ref first is older.
	NotBack
)

// Moved is the result of a move.
type Moved struct {
	// Written is true if the ref was written, as its version Seq.
	Written bool
	Seq     int64
	// Kept is true if a newer commit keeps the ref on another build. On is the fingerprint of the
	// build that the ref points at.
	Kept bool
	On   string
}

// Move points a ref of an image at a build, if the rule allows it. It retries until ctx ends.
func (r *Registry) Move(
	ctx context.Context, image, name string, to Target, rule Rule, by string, early Early,
) (Moved, error) {
	move := Move{
		Fingerprint: to.Fingerprint, Commit: to.Commit,
		MovedAt: r.now(), MovedBy: by, WriteID: r.newID(),
	}
	// outdated is the seq of a manifest that the ref points at and that is known to be gone.
	outdated := int64(0)
	for {
		moved, err := r.move(ctx, &Ref{Image: image, Name: name}, to, outdated, rule, move, early)
		var newer *newerError
		if !errors.As(err, &newer) {
			return moved, err
		}
		// Either another run published later and moved the ref first: its manifest is the target now.
		// Or somebody put an older manifest back: a ref that stayed ahead of it would be corrupt.
		stored, err := r.Manifest(ctx, image, to.Fingerprint)
		if err != nil {
			return Moved{}, err
		}
		to, outdated, early = to.Of(stored), newer.seq, nil
	}
}

// newerError means that a ref points at a newer manifest of the same build, with that seq.
type newerError struct{ seq int64 }

func (e *newerError) Error() string {
	return fmt.Sprintf("the ref points at a newer manifest, seq %d", e.seq)
}

// move is one attempt of Move. empty is the ref if it does not exist yet.
func (r *Registry) move(
	ctx context.Context, empty *Ref, to Target, outdated int64, rule Rule, move Move, early Early,
) (moved Moved, err error) {
	edit := func(current []byte) ([]byte, error) {
		old := empty
		if current != nil {
			var err error
			if old, err = r.ref(current, empty.Image, empty.Name); err != nil {
				return nil, err
			}
		}
		if seq := old.seqOf(move.WriteID); seq > 0 {
			moved.Seq = seq
			return nil, store.ErrUnchanged // Our write landed, but its response was lost.
		}
		if old.Fingerprint == to.Fingerprint && old.ManifestSeq > max(to.ManifestSeq, outdated) {
			return nil, &newerError{old.ManifestSeq}
		}
		if moved = old.decide(to, rule); !moved.Written {
			return nil, store.ErrUnchanged
		}
		return r.encodeRef(old.pointAt(to, move))
	}
	_, err = r.update(ctx, RefKey(empty.Image, empty.Name), early, edit)
	return moved, err
}

// decide returns what a move to a target does to the ref.
func (r *Ref) decide(to Target, rule Rule) Moved {
	if r.Seq > 0 && rule == NotBack && r.isAhead(to) {
		return Moved{Kept: r.Fingerprint != to.Fingerprint, On: r.Fingerprint}
	}
	if r.points(to, rule) {
		return Moved{On: to.Fingerprint}
	}
	return Moved{Written: true, Seq: r.Seq + 1, On: to.Fingerprint}
}

// isAhead reports whether the ref is on a newer commit than that of the target.
func (r *Ref) isAhead(to Target) bool {
	switch {
	case to.CommitTime.IsZero():
		return false
	case to.CommitTime.Equal(r.CommitTime):
		return r.firstMove(to.Commit) > r.firstMove(r.Commit)
	}
	return to.CommitTime.Before(r.CommitTime)
}

// firstMove returns how many moves ago a commit first moved the ref, or -1 if no such move is
// known.
func (r *Ref) firstMove(commit string) int {
	for ago, move := range slices.Backward(r.Moves) {
		if move.Commit == commit {
			return ago
		}
	}
	return -1
}

// points reports whether the ref already points at the target. For a channel the commit counts too,
// because the next move is compared with it.
func (r *Ref) points(to Target, rule Rule) bool {
	same := r.Fingerprint == to.Fingerprint && r.ManifestSHA256 == to.ManifestSHA256
	return same && (rule == Always || (r.Commit == to.Commit && r.CommitTime.Equal(to.CommitTime)))
}

// pointAt returns the ref after a move.
func (r *Ref) pointAt(to Target, move Move) *Ref {
	out := *r
	out.Schema, out.Seq, out.WriteID, out.Target = manifest.Schema, r.Seq+1, move.WriteID, to
	out.MovedAt, out.MovedBy = move.MovedAt, move.MovedBy
	out.Moves = append([]Move{move}, r.Moves...)
	out.Moves = out.Moves[:min(len(out.Moves), maxMoves)]
	return &out
}

// seqOf returns the seq of the move with that write id, or 0 if there is none.
func (r *Ref) seqOf(writeID string) int64 {
	age := slices.IndexFunc(r.Moves, func(move Move) bool { return move.WriteID == writeID })
	if age < 0 {
		return 0
	}
	return r.Seq - int64(age)
}

// encodeRef returns the body of a ref. It refuses one that could not be read again.
func (r *Registry) encodeRef(ref *Ref) ([]byte, error) {
	body, err := manifest.Encode(ref)
	if err == nil {
		_, err = parseRef(body, ref.Image, ref.Name)
	}
	if err != nil {
		return nil, fmt.Errorf(
			"write %s: it would be unreadable: %w", r.RefURI(ref.Image, ref.Name), err)
	}
	return body, nil
}
