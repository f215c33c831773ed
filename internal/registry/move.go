// SPDX-License-Identifier: MPL-2.0

package registry

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/packer-chain/packer-plugin-chain/internal/store"
)

// Move points a channel or a line at an image, if the order of commits allows it. It retries until
// ctx ends.
func (r *Registry) Move(ctx context.Context, req Request, early Early) (Result, error) {
	if err := req.To.Check(); err != nil {
		return Result{}, fmt.Errorf("write %s: %w", r.PointerURI(req.Image, req.Name), err)
	}
	move := Move{Change: req.Change, Parameters: req.Parameters, WriteID: r.newID()}
	move.At = r.now()
	// outdated is the seq of a manifest that the pointer knows and that is known to be gone.
	outdated := int64(0)
	for {
		result, err := r.move(ctx, req, move, outdated, early)
		var newer *newerError
		if !errors.As(err, &newer) {
			return result, err
		}
		// Either another run published later and moved the pointer first. Or somebody put an older
		// manifest back: a pointer that stayed ahead of it would be corrupt.
		if req.Stored, err = r.Manifest(ctx, req.Image, req.To.Fingerprint); err != nil {
			return Result{}, err
		}
		outdated, early = newer.seq, nil
	}
}

// Foresee returns what would become of a request, if the pointer is as it was read early. It
// reports false if it was not read.
func (r *Registry) Foresee(req Request, early Early) (outcome Outcome, known bool) {
	object := early.first(req.Name.Key(req.Image))
	if object == nil {
		return 0, false
	}
	var now *Pointer
	if object.ETag != "" {
		var err error
		if now, err = r.pointer(object.Body, req.Image, req.Name); err != nil {
			return 0, false
		}
	}
	_, result := decide(now, req, Move{})
	return result.Outcome, true
}

// newerError means that a pointer knows a newer manifest of the same build, with that seq.
type newerError struct{ seq int64 }

func (e *newerError) Error() string {
	return fmt.Sprintf("the pointer knows a newer manifest, seq %d", e.seq)
}

// move is one attempt of Move.
func (r *Registry) move(
	ctx context.Context, req Request, move Move, outdated int64, early Early,
) (result Result, err error) {
	edit := func(current []byte) ([]byte, error) {
		var old *Pointer
		if current != nil {
			var err error
			if old, err = r.pointer(current, req.Image, req.Name); err != nil {
				return nil, err
			}
			if old.landed(move.WriteID) {
				// Our write landed, but its response was lost: result is that of the attempt.
				return nil, store.ErrUnchanged
			}
			seq := int64(0)
			if m := req.Stored.Manifest; m != nil {
				seq = m.Chain.Seq
			}
			if old.Fingerprint == req.To.Fingerprint && old.ManifestSeq > max(seq, outdated) {
				return nil, &newerError{old.ManifestSeq}
			}
		}
		var next *Pointer
		next, result = decide(old, req, move)
		if next == nil {
			return nil, store.ErrUnchanged
		}
		// A renewal adds no move, but it is its own write.
		next.Schema, next.WriteID = schema, move.WriteID
		return r.encodePointer(next)
	}
	_, err = r.update(ctx, req.Name.Key(req.Image), early, edit)
	return result, err
}

// landed reports whether the pointer has a write.
func (p *Pointer) landed(writeID string) bool {
	return p.WriteID == writeID || slices.ContainsFunc(p.Moves, func(move Move) bool {
		return move.WriteID == writeID
	})
}
