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
// concurrently. Each is true on its own: one that fails stops no other, and the next run does what
// this one could not. An image that lacks a source moves nothing: whoever adds the last source does.
func (j publication) moveRefs(
	ctx context.Context, reg *registry.Registry, stored registry.Stored, early registry.Early,
) error {
	if missing := stored.Manifest.MissingSources(); len(missing) > 0 {
		j.ui.Say(fmt.Sprintf("%s is incomplete: waiting for %s; no channel is moved", j.rec.Image, text.List(missing)))
		return nil
	}
	channels := j.config.Channels
	if j.rec.Git.Dirty && len(channels) > 0 {
		j.ui.Say("no channel is moved: the image contains uncommitted files")
		channels = nil
	}
	to := registry.Target{
		Fingerprint: j.rec.Fingerprint, Commit: j.rec.Git.Commit, CommitTime: j.rec.Git.CommitTime,
	}.Of(stored)
	var steps []func() error
	for _, name := range j.ownRefs() {
		steps = append(steps, func() error { return j.move(ctx, reg, name, to, registry.Always, early) })
	}
	for _, name := range channels {
		steps = append(steps, func() error { return j.move(ctx, reg, name, to, registry.NotBack, early) })
	}
	return concurrently(steps...)
}

// ownRefs returns the refs that are named for the files and for the commit.
func (j publication) ownRefs() []string {
	var names []string
	if name := j.rec.Git.Name; name != "" {
		names = append(names, registry.GitRef(name))
	}
	if commit := j.rec.Git.Commit; commit != "" && !j.rec.Git.Dirty {
		names = append(names, registry.CommitRef(commit))
	}
	return names
}

// refKeys returns the keys of all refs that may move.
func (j publication) refKeys() []string {
	var keys []string
	for _, name := range slices.Concat(j.ownRefs(), j.config.Channels) {
		keys = append(keys, registry.RefKey(j.rec.Image, name))
	}
	return keys
}

func (j publication) move(
	ctx context.Context, reg *registry.Registry, name string, to registry.Target, rule registry.Rule,
	early registry.Early,
) error {
	what := "ref " + name
	if rule == registry.NotBack {
		what = "channel " + name
	}
	moved, err := reg.Move(ctx, j.rec.Image, name, to, rule, j.mover(), early)
	switch {
	case err != nil:
		return fmt.Errorf("move %s of %s: %w", what, j.rec.Image, err)
	case moved.Written:
		j.ui.Say(fmt.Sprintf("%s -> %.12s", what, to.Fingerprint))
	case moved.Kept:
		j.ui.Say(fmt.Sprintf("%s stays on %.12s: a newer commit moved it there", what, moved.On))
	}
	return nil
}

// mover is who moves the refs, for their history.
func (j publication) mover() string {
	if j.ci.Provider == "" {
		return "local"
	}
	return strings.TrimSpace(j.ci.Provider + " " + cmp.Or(j.ci.BuildURL, j.ci.BuildID))
}
