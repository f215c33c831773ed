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
	if s.config.Previous == 0 {
		return []candidate{s.atMove(reg, pointer, pointer.Moves[0])}, nil
	}
	images := standing(pointer.Moves)
	if s.config.Previous >= len(images) {
		return nil, fmt.Errorf("%s of %s has no previous image %d. %s",
			name, s.config.Image, s.config.Previous, choices(name, images))
	}
	found := s.atMove(reg, pointer, images[s.config.Previous])
	found.history = choices(name, images)
	return []candidate{found}, nil
}

// choices lists the images that a channel can go back to, newest first, by their number.
func choices(name registry.Name, images []registry.Move) string {
	lines := make([]string, min(len(images), maxHistory))
	for i := range lines {
		move := images[i]
		line := fmt.Sprintf("  %d  %s  %.12s", i, move.At.Format(time.RFC3339), move.Fingerprint)
		if move.Commit != "" {
			line += fmt.Sprintf("  commit %.12s", move.Commit)
		}
		if who := strings.TrimPrefix(text.OneLine(move.By)+text.Because(move.Reason), ": "); who != "" {
			line += "  " + who
		}
		lines[i] = line
	}
	return fmt.Sprintf("The images of %s, with their number for previous:\n\n%s",
		name, strings.Join(lines, "\n"))
}

// maxHistory is how many images of a channel an error lists.
const maxHistory = 20

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
		switch {
		case move.Kind != registry.Rollback:
		case back >= 0:
			stack = stack[:back+1]
			continue
		case len(stack) > 0: // It was left, and what it went to is forgotten or of another channel.
			stack = stack[:len(stack)-1]
		}
		if len(stack) == 0 || !stack[len(stack)-1].Same(move.Target) {
			stack = append(stack, move)
		}
	}
	slices.Reverse(stack)
	return stack
}
