// SPDX-License-Identifier: MPL-2.0

package registry

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
)

// maxMoves is how many moves a ref remembers, for rollback.
const maxMoves = 100

// Ref is a named pointer to one build of an image.
type Ref struct {
	Schema int    `json:"schema"`
	Image  string `json:"image"`
	Name   string `json:"name"`
	// Seq counts the writes of the ref, from 1 and without gaps; WriteID is new in every write.
	Seq     int64  `json:"seq"`
	WriteID string `json:"write_id"`
	Target
	MovedAt time.Time `json:"moved_at"`
	MovedBy string    `json:"moved_by,omitempty"`
	// Moves are the newest moves of the ref, newest first, this one included: see [Ref.History]. Nobody
	// changes a move, so it is written back as it was read, and hardly anybody asks what it says.
	Moves []json.RawMessage `json:"moves"`

	extra map[string]json.RawMessage
}

type plainRef Ref

// UnmarshalJSON keeps fields that this version does not know.
func (r *Ref) UnmarshalJSON(data []byte) error {
	return manifest.DecodeKeeping(data, (*plainRef)(r), &r.extra)
}

// MarshalJSON writes unknown fields back, after the known ones.
func (r Ref) MarshalJSON() ([]byte, error) { return manifest.EncodeKeeping(plainRef(r), r.extra) }

// Target is what a ref points at, and the commit on whose behalf.
type Target struct {
	Fingerprint string `json:"fingerprint"`
	// AMIs is the AMI map of the manifest, so that the AMIs can be checked while it is read.
	AMIs           map[string]string `json:"amis"`
	ManifestSeq    int64             `json:"manifest_seq"`
	ManifestSHA256 string            `json:"manifest_sha256"`
	Commit         string            `json:"commit,omitempty"`
	CommitTime     time.Time         `json:"commit_time,omitzero"`
}

// Of is the target with what the manifest of its build says.
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
	Commit      string    `json:"commit,omitempty"`
	MovedAt     time.Time `json:"moved_at"`
	MovedBy     string    `json:"moved_by,omitempty"`
	WriteID     string    `json:"write_id"`
}

// History is what the moves say, newest first. One that cannot be read is empty.
func (r *Ref) History() []Move {
	moves := make([]Move, len(r.Moves))
	for i, raw := range r.Moves {
		if json.Unmarshal(raw, &moves[i]) != nil {
			moves[i] = Move{}
		}
	}
	return moves
}

func parseRef(body []byte, image, name string) (*Ref, error) {
	var head struct {
		Schema json.Number `json:"schema"`
	}
	var ref Ref
	supported := func() error { return manifest.CheckSchema(head.Schema) }
	if err := manifest.DecodeChecked(body, &head, supported, &ref); err != nil {
		return nil, err
	}
	if ref.Image != image || ref.Name != name {
		return nil, fmt.Errorf("%w: it is ref %.60q of image %.60q", manifest.ErrCorrupt, ref.Name, ref.Image)
	}
	if err := manifest.CheckFingerprint(ref.Fingerprint); err != nil {
		return nil, fmt.Errorf("%w: fingerprint %w", manifest.ErrCorrupt, err)
	}
	if err := manifest.CheckWrite(ref.Seq, ref.WriteID); err != nil {
		return nil, fmt.Errorf("%w: %w", manifest.ErrCorrupt, err)
	}
	return &ref, nil
}

// GitRef is the ref of the image that was built last from the files that gitName names.
func GitRef(gitName string) string { return "git-" + gitName }

// CommitRef is the ref of the image as the run of a commit left it: built, or found unchanged. It tells
// apart what [GitRef] cannot: other parents, inputs and extra files of the same folder.
func CommitRef(commit string) string { return "commit-" + commit }

// Rule says when a ref may move.
type Rule int

const (
	// Always is the rule of the refs that are named for a git object or a commit.
	Always Rule = iota
	// NotBack is the rule of channels: a commit does not take back what a newer one set. Of two commits of
	// the same second, the one that moved the ref first is the older.
	NotBack
)

// Moved is what became of a move.
type Moved struct {
	// Moved is true when the ref was written.
	Moved bool
	// Stays is true when a newer commit keeps the ref on another build, whose fingerprint is On.
	Stays bool
	On    string
	// WriteID and Seq are those of the ref as the move wrote it; Before what it pointed at, nil for a new ref.
	WriteID string
	Seq     int64
	Before  *Target
}

// next decides what a move makes of a ref; r is nil where there is none yet. It answers nil when
// nothing is to be written.
func (r *Ref) next(to Target, rule Rule, move Move) (*Ref, Moved) {
	if r == nil {
		r = &Ref{}
	}
	if r.Seq > 0 && rule == NotBack && r.isAhead(to) {
		return nil, Moved{Stays: r.Fingerprint != to.Fingerprint, On: r.Fingerprint}
	}
	if r.points(to, rule) {
		return nil, Moved{On: r.Fingerprint}
	}
	result := Moved{Moved: true, On: to.Fingerprint, WriteID: move.WriteID, Seq: r.Seq + 1}
	if r.Seq > 0 {
		before := r.Target
		result.Before = &before
	}
	return r.pointAt(to, move), result
}

// isAhead tells whether the ref is on a newer commit than that of the target.
func (r *Ref) isAhead(to Target) bool {
	switch {
	case to.CommitTime.IsZero():
		return false
	case to.CommitTime.Equal(r.CommitTime):
		return r.firstMove(to.Commit) > r.firstMove(r.Commit)
	}
	return to.CommitTime.Before(r.CommitTime)
}

// firstMove is how many moves ago a commit moved the ref for the first time; -1 where it is not known to
// have done so.
func (r *Ref) firstMove(commit string) int {
	for ago, move := range slices.Backward(r.History()) {
		if move.Commit == commit {
			return ago
		}
	}
	return -1
}

// newest is the target with the newest that is known of the build, where the ref was moved for a newer
// manifest of it: another run published after this one, and moved the ref before it. The manifest says most,
// also where an older one was put back; where it cannot be read now, the ref does.
func (r *Registry) newest(ctx context.Context, ref *Ref, to Target) Target {
	if ref == nil || ref.Fingerprint != to.Fingerprint || ref.ManifestSeq <= to.ManifestSeq {
		return to
	}
	if stored, err := r.Manifest(ctx, ref.Image, ref.Fingerprint); err == nil {
		return to.Of(stored)
	}
	to.AMIs, to.ManifestSeq, to.ManifestSHA256 = ref.AMIs, ref.ManifestSeq, ref.ManifestSHA256
	return to
}

// pointAt points the ref at a target, whatever the rule.
func (r *Ref) pointAt(to Target, move Move) *Ref {
	out := *r
	out.Schema, out.Seq, out.WriteID, out.Target = manifest.Schema, r.Seq+1, move.WriteID, to
	out.MovedAt, out.MovedBy = move.MovedAt, move.MovedBy
	newest, _ := json.Marshal(move) // it is made of texts and a time of ours
	out.Moves = append([]json.RawMessage{newest}, r.Moves...)
	out.Moves = out.Moves[:min(len(out.Moves), maxMoves)]
	return &out
}

// hasMove tells whether one of the newest moves is the one with that write id, and with which seq.
func (r *Ref) hasMove(writeID string) (seq int64, found bool) {
	if r == nil {
		return 0, false
	}
	for age, raw := range r.Moves {
		var move Move
		if bytes.Contains(raw, []byte(writeID)) && json.Unmarshal(raw, &move) == nil && move.WriteID == writeID {
			return r.Seq - int64(age), true
		}
	}
	return 0, false
}

// points tells whether the ref says all that the target says. For a channel the commit counts: it is
// what the next move is compared with.
func (r *Ref) points(to Target, rule Rule) bool {
	same := r.Fingerprint == to.Fingerprint && r.ManifestSHA256 == to.ManifestSHA256
	return same && (rule == Always || (r.Commit == to.Commit && r.CommitTime.Equal(to.CommitTime)))
}
