// SPDX-License-Identifier: MPL-2.0

package publish

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/packer-chain/packer-plugin-chain/internal/registry"
	"github.com/packer-chain/packer-plugin-chain/internal/text"
)

// moveRefs moves the refs that are named for the image's files and commit, and the channels,
// concurrently. If one fails, the others still move, and the next run moves that one. An image that
// lacks a source moves nothing: the run that adds the last source does.
func (p publication) moveRefs(
	ctx context.Context, reg *registry.Registry, stored registry.Stored, early registry.Early,
) error {
	if missing := stored.Manifest.MissingSources(); len(missing) > 0 {
		p.ui.Say(fmt.Sprintf("%s is incomplete: waiting for %s; no channel is moved",
			p.rec.Image, text.List(missing)))
		return nil
	}
	channels := p.config.Channels
	if p.rec.Git.Dirty && len(channels) > 0 {
		p.ui.Say("no channel is moved: the image contains uncommitted files")
		channels = nil
	}
	to := registry.Target{
		Fingerprint: p.rec.Fingerprint, Commit: p.rec.Git.Commit, CommitTime: p.rec.Git.CommitTime,
	}.Of(stored)
	var steps []func() error
	for _, name := range p.ownRefs() {
		steps = append(steps, func() error { return p.move(ctx, reg, name, to, registry.Always, early) })
	}
	for _, name := range channels {
		steps = append(steps, func() error { return p.move(ctx, reg, name, to, registry.NotBack, early) })
	}
	return concurrently(steps...)
}

// ownRefs returns the names of the refs for the image's files and commit.
func (p publication) ownRefs() []string {
	var names []string
	if name := p.rec.Git.Name; name != "" {
		names = append(names, registry.GitRef(name))
	}
	if commit := p.rec.Git.Commit; commit != "" && !p.rec.Git.Dirty {
		names = append(names, registry.CommitRef(commit))
	}
	return names
}

// refKeys returns the keys of all refs that may move.
func (p publication) refKeys() []string {
	var keys []string
	for _, name := range slices.Concat(p.ownRefs(), p.config.Channels) {
		keys = append(keys, registry.RefKey(p.rec.Image, name))
	}
	return keys
}

// move moves one ref, and prints where it is if that is news.
func (p publication) move(
	ctx context.Context, reg *registry.Registry, name string, to registry.Target, rule registry.Rule,
	early registry.Early,
) error {
	what := "ref " + name
	if rule == registry.NotBack {
		what = "channel " + name
	}
	moved, err := reg.Move(ctx, p.rec.Image, name, to, rule, p.mover(), early)
	switch {
	case err != nil:
		return fmt.Errorf("move %s of %s: %w", what, p.rec.Image, err)
	case moved.Written:
		p.ui.Say(fmt.Sprintf("%s -> %.12s", what, to.Fingerprint))
	case moved.Kept:
		p.ui.Say(fmt.Sprintf("%s stays on %.12s: a newer commit moved it there", what, moved.On))
	}
	return nil
}

// mover returns who moves the refs, for their history.
func (p publication) mover() string {
	if p.ci.Provider == "" {
		return "local"
	}
	return strings.TrimSpace(p.ci.Provider + " " + cmp.Or(p.ci.BuildURL, p.ci.BuildID))
}
