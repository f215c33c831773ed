// SPDX-License-Identifier: MPL-2.0

package publish

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/packer-chain/packer-plugin-chain/internal/crash"
	"github.com/packer-chain/packer-plugin-chain/internal/registry"
)

// movedRef is a ref that this run moved.
type movedRef struct {
	name  string
	moved registry.Moved
}

// moveRefs moves the refs that are named for the image's files and commit, and the channels, side by
// side: each of them is true on its own, and the next run moves what this one could not. An image that
// lacks a source moves nothing: whoever adds the last source does.
func (j *publication) moveRefs(ctx context.Context) error {
	m := j.stored.Manifest
	if missing := m.MissingSources(); len(missing) > 0 {
		j.ui.Say(fmt.Sprintf("%s is not complete yet: %s is still to come; no ref is moved",
			j.rec.Image, listed(missing)))
		return nil
	}
	to := registry.Target{
		Fingerprint: j.rec.Fingerprint, Commit: j.rec.Git.Commit, CommitTime: j.rec.Git.CommitTime,
	}.Of(j.stored)
	channels := j.config.Channels
	if j.rec.Git.Dirty && len(channels) > 0 {
		j.ui.Say("channels stay: the image holds files that are not committed")
		channels = nil
	}
	group, groupCtx := errgroup.WithContext(ctx)
	move := func(names []string, rule registry.Rule) {
		for _, name := range names {
			group.Go(crash.Guard("move ref "+name, func() error { return j.move(groupCtx, name, to, rule) }))
		}
	}
	move(j.ownRefs(), registry.Always)
	move(channels, registry.NotBack)
	return group.Wait()
}

// ownRefs are the refs that are named for the files and for the commit.
func (j *publication) ownRefs() []string {
	var names []string
	if name := j.rec.Git.Name; name != "" {
		names = append(names, registry.GitRef(name))
	}
	if commit := j.rec.Git.Commit; commit != "" && !j.rec.Git.Dirty {
		names = append(names, registry.CommitRef(commit))
	}
	return names
}

func (j *publication) move(ctx context.Context, name string, to registry.Target, rule registry.Rule) error {
	moved, err := j.registry.Move(ctx, j.rec.Image, name, to, rule, j.mover())
	if err != nil {
		return fmt.Errorf("move ref %s of %s: %w", name, j.rec.Image, err)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.moved = append(j.moved, movedRef{name, moved})
	switch {
	case moved.Moved:
		j.ui.Say(fmt.Sprintf("ref %s -> %.12s", name, to.Fingerprint))
	case moved.Stays:
		j.ui.Say(fmt.Sprintf("ref %s stays on %.12s: a newer commit moved it there", name, moved.On))
	}
	return nil
}

// mover is who moves the refs, for their history.
func (j *publication) mover() string {
	if j.ci.Provider == "" {
		return "local"
	}
	return strings.TrimSpace(j.ci.Provider + " " + cmp.Or(j.ci.BuildURL, j.ci.BuildID))
}
