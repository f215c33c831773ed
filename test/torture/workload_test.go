// SPDX-License-Identifier: MPL-2.0

package torture

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
	"github.com/packer-chain/packer-plugin-chain/internal/registry"
	"github.com/packer-chain/packer-plugin-chain/internal/store"
	"github.com/packer-chain/packer-plugin-chain/internal/text"
)

const (
	snowflake   = "snowflake"
	builderType = "amazon-ebs"
	home        = "eu-west-1"
)

var (
	// forward is a channel whose commits get newer from round to round. On sideways, all commits
	// have the same time, so that each move is written. On the line they get older: it goes wherever
	// a run went.
	forward  = registry.Name{Kind: registry.Channel, Name: "latest"}
	sideways = registry.Name{Kind: registry.Channel, Name: "candidate"}
	mainLine = registry.Name{Kind: registry.Line, Name: "main"}

	firstCommit = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	// decidedAt is when all runs decided, so that only the time of the commit orders them.
	decidedAt = firstCommit.AddDate(0, 1, 0)
)

// allPointers are those that a writer moves.
var allPointers = []registry.Name{mainLine, forward, sideways}

// workload is what many writers do to one image.
type workload struct {
	Writers   int `json:"writers"`
	Publishes int `json:"publishes"`
	// Shared has all publish into one fingerprint, and moves no pointer. Otherwise each publish has
	// its own fingerprint, and moves the line and both channels.
	Shared bool `json:"shared"`
	// MovesEvery is in how many rounds the pointers move once. 0 means in each.
	MovesEvery int `json:"moves_every"`
	// Control marks a workload that must have faults: no history of them is kept.
	Control bool `json:"-"`
}

// opener opens the registry for one writer, as its own process would.
type opener func() *registry.Registry

// run releases all writers at once, and returns what each of them saw.
func (w workload) run(ctx context.Context, open opener) ([]op, error) {
	var mu sync.Mutex
	var all []op
	var broken error
	start := make(chan struct{})
	var writers sync.WaitGroup
	for client := range w.Writers {
		reg := open()
		writers.Go(func() {
			<-start
			ops := w.writer(ctx, reg, client)
			mu.Lock()
			defer mu.Unlock()
			all = append(all, ops...)
			broken = errors.Join(broken, firstError(ops))
		})
	}
	close(start)
	writers.Wait()
	return all, broken
}

// firstError returns the first failure of a writer.
func firstError(ops []op) error {
	for _, o := range ops {
		if o.Outcome == failed || o.Outcome == unread {
			return fmt.Errorf("writer %d: %s", o.Client, o.Error)
		}
	}
	return nil
}

// writer does all that one writer does. It goes on after a failure, unless ctx has ended.
func (w workload) writer(ctx context.Context, reg *registry.Registry, client int) []op {
	c := &clientLog{reg: reg, client: client}
	for round := range w.Publishes {
		if ctx.Err() != nil {
			break
		}
		var early registry.Early
		if round%2 == 1 {
			// As the post-processor does. What it reads may be old by the time it is used.
			early = reg.ReadEarly(ctx, registry.BuildKey(snowflake, w.fingerprint(client, round)),
				mainLine.Key(snowflake), forward.Key(snowflake), sideways.Key(snowflake))
		}
		stored, ok := c.publish(ctx, w.facts(client, round), round, early)
		if !ok || w.Shared || (w.MovesEvery > 0 && round%w.MovesEvery != 0) {
			continue
		}
		for _, name := range allPointers {
			c.move(ctx, name, targetOf(stored, name, round), stored)
		}
		c.look(ctx, sideways)
	}
	return c.ops
}

// targetOf returns what a pointer is moved to in a round.
func targetOf(stored registry.Stored, name registry.Name, round int) registry.Target {
	fingerprint := stored.Manifest.Chain.Fingerprint
	to := registry.TargetOf(fingerprint, stored.Manifest.Current())
	to.Position = registry.Position{
		Commit: text.SHA256(fingerprint)[:40], CommitTime: firstCommit, DecidedAt: decidedAt,
	}
	switch later := time.Duration(round) * time.Minute; name {
	case forward:
		to.CommitTime = firstCommit.Add(later)
	case mainLine:
		to.CommitTime = firstCommit.Add(-later)
	}
	return to
}

// fingerprint returns the fingerprint that a publish adds to.
func (w workload) fingerprint(client, round int) string {
	if w.Shared {
		return text.SHA256("shared")
	}
	return text.SHA256(fmt.Appendf(nil, "%d-%d", client, round))
}

// facts returns the facts of the image that a publish adds to. A shared one has a source for each
// publish, so that none replaces another.
func (w workload) facts(client, round int) manifest.Facts {
	facts := manifest.Facts{Image: snowflake, Fingerprint: w.fingerprint(client, round)}
	if w.Shared {
		for i := range w.Writers * w.Publishes {
			name := sourceName(i/w.Publishes, i%w.Publishes)
			facts.Sources = append(facts.Sources, builderType+"."+name)
		}
	}
	return facts
}

func sourceName(client, round int) string { return fmt.Sprintf("writer%d-%d", client, round) }

// clientLog does operations and notes them.
type clientLog struct {
	reg    *registry.Registry
	client int
	ops    []op
}

// now is a clock that several processes share. They run on one machine.
func now() int64 { return time.Now().UnixNano() }

func (c *clientLog) publish(
	ctx context.Context, facts manifest.Facts, round int, early registry.Early,
) (registry.Stored, bool) {
	id := "ami-" + text.SHA256(fmt.Appendf(nil, "ami %d-%d", c.client, round))[:17]
	entry := manifest.Entry{
		Name: sourceName(c.client, round), BuilderType: builderType, BuilderID: "mitchellh.amazonebs",
		PackerRunUUID: fmt.Sprintf("run-%d-%d", c.client, round), ArtifactID: home + ":" + id,
		Images: []manifest.Image{{Provider: manifest.ProviderAWS, Region: home, ID: id}},
	}
	o := op{Client: c.client, Doc: "build " + facts.Fingerprint, ID: id, Start: now()}
	stored, err := c.reg.Publish(ctx, facts, []manifest.Entry{entry}, early)
	o.End = now()
	if err == nil {
		// Each publish adds one entry, so the place of the entry is the seq of its write.
		o.Outcome, o.Seq = acked, int64(slices.Index(amisOf(stored.Manifest), id)+1)
	}
	c.note(o, err)
	return stored, err == nil
}

func (c *clientLog) move(
	ctx context.Context, name registry.Name, to registry.Target, stored registry.Stored,
) {
	o := op{Client: c.client, Doc: name.String(), ID: amiOf(to), Start: now()}
	if name.Kind == registry.Channel {
		o.Commit = to.CommitTime
	}
	result, err := c.reg.Move(ctx, registry.Request{
		Image: snowflake, Name: name, To: to, Stored: stored, Change: manifest.Change{By: "torture"}}, nil)
	o.End = now()
	switch result.Outcome {
	case registry.Created, registry.Moved:
		o.Outcome, o.Seq = acked, result.Seq
	case registry.Older:
		o.Outcome = refused
	default:
		// Each target is new, and nobody rolls back: nothing else can be true.
		err = errors.Join(err, fmt.Errorf("move %s: outcome %d", name, result.Outcome))
	}
	c.note(o, err)
}

// amiOf returns the AMI of a target, which no other target has.
func amiOf(to registry.Target) string { return to.AMIs()[home] }

func (c *clientLog) look(ctx context.Context, name registry.Name) {
	o := op{Client: c.client, Doc: name.String(), Outcome: seen, Start: now()}
	p, err := c.reg.Pointer(ctx, snowflake, name)
	o.End = now()
	switch {
	case err == nil:
		o.Seq = p.Seq
	case errors.Is(err, store.ErrTransient) || ctx.Err() != nil:
		// It saw nothing.
		return
	default:
		// The pointer exists, and is whole: this writer has moved it.
		o.Outcome, o.Error = unread, err.Error()
	}
	c.ops = append(c.ops, o)
}

func (c *clientLog) note(o op, err error) {
	if err != nil {
		o.Outcome, o.Seq, o.Error = failed, 0, err.Error()
	}
	c.ops = append(c.ops, o)
}

// amisOf returns the AMIs of a manifest, oldest first.
func amisOf(m *manifest.Manifest) []string {
	var all []string
	for _, entry := range m.Builds {
		all = append(all, strings.TrimPrefix(entry.ArtifactID, home+":"))
	}
	return all
}
