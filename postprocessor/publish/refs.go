// SPDX-License-Identifier: MPL-2.0

package publish

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/packer-chain/packer-plugin-chain/internal/crash"
	"github.com/packer-chain/packer-plugin-chain/internal/registry"
	"github.com/packer-chain/packer-plugin-chain/internal/store"
	"github.com/packer-chain/packer-plugin-chain/internal/text"
)

// movedRef is a ref that this run moved, or may have moved: the answer can be lost.
type movedRef struct {
	name  string
	moved registry.Moved
}

// moveRefs moves the refs that are named for the image's files and commit, and the channels. An image that
// lacks a source moves nothing: whoever adds the last source does.
func (j *publication) moveRefs(ctx context.Context) error {
	if missing := j.stored.Manifest.MissingSources(); len(missing) > 0 {
		j.ui.Say(fmt.Sprintf("%s is not complete yet: %s is still to come; no ref is moved",
			j.rec.Image, text.List(missing)))
		return nil
	}
	channels := j.config.Channels
	if j.rec.Git.Dirty && len(channels) > 0 {
		j.ui.Say("channels stay: the image holds files that are not committed")
		channels = nil
	}
	own := j.ownRefs()
	to := registry.Target{
		Fingerprint: j.rec.Fingerprint, Commit: j.rec.Git.Commit, CommitTime: j.rec.Git.CommitTime,
	}.Of(j.stored)
	return sideBySide(slices.Concat(own, channels), func(name string) error {
		rule := registry.NotBack
		if slices.Contains(own, name) {
			rule = registry.Always
		}
		return j.move(ctx, name, to, rule)
	})
}

// sideBySide does the same to several refs, in the time of one. Each ref is true on its own, so one that
// fails ends no other; the next run does what this one could not. It answers all errors.
func sideBySide[T any](refs []T, do func(T) error) error {
	errs := make([]error, len(refs))
	var all sync.WaitGroup
	for i, ref := range refs {
		all.Go(func() { errs[i] = crash.Guard(component, func() error { return do(ref) })() })
	}
	all.Wait()
	return errors.Join(errs...)
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
	var update *store.UpdateError
	not := errors.As(err, &update) && update.Outcome == store.NotWritten
	j.mu.Lock()
	defer j.mu.Unlock()
	if moved.Moved && !not {
		j.moved = append(j.moved, movedRef{name, moved})
	}
	switch {
	case err != nil:
		return fmt.Errorf("move ref %s of %s: %w", name, j.rec.Image, err)
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
