// SPDX-License-Identifier: MPL-2.0

package registry

import (
	"maps"
	"slices"
	"time"

	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
)

// Request is a move that a run asks for.
type Request struct {
	Image string
	Name  Name
	To    Target
	// Stored is the manifest of the target.
	Stored Stored
	// AllowRollback moves a channel to an older commit, or to what a rollback left.
	AllowRollback bool
	// TakeOver is an origin that the channel may be taken over from.
	TakeOver string
	// ReadSeq, if set, is the seq of the channel that the request relies on.
	ReadSeq int64
	// Parameters are those that follow the pointer, as in [Move].
	Parameters []string
	// Change says who moves and why, for the history. The time is filled in.
	Change manifest.Change
	// Ancestor reports whether a commit is known to be an ancestor of another. Nil: never.
	Ancestor func(older, newer string) bool
}

// Outcome is what became of a request.
type Outcome int

const (
	// Moved means that the pointer was on something else.
	Moved Outcome = iota
	// Created means that the pointer did not exist.
	Created
	// There means that the pointer is where it should be.
	There
	// Older means that a newer commit, or a later run, has moved the channel.
	Older
	// HeldBack means that a rollback left what the request wants to move to.
	HeldBack
	// Foreign means that another origin has moved the channel.
	Foreign
	// Mixed means that the channel was moved with commits and the request has none, or the reverse.
	Mixed
	// Changed means that the channel is not as the request has read it.
	Changed
)

// IsThere reports whether the pointer is where the request wants it.
func (o Outcome) IsThere() bool { return o <= There }

// Result is the outcome of a request, and what the pointer was before, nil if it did not exist.
type Result struct {
	Outcome Outcome
	// Kind is that of the move, if there was one.
	Kind   MoveKind
	Before *Pointer
	// Seq is that of the pointer now.
	Seq int64
}

// decide returns the pointer as a request leaves it: nil if nothing has to be written. It does no
// I/O but to ask which commit is older.
func decide(p *Pointer, req Request, move Move) (*Pointer, Result) {
	if p == nil {
		next := &Pointer{Image: req.Image, Kind: req.Name.Kind, Name: req.Name.Name}
		move.Kind, move.Target = Forward, clamp(req.To, nil)
		return next.put(req, move, move.Position), Result{Outcome: Created, Kind: Forward, Seq: 1}
	}
	result := Result{Before: p, Seq: p.Seq}
	to := clamp(req.To, p.Moves)
	to.Origin = fuller(p.Current().Origin, to.Origin)
	if req.Name.Kind == Line {
		return p.follow(req, move, to, result)
	}
	age := p.age(to, req.Ancestor)
	switch held := p.holds(to); {
	case p.Current().Same(to):
		return p.renew(req, to, age, result)
	case req.ReadSeq > 0 && req.ReadSeq != p.Seq:
		result.Outcome = Changed
	case foreign(p.Current().Origin, to.Origin, req.TakeOver):
		result.Outcome = Foreign
	case req.AllowRollback:
		return p.goTo(req, move, to, age, result)
	case (to.Commit == "") != (p.Mark.Commit == ""):
		result.Outcome = Mixed
	case age < 0:
		result.Outcome = Older
	case held:
		result.Outcome = HeldBack
	default:
		return p.goTo(req, move, to, age, result)
	}
	return nil, result
}

// age compares a target with the newest run that has moved the channel, as [compare] does. The
// clock has whole seconds: of two runs that decided in the same second, the one whose image the
// channel was on first is older.
func (p *Pointer) age(to Target, ancestor func(older, newer string) bool) int {
	age := compare(to.Position, p.Mark, ancestor)
	last := slices.IndexFunc(p.Moves, func(m Move) bool { return m.Kind == Forward })
	if age != 0 || last < 0 || p.Moves[last].Same(to) {
		return age
	}
	if slices.ContainsFunc(p.Moves[last:], func(m Move) bool { return m.Same(to) }) {
		return -1
	}
	return 0
}

// follow moves a line, which goes wherever the newest run of it went.
func (p *Pointer) follow(req Request, move Move, to Target, result Result) (*Pointer, Result) {
	if p.Current().Same(to) {
		return p.renew(req, to, compare(to.Position, p.Current().Position, req.Ancestor), result)
	}
	move.Kind, move.Target = Forward, to
	result.Outcome, result.Kind, result.Seq = Moved, Forward, p.Seq+1
	return p.put(req, move, to.Position), result
}

// renew notes that a run has found the pointer where it should be. If that run is newer, its
// position counts from now on. It adds no move. A run of another origin counts for nothing.
func (p *Pointer) renew(req Request, to Target, age int, result Result) (*Pointer, Result) {
	result.Outcome = There
	current := p.Moves[0]
	parameters := union(current.Parameters, req.Parameters)
	known := to.Commit == current.Commit && maps.Equal(to.Content, current.Content) &&
		p.ManifestSHA256 == req.Stored.SHA256 && len(parameters) == len(current.Parameters)
	strange := req.Name.Kind == Channel && foreign(current.Origin, to.Origin, req.TakeOver)
	if age < 0 || known || strange || (to.Commit == "") != (current.Commit == "") {
		return nil, result
	}
	next := *p
	next.Moves = slices.Clone(p.Moves)
	next.Moves[0].Target, next.Moves[0].Parameters = to, parameters
	next.touch(req, to.Position)
	result.Seq = next.Seq
	return &next, result
}

// union returns the values of both lists, sorted.
func union(a, b []string) []string {
	return slices.Compact(slices.Sorted(slices.Values(slices.Concat(a, b))))
}

// goTo moves a channel. One that goes to an older commit is a rollback: it holds what it leaves.
func (p *Pointer) goTo(
	req Request, move Move, to Target, age int, result Result,
) (*Pointer, Result) {
	move.Kind, move.Target = Forward, to
	mark := to.Position
	if age < 0 {
		move.Kind, mark = Rollback, p.Mark
	}
	next := p.put(req, move, mark)
	next.Held = slices.DeleteFunc(slices.Clone(p.Held), func(h Held) bool { return h.covers(to) })
	if move.Kind == Rollback {
		next.Held = append([]Held{left(p.Current(), to)}, next.Held...)
		next.Held = next.Held[:min(len(next.Held), maxMoves)]
	}
	result.Outcome, result.Kind, result.Seq = Moved, move.Kind, next.Seq
	return next, result
}

// put returns the pointer after a move.
func (p *Pointer) put(req Request, move Move, mark Position) *Pointer {
	next := *p
	next.Moves = append([]Move{move}, p.Moves...)
	next.Moves = next.Moves[:min(len(next.Moves), maxMoves)]
	next.touch(req, mark)
	next.WriteID = move.WriteID
	return &next
}

// touch brings what describes the whole pointer up to date.
func (p *Pointer) touch(req Request, mark Position) {
	p.Seq++
	p.Mark = mark
	p.Fingerprint, p.AMIs = p.Current().Fingerprint, p.Current().AMIs()
	p.ManifestSeq, p.ManifestSHA256, p.Ancestors = 0, req.Stored.SHA256, nil
	if m := req.Stored.Manifest; m != nil {
		p.ManifestSeq, p.Ancestors = m.Chain.Seq, m.Chain.Ancestors
	}
}

// clamp returns the target with a commit's time that cannot be in the future: not later than the
// store's clock when one of the moves, or else this run, first saw the commit.
func clamp(to Target, moves []Move) Target {
	if to.Commit == "" {
		return to
	}
	first := func(a, b time.Time) time.Time {
		if !b.IsZero() && b.Before(a) {
			return b
		}
		return a
	}
	to.CommitTime = first(to.CommitTime, to.DecidedAt)
	for _, move := range moves {
		if move.Commit == to.Commit {
			to.CommitTime = first(to.CommitTime, move.CommitTime)
		}
	}
	return to
}

// compare returns -1 if a is older than b, 1 if it is newer, and 0 if neither is known. What the
// checkout knows of the history counts first, then the committers' times, then which run decided
// later.
func compare(a, b Position, ancestor func(older, newer string) bool) int {
	if a.Commit != b.Commit && a.Commit != "" && b.Commit != "" {
		switch {
		case ancestor != nil && ancestor(b.Commit, a.Commit):
			return 1
		case ancestor != nil && ancestor(a.Commit, b.Commit):
			return -1
		}
		if byTime := a.CommitTime.Compare(b.CommitTime); byTime != 0 {
			return byTime
		}
	}
	return a.DecidedAt.Compare(b.DecidedAt)
}

// holds reports whether a rollback left the target.
func (p *Pointer) holds(to Target) bool {
	return slices.ContainsFunc(p.Held, func(h Held) bool { return h.covers(to) })
}

func (h Held) covers(to Target) bool {
	switch {
	case len(h.Content) > 0:
		return maps.Equal(h.Content, to.Content)
	case h.Fingerprint != "":
		return h.Fingerprint == to.Fingerprint
	}
	return slices.EqualFunc(h.Builds, to.Builds, Build.same)
}

// left returns what a rollback from one target to another leaves.
func left(from, to Target) Held {
	switch {
	case len(from.Content) > 0 && !maps.Equal(from.Content, to.Content):
		return Held{Content: from.Content}
	case from.Fingerprint != to.Fingerprint:
		return Held{Fingerprint: from.Fingerprint}
	}
	return Held{Builds: from.Builds}
}

// newest returns the move that comes first in the order in which a reader prefers them.
func newest(moves []Move, wanted func(Move) bool) (Move, bool) {
	i := slices.IndexFunc(moves, wanted)
	if i < 0 {
		return Move{}, false
	}
	return moves[i], true
}

// OfCommit returns the newest move by a run of a commit.
func (p *Pointer) OfCommit(commit string) (Move, bool) {
	return newest(p.Moves, func(m Move) bool { return commit != "" && m.Commit == commit })
}

// OfContent returns the newest move to an image of the content that a checkout has. Every run moves
// its line: there, a repeated run of an older commit does not come before that of a newer one.
// ancestor is that of [Request].
func (p *Pointer) OfContent(
	folder string, have map[string]string, ancestor func(older, newer string) bool,
) (Move, bool) {
	best, found := newest(p.Moves, func(m Move) bool { return m.IsContent(folder, have) })
	for _, move := range p.Moves {
		if p.Kind == Line && move.IsContent(folder, have) &&
			compare(move.Position, best.Position, ancestor) > 0 {
			best = move
		}
	}
	return best, found
}

// IsContent reports whether the target is an image of a folder, and a checkout has all of its
// content: at each path the same object id.
func (t Target) IsContent(folder string, have map[string]string) bool {
	if _, named := t.Content[folder]; !named {
		return false
	}
	for path, id := range t.Content {
		if have[path] != id {
			return false
		}
	}
	return true
}

// Of returns the newest move to a target. A nil pointer has none.
func (p *Pointer) Of(to Target) (Move, bool) {
	if p == nil {
		return Move{}, false
	}
	return newest(p.Moves, func(m Move) bool { return m.Same(to) })
}

// OfGitSHA returns the newest move whose folder has an object id.
func (p *Pointer) OfGitSHA(sha string) (Move, bool) {
	return newest(p.Moves, func(m Move) bool { return m.GitSHA == sha })
}

// Later returns the one of two pointers that a later run has moved. Either may be nil.
func Later(a, b *Pointer) *Pointer {
	if a == nil || (b != nil && b.Current().DecidedAt.After(a.Current().DecidedAt)) {
		return b
	}
	return a
}
