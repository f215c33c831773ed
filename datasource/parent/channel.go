// SPDX-License-Identifier: MPL-2.0

package parent

import (
	"context"
	"errors"
	"fmt"
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

// previous returns the move of a channel that is so many before the newest forward one. Moves to
// the same AMIs count once.
func previous(p *registry.Pointer, n int) (registry.Move, error) {
	var images []registry.Move
	for _, move := range p.Moves {
		if move.Kind != registry.Forward {
			continue
		}
		if len(images) == 0 || !images[len(images)-1].Same(move.Target) {
			images = append(images, move)
		}
	}
	if n < len(images) {
		return images[n], nil
	}
	lines := make([]string, len(images))
	for i, move := range images {
		lines[i] = fmt.Sprintf("  %d  %s  %.12s  commit %.12s  %s", i,
			move.MovedAt.Format(time.RFC3339), move.Fingerprint, move.Commit, text.OneLine(move.MovedBy))
	}
	return registry.Move{}, fmt.Errorf("channel %s has no previous image %d. It has these:\n\n%s",
		p.Name, n, strings.Join(lines, "\n"))
}
