// SPDX-License-Identifier: MPL-2.0

package parent

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/packer-chain/packer-plugin-chain/internal/registry"
	"github.com/packer-chain/packer-plugin-chain/internal/text"
)

// findChannel returns where a channel is, or was.
func (s search) findChannel(ctx context.Context, reg *registry.Registry) ([]candidate, error) {
	name := registry.Name{Kind: registry.Channel, Name: s.config.channel()}
	pointer, err := reg.Pointer(ctx, s.config.Image, name)
	if errors.Is(err, registry.ErrNotFound) {
		return nil, missingf("%s does not exist", reg.PointerURI(s.config.Image, name))
	}
	if err != nil {
		return nil, err
	}
	move := pointer.Moves[0]
	if s.config.Previous > 0 {
		if move, err = previous(pointer, s.config.Previous); err != nil {
			return nil, err
		}
	}
	return []candidate{s.atMove(reg, pointer, move)}, nil
}

// previous returns the move of a channel that is so many before the newest forward one.
func previous(p *registry.Pointer, n int) (registry.Move, error) {
	images := standing(p.Moves)
	if n < len(images) {
		return images[n], nil
	}
	lines := make([]string, len(images))
	for i, move := range images {
		lines[i] = fmt.Sprintf("  %d  %s  %.12s  commit %.12s  %s", i,
			move.At.Format(time.RFC3339), move.Fingerprint, move.Commit, text.OneLine(move.By))
	}
	return registry.Move{}, fmt.Errorf("channel %s has no previous image %d. It has these:\n\n%s",
		p.Name, n, strings.Join(lines, "\n"))
}

// standing returns the moves that a channel has gone through to the newest forward one, newest
// first: without what was rolled back before that, and without what was rolled back since, so that
// a repeated rollback leads to the same image. moves are newest first.
func standing(moves []registry.Move) []registry.Move {
	newest := slices.IndexFunc(moves, func(m registry.Move) bool { return m.Kind == registry.Forward })
	if newest < 0 {
		return nil
	}
	var stack []registry.Move
	for _, move := range slices.Backward(moves[newest:]) {
		back := slices.IndexFunc(stack, func(m registry.Move) bool { return m.Same(move.Target) })
		if move.Kind == registry.Rollback && back >= 0 {
			stack = stack[:back+1]
			continue
		}
		if len(stack) == 0 || !stack[len(stack)-1].Same(move.Target) {
			stack = append(stack, move)
		}
	}
	slices.Reverse(stack)
	return stack
}
