// SPDX-License-Identifier: MPL-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
)

// publisherDelay is what every request takes longer while many publish at once.
const publisherDelay = 60 * time.Millisecond

// publishers measures how long it takes until all of many writers are done, each with a connection of its
// own. Nothing that a user has instead does this without losing writes, so they are put beside the least
// that compare-and-swap can take: a document changes once in a round trip.
func publishers(ctx context.Context, l *lab) (findings, error) {
	ami, err := l.register(ctx, "published", "", "")
	if err != nil {
		return findings{}, err
	}
	crowd := &crowd{lab: l, ami: ami}
	t := table{title: fmt.Sprintf("Parallel publishers, with %s added to each request", publisherDelay),
		head: []string{"publishers", "what they publish", "publishes a second", "slowest, s", "requests"},
		note: "Builds: each publishes a build of its own, and all move the same channel. Sources: each adds its source to " +
			"the manifest of one build."}
	goals := map[int]goal{32: {text: "at most 4 s", most: 4, ours: true}, 128: {text: "at most 12 s", most: 12, ours: true}}
	var figures []figure
	err = l.delayed(publisherDelay, func() error {
		for i, named := range []int{1, 8, 32, 128} {
			n := l.pick(named, i+1)
			builds, err := crowd.publish(ctx, n, l.pick(10, 1), crowd.oneBuild)
			if err != nil {
				return err
			}
			sources, err := crowd.publish(ctx, n, l.pick(5, 1), crowd.oneSource)
			if err != nil {
				return err
			}
			figures = append(figures,
				limited(fmt.Sprintf("publishers_%d_seconds", named), fmt.Sprintf("%d builds of one image", n),
					builds, 2+n, goals[named]),
				limited(fmt.Sprintf("publishers_%d_sources_seconds", named), fmt.Sprintf("%d sources of one build", n),
					sources, 1+n, goal{}))
			t.rows = append(t.rows, builds.row(n, "builds"), sources.row(n, "sources"))
		}
		return nil
	})
	t.note += fmt.Sprintf(" The limit takes %s for each step; builds: four requests for manifest and git ref, one read of the "+
		"channel, then one write after another; sources: one read, then one write after another.", publisherDelay)
	return findings{figures: figures, tables: []table{t}}, err
}

func limited(name, what string, got rounds, steps int, g goal) figure {
	return figure{name: name, unit: "s", ours: got.seconds, theirs: []float64{float64(steps) * publisherDelay.Seconds()},
		us: what + " published at once", them: fmt.Sprintf("limit: %d steps of %s", steps, publisherDelay), goal: g}
}

// crowd publishes with many writers, to a new image each time.
type crowd struct {
	lab   *lab
	ami   string
	round int
}

// rounds are the figures of several rounds with as many publishers.
type rounds struct{ seconds, slowest, requests []float64 }

func (r rounds) row(n int, what string) []string {
	return []string{fmt.Sprint(n), what, fmt.Sprintf("%.1f", float64(n)/median(r.seconds)),
		fmt.Sprintf("%.2f", median(r.slowest)), fmt.Sprintf("%g", median(r.requests))}
}

type publisher func(ctx context.Context, p *past, i, n int) error

func (c *crowd) publish(ctx context.Context, n, turns int, one publisher) (rounds, error) {
	var r rounds
	for turn := range turns {
		took, slowest, err := c.once(ctx, n, one)
		if err != nil {
			return r, fmt.Errorf("%d publishers, turn %d: %w", n, turn, err)
		}
		r.seconds = append(r.seconds, took.Seconds())
		r.slowest = append(r.slowest, slowest.Seconds())
		r.requests = append(r.requests, float64(len(c.lab.proxy.take())))
	}
	return r, nil
}

func (c *crowd) once(ctx context.Context, n int, one publisher) (took, slowest time.Duration, err error) {
	c.round++
	image := fmt.Sprintf("crowd%d", c.round)
	c.lab.proxy.take()
	var mu sync.Mutex
	var errs []error
	var all sync.WaitGroup
	start := time.Now()
	for i := range n {
		all.Go(func() {
			begun := time.Now()
			reg, err := c.lab.connect(ctx)
			if err == nil {
				err = one(ctx, &past{registry: reg, image: image, ami: c.ami}, i, n)
			}
			mu.Lock()
			defer mu.Unlock()
			slowest = max(slowest, time.Since(begun))
			errs = append(errs, err)
		})
	}
	all.Wait()
	return time.Since(start), slowest, errors.Join(errs...)
}

// oneBuild publishes a build of its own.
func (c *crowd) oneBuild(ctx context.Context, p *past, i, _ int) error {
	return publishBuild(ctx, p.registry, p.image, p.fingerprint(i), p.ami, "latest")
}

// oneSource adds its source to the build that all make together, and makes sure that it is there.
func (c *crowd) oneSource(ctx context.Context, p *past, i, n int) error {
	source := fmt.Sprintf("app%d", i)
	facts := manifest.Chain{Image: p.image, Fingerprint: p.fingerprint(0)}
	for j := range n {
		facts.Sources = append(facts.Sources, fmt.Sprintf("amazon-ebs.app%d", j))
	}
	stored, err := p.registry.Publish(ctx, []manifest.Entry{entryOf(source, "run", p.ami)}, facts)
	if err == nil && !strings.Contains(string(stored.Body), `"`+source+`"`) {
		return fmt.Errorf("%s is not in %s", source, stored.URI)
	}
	return err
}
