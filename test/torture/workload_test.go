// SPDX-License-Identifier: MPL-2.0

package torture

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
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
	image = "snowflake"
	// forward is a channel whose commits get newer from round to round. On sideways, all commits
	// have the same time, so that each move is written.
	forward  = "latest"
	sideways = "candidate"
)

var firstCommit = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

// workload is what many writers do to one image.
type workload struct {
	Writers   int `json:"writers"`
	Publishes int `json:"publishes"`
	// Shared has all publish into one fingerprint, and moves no ref. Otherwise each publish has its
	// own fingerprint, and moves both channels.
	Shared bool `json:"shared"`
	// RefsEvery is in how many rounds the channels move once. 0 means in each.
	RefsEvery int `json:"refs_every"`
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
		fingerprint := w.fingerprint(client, round)
		var early registry.Early
		if round%2 == 1 {
			// As the post-processor does. What it reads may be old by the time it is used.
			early = reg.ReadEarly(ctx, registry.BuildKey(image, fingerprint),
				registry.RefKey(image, forward), registry.RefKey(image, sideways))
		}
		stored, ok := c.publish(ctx, fingerprint, round, early)
		if !ok || w.Shared || (w.RefsEvery > 0 && round%w.RefsEvery != 0) {
			continue
		}
		to := registry.Target{
			Fingerprint: fingerprint, Commit: text.SHA256(fingerprint)[:40],
		}.Of(stored)
		to.CommitTime = firstCommit.Add(time.Duration(round) * time.Minute)
		c.move(ctx, forward, to)
		to.CommitTime = firstCommit
		c.move(ctx, sideways, to)
		c.look(ctx, sideways)
	}
	return c.ops
}

// fingerprint returns the fingerprint that a publish adds to.
func (w workload) fingerprint(client, round int) string {
	if w.Shared {
		return text.SHA256("shared")
	}
	return text.SHA256(fmt.Appendf(nil, "%d-%d", client, round))
}

// clientLog does operations and notes them.
type clientLog struct {
	reg    *registry.Registry
	client int
	ops    []op
}

// now is a clock that several processes share. They run on one machine.
func now() int64 { return time.Now().UnixNano() }

func (c *clientLog) publish(
	ctx context.Context, fingerprint string, round int, early registry.Early,
) (registry.Stored, bool) {
	id := "ami-" + text.SHA256(fmt.Appendf(nil, "ami %d-%d", c.client, round))[:17]
	entry := manifest.Entry{
		Name: fmt.Sprintf("writer%d-%d", c.client, round), BuilderType: "amazon-ebs",
		BuilderID:     "mitchellh.amazonebs",
		PackerRunUUID: fmt.Sprintf("run-%d-%d", c.client, round), ArtifactID: "eu-west-1:" + id,
		Images: []manifest.Image{{Provider: manifest.ProviderAWS, Region: "eu-west-1", ID: id}},
	}
	o := op{Client: c.client, Doc: "build " + fingerprint, ID: id, Start: now()}
	facts := manifest.Facts{Image: image, Fingerprint: fingerprint}
	stored, err := c.reg.Publish(ctx, facts, []manifest.Entry{entry}, early)
	o.End = now()
	if err == nil {
		// Each publish adds one entry, so the place of the entry is the seq of its write.
		o.Outcome, o.Seq = acked, int64(slices.Index(ids(stored.Manifest), id)+1)
	}
	c.note(o, err)
	return stored, err == nil
}

func (c *clientLog) move(ctx context.Context, name string, to registry.Target) {
	o := op{Client: c.client, Doc: "ref " + name, ID: to.Fingerprint, Commit: to.CommitTime,
		Start: now()}
	moved, err := c.reg.Move(ctx, image, name, to, registry.NotBack, "torture", nil)
	o.End = now()
	if o.Outcome = refused; moved.Written {
		o.Outcome, o.Seq = acked, moved.Seq
	}
	c.note(o, err)
}

func (c *clientLog) look(ctx context.Context, name string) {
	o := op{Client: c.client, Doc: "ref " + name, Outcome: seen, Start: now()}
	ref, err := c.reg.Ref(ctx, image, name)
	o.End = now()
	switch {
	case err == nil:
		o.Seq = ref.Seq
	case errors.Is(err, store.ErrTransient) || ctx.Err() != nil:
		// It saw nothing.
		return
	default:
		// The ref exists, and is whole: this writer has moved it.
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

// ids returns the AMIs of a manifest, oldest first.
func ids(m *manifest.Manifest) []string {
	var all []string
	for _, entry := range m.Builds {
		all = append(all, strings.TrimPrefix(entry.ArtifactID, "eu-west-1:"))
	}
	return all
}

// documents returns what is in the registry at the end. It checks that each ref leads to its build.
func (w workload) documents(ctx context.Context, reg *registry.Registry) (
	map[string]document, error,
) {
	final := map[string]document{}
	fingerprints := map[string]bool{}
	for client := range w.Writers {
		for round := range w.Publishes {
			fingerprints[w.fingerprint(client, round)] = true
		}
	}
	for fingerprint := range maps.Keys(fingerprints) {
		stored, err := reg.Manifest(ctx, image, fingerprint)
		switch {
		case errors.Is(err, registry.ErrNotFound):
			final["build "+fingerprint] = document{}
		case err != nil:
			return nil, err
		default:
			m := stored.Manifest
			final["build "+fingerprint] = document{Seq: m.Chain.Seq, IDs: ids(m)}
		}
	}
	if w.Shared {
		return final, nil
	}
	for _, name := range []string{forward, sideways} {
		ref, err := reg.Ref(ctx, image, name)
		if errors.Is(err, registry.ErrNotFound) {
			final["ref "+name] = document{}
			continue
		}
		if err == nil {
			_, err = reg.Follow(ctx, ref)
		}
		if err != nil {
			return nil, err
		}
		d := document{Seq: ref.Seq}
		for _, move := range slices.Backward(ref.Moves) {
			d.IDs = append(d.IDs, move.Fingerprint)
		}
		final["ref "+name] = d
	}
	return final, nil
}

// judge compares what the writers saw with what the registry holds. The verdict counts even if a
// writer failed.
func (w workload) judge(ctx context.Context, open opener, ops []op, failure error) (
	verdict, error,
) {
	final, err := w.documents(ctx, open())
	if err != nil {
		return verdict{}, errors.Join(failure, err)
	}
	v := checkHistory(ops, final)
	if failure == nil && len(v.Faults) > 0 {
		failure = fmt.Errorf("%d faults, such as %s", len(v.Faults), v.Faults[0])
		if !w.Control {
			failure = fmt.Errorf("%w; all operations are in %s", failure, keepHistory(ops, final))
		}
	}
	if want := w.Writers * w.Publishes; failure == nil && countAcked(ops) < want {
		failure = fmt.Errorf("%d publishes were acknowledged, want %d", countAcked(ops), want)
	}
	return v, failure
}

// keepHistory writes the operations and the documents at the end to a file, and returns its name.
func keepHistory(ops []op, final map[string]document) string {
	file, err := os.CreateTemp("", "chain-torture-history-*.json")
	if err != nil {
		return err.Error()
	}
	defer file.Close()
	all := map[string]any{"operations": ops, "documents": final}
	if err := json.NewEncoder(file).Encode(all); err != nil {
		return err.Error()
	}
	return file.Name()
}

// countAcked returns how many publishes were acknowledged.
func countAcked(ops []op) int {
	n := 0
	for _, o := range ops {
		if o.Outcome == acked && strings.HasPrefix(o.Doc, "build ") {
			n++
		}
	}
	return n
}

// add counts what a workload showed.
func (n *tally) add(w workload, v verdict) {
	n.count(w.Writers*w.Publishes, v.Lost, v.Duplicated)
}
