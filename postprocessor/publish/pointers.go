// SPDX-License-Identifier: MPL-2.0

package publish

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/packer-chain/packer-plugin-chain/internal/access"
	"github.com/packer-chain/packer-plugin-chain/internal/gitrepo"
	"github.com/packer-chain/packer-plugin-chain/internal/line"
	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
	"github.com/packer-chain/packer-plugin-chain/internal/registry"
	"github.com/packer-chain/packer-plugin-chain/internal/store"
	"github.com/packer-chain/packer-plugin-chain/internal/text"
)

// movePointers moves the line of the run and the channels, concurrently. If one fails, the others
// still move, and the next run moves that one. What a channel delivers is prepared before.
func (p publication) movePointers(
	ctx context.Context, conn *access.Connection, reg *registry.Registry, done progress,
	early registry.Early,
) error {
	if p.rec.Git.Dirty {
		const why = "no channel is moved: the image contains uncommitted files"
		if p.promotes() {
			return errors.New(why)
		}
		p.ui.Say(why)
		return nil
	}
	request := p.request(ctx, done)
	if _, complete := request.To.Entries(done.stored.Manifest); !complete {
		return fmt.Errorf("%s no longer has the builds that this run has found\n\nRun it again.",
			done.stored.URI)
	}
	if err := p.checkRevoked(done.entries); err != nil {
		return err
	}
	if err := p.prepare(ctx, conn, reg, done, request, early); err != nil {
		return err
	}
	var steps []func() error
	if !p.promotes() {
		steps = append(steps, func() error { return p.moveLine(ctx, reg, request, early) })
	}
	for _, channel := range p.config.channelNames() {
		steps = append(steps, func() error {
			there, err := p.moveChannel(ctx, reg, channel, request, early)
			if err != nil || !there {
				return err
			}
			if err := p.stillGood(ctx, reg, request.To); err != nil {
				return err
			}
			return p.deliver(ctx, conn, reg, channel, request.To)
		})
	}
	return concurrently(steps...)
}

// request returns the move that all pointers are asked for.
func (p publication) request(ctx context.Context, done progress) registry.Request {
	return registry.Request{
		Image: p.rec.Image, To: p.target(done.entries), Stored: done.stored,
		AllowRollback: p.config.AllowRollback, TakeOver: p.config.Origin,
		Change: p.ci.Change(p.config.Reason),
		Ancestor: func(older, newer string) bool {
			return gitrepo.Ancestor(ctx, p.dir(), older, newer)
		},
	}
}

// prepare does what has to be done before a channel points at the image: it tags and shares the
// AMIs, unless no channel is going to.
func (p publication) prepare(
	ctx context.Context, conn *access.Connection, reg *registry.Registry, done progress,
	request registry.Request, early registry.Early,
) (err error) {
	goes := slices.ContainsFunc(p.config.channelNames(), func(channel string) bool {
		outcome, known := reg.Foresee(p.ofChannel(request, channel), early)
		return p.mayNotMove(channel) == "" && (!known || outcome.IsThere())
	})
	if !goes || !p.promotes() && !p.delivers() {
		return nil
	}
	images := done.images
	if images == nil {
		if images, err = p.confirm(ctx, conn, done.entries); err != nil {
			return err
		}
	}
	for _, block := range p.config.SSMParameters {
		if _, err := parameterValues(block, p.rec.Image, "channel", request.To); err != nil {
			return err
		}
	}
	return concurrently(func() error {
		return p.tagMore(ctx, conn, images)
	}, func() error {
		return p.share(ctx, conn, images)
	})
}

// ofChannel returns the request for a channel.
func (p publication) ofChannel(request registry.Request, channel string) registry.Request {
	request.Name = channelName(channel)
	request.Parameters = p.parameterNames(channel, request.To)
	if at := p.rec.Pointer; at != nil && at.Back && at.Channel == channel {
		request.ReadSeq = at.Seq
	}
	return request
}

// dir returns a folder of the checkout.
func (p publication) dir() string {
	return append(p.rec.Folders(), ".")[0]
}

// target returns what the pointers shall point at.
func (p publication) target(entries []manifest.Entry) registry.Target {
	if at := p.rec.Pointer; at != nil {
		return at.Target
	}
	git := p.rec.Git
	to := registry.TargetOf(p.rec.Fingerprint, entries)
	to.Content, to.GitSHA, to.Origin, to.Line = git.Content, git.Name, git.Origin, git.Line
	to.Position = registry.Position{
		Commit: git.Commit, CommitTime: git.CommitTime, DecidedAt: p.rec.DecidedAt,
	}
	return to
}

// line returns the line of this run.
func (p publication) line() registry.Name {
	return registry.Name{Kind: registry.Line, Name: p.rec.Git.Line.Document()}
}

// pointerKeys returns the keys of all pointers that may move.
func (p publication) pointerKeys() []string {
	var keys []string
	if !p.promotes() {
		keys = append(keys, p.line().Key(p.rec.Image))
	}
	for _, channel := range p.config.channelNames() {
		keys = append(keys, channelName(channel).Key(p.rec.Image))
	}
	return keys
}

func channelName(name string) registry.Name {
	return registry.Name{Kind: registry.Channel, Name: name}
}

// moveLine moves the line of the run. A run that has built nothing may lack the right to write, as
// that of a fork does.
func (p publication) moveLine(
	ctx context.Context, reg *registry.Registry, request registry.Request, early registry.Early,
) error {
	request.Name = p.line()
	result, err := reg.Move(ctx, request, early)
	switch {
	case errors.Is(err, store.ErrDenied) && p.published():
		p.warn(fmt.Sprintf("%s is not moved: %s", request.Name, text.OneLine(err.Error())))
		return nil
	case err != nil:
		return fmt.Errorf("move %s of %s: %w", request.Name, p.rec.Image, err)
	case result.Outcome != registry.There:
		p.ui.Say(fmt.Sprintf("%s -> %.12s", request.Name, request.To.Fingerprint))
	}
	return nil
}

// moveChannel moves a channel, if this run may do that, and prints what became of it. It reports
// whether the channel is where this run wants it.
func (p publication) moveChannel(
	ctx context.Context, reg *registry.Registry, channel string, request registry.Request,
	early registry.Early,
) (there bool, err error) {
	request = p.ofChannel(request, channel)
	if why := p.mayNotMove(channel); why != "" {
		if p.promotes() {
			return false, fmt.Errorf("move %s of %s: %s", request.Name, p.rec.Image, why)
		}
		p.notMoved(channel, why, early.Absent(request.Name.Key(request.Image)))
		return false, nil
	}
	result, err := reg.Move(ctx, request, early)
	if err != nil {
		return false, fmt.Errorf("move %s of %s: %w", request.Name, p.rec.Image, err)
	}
	return result.Outcome.IsThere(), p.report(request, result)
}

// notMoved prints that a channel is not moved. Without branches, it may be that nobody may move it.
func (p publication) notMoved(channel, why string, absent bool) {
	said := fmt.Sprintf("channel %s is not moved: %s", channel, why)
	_, explicit := p.branchesOf(channel)
	if absent && !explicit && p.rec.Git.Line.Kind != manifest.LineLocal {
		p.warn(said + ". It does not exist yet: set branches to those whose runs may move channels")
		return
	}
	p.ui.Say(said)
}

// mayNotMove returns why this run may not move a channel, or "".
func (p publication) mayNotMove(channel string) string {
	allowed, explicit := p.branchesOf(channel)
	if p.promotes() {
		return p.mayNotPromote(allowed, explicit)
	}
	own := p.rec.Git.Line
	switch {
	case own.On(allowed):
		return ""
	case len(allowed) > 0 && own.Kind == manifest.LineLocal && p.rec.NotOnBranch != "":
		return text.OneLine(p.rec.NotOnBranch)
	}
	return notOneOf(own, allowed)
}

func notOneOf(line manifest.Line, allowed []string) string {
	if len(allowed) == 0 {
		return "branches is empty"
	}
	return fmt.Sprintf("%s is not one of %s", text.OneLine(line.String()), text.List(allowed))
}

// mayNotPromote returns why this run may not move channels to an image that it has not made, or "".
// Pull requests and merge queues may not, and what only they have left is not promoted.
func (p publication) mayNotPromote(allowed []string, explicit bool) string {
	if explicit {
		if !p.here.On(allowed) {
			return notOneOf(p.here, allowed)
		}
		return ""
	}
	unmerged := func(line manifest.Line) bool {
		return line.Kind == manifest.LinePullRequest || line.Kind == manifest.LineQueue
	}
	left := p.rec.Pointer.Line
	switch {
	case unmerged(p.here):
		return fmt.Sprintf("this is the run of %s. Promote from another one, or set branches",
			text.OneLine(p.here.String()))
	case unmerged(left):
		return fmt.Sprintf("only %s has left this image. Run the build of the default branch, which "+
			"finds it unchanged, and promote that; or set branches", text.OneLine(left.String()))
	}
	return ""
}

// branchesOf returns the branches that may move a channel, and whether the template names them.
func (p publication) branchesOf(channel string) (branches []string, explicit bool) {
	for _, block := range p.config.ChannelBlocks {
		if block.Name == channel {
			return block.Branches, true
		}
	}
	switch {
	case p.config.Branches != nil:
		return p.config.Branches, true
	case len(p.rec.DefaultBranches) > 0:
		return p.rec.DefaultBranches, false
	}
	return line.Defaults, false
}

// report prints what became of a channel, and returns an error if it is not where this run wants it
// although no newer commit has moved it on.
func (p publication) report(request registry.Request, result registry.Result) error {
	name, to := request.Name, request.To
	switch result.Outcome {
	case registry.Created:
		p.ui.Say(fmt.Sprintf("%s -> %.12s (created)", name, to.Fingerprint))
		return nil
	case registry.Moved:
		how := ""
		if result.Kind == registry.Rollback {
			how = " (rolled back)"
		}
		p.ui.Say(fmt.Sprintf("%s -> %.12s%s", name, to.Fingerprint, how))
		p.warnOfParameters(name, result.Before.Moves[0].Parameters, request.Parameters)
		p.warnOfArchitectures(name, result.Before.Current().Architectures(), to.Architectures())
		return nil
	case registry.There:
		if p.promotes() {
			p.ui.Say(fmt.Sprintf("%s is on %.12s already", name, to.Fingerprint))
		}
		return nil
	}
	before := result.Before.Current()
	stays := fmt.Sprintf("%s stays on %.12s: ", name, before.Fingerprint)
	switch result.Outcome {
	case registry.Older:
		return p.stays(stays+"a newer commit moved it there", false)
	case registry.HeldBack:
		return p.stays(stays+"a rollback left what this run has", true)
	case registry.Mixed:
		return errors.New(stays + "only one of the two was built from a commit, so their order is not " +
			"known\n\nTo move it all the same, set allow_rollback = true.")
	case registry.Foreign:
		return fmt.Errorf("%sit was moved there from %s, and this is %s\n\nGive one of the two images "+
			"another name. If the template has moved, set origin = %q.", stays,
			text.OneLine(before.Origin), text.OneLine(to.Origin), text.OneLine(before.Origin))
	}
	return fmt.Errorf("%sit was moved since data \"chain\" read it (then seq %d, now %d)\n\n"+
		"Run it again.", stays, request.ReadSeq, result.Seq)
}

// stays ends a move that the order of commits, or a rollback, forbids. The run of a template goes
// on; a promotion fails.
func (p publication) stays(why string, warn bool) error {
	const remedy = "To move it all the same, set allow_rollback = true."
	switch {
	case p.promotes():
		return errors.New(why + "\n\n" + remedy)
	case warn:
		p.warn(why + ". " + remedy)
	default:
		p.ui.Say(why)
	}
	return nil
}

// warnOfParameters warns of parameters that followed the channel so far, and of which this template
// does not know.
func (p publication) warnOfParameters(name registry.Name, before, now []string) {
	for _, parameter := range before {
		if !slices.Contains(now, parameter) {
			region, its, _ := strings.Cut(text.OneLine(parameter), ":")
			p.warn(fmt.Sprintf("%s: parameter %s stays as it is: whoever moved %s before kept it up to "+
				"date, and this run has no AMI or no ssm_parameter for it", region, its, name))
		}
	}
}

// warnOfArchitectures warns if a channel has got an image for other machines.
func (p publication) warnOfArchitectures(name registry.Name, before, now []string) {
	if len(before) > 0 && len(now) > 0 && !slices.Equal(before, now) {
		p.warn(fmt.Sprintf("%s was for %s and is for %s now. If jobs build the template for one "+
			"architecture each, set architecture in data \"chain-image\", and give each its own image name",
			name, text.List(before), text.List(now)))
	}
}

// promotes reports whether the image was found by data "chain", so that only channels move.
func (p publication) promotes() bool { return p.rec.Pointer != nil }
