// SPDX-License-Identifier: MPL-2.0

package main

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"
)

// quiet is how long a round waits for one more request.
const quiet = 300 * time.Millisecond

// rounds counts how many requests wait for one another. While it is on, it holds requests until no
// other has come for a while, and then lets all through at once: they are one round. The next round
// begins when all responses have come.
type rounds struct {
	mu      sync.Mutex
	on      bool
	timer   *time.Timer
	held    []string
	release chan struct{}
	// open is how many requests of the last round have no response yet.
	open int
	sent [][]string
}

// enter waits until the round of a request begins. Call leave when the response has come.
func (r *rounds) enter(what string) (leave func()) {
	r.mu.Lock()
	if !r.on {
		r.mu.Unlock()
		return func() {}
	}
	if r.timer == nil {
		r.timer = time.AfterFunc(quiet, r.next)
	}
	if len(r.held) == 0 {
		r.release = make(chan struct{})
	}
	r.held = append(r.held, what)
	r.timer.Reset(quiet)
	release := r.release
	r.mu.Unlock()
	<-release
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.open--
		r.timer.Reset(quiet)
	}
}

func (r *rounds) next() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.open > 0 || len(r.held) == 0 {
		return
	}
	r.sent, r.open, r.held = append(r.sent, r.held), len(r.held), nil
	close(r.release)
}

// restart forgets the rounds so far: what comes before the builder's last request does not count.
func (r *rounds) restart() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sent = nil
}

// count runs a command and returns the requests of each round.
func (r *rounds) count(ctx context.Context, c command) ([][]string, error) {
	r.restart()
	r.set(true)
	_, err := c.once(ctx)
	r.set(false)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.text, err)
	}
	return r.sent, nil
}

func (r *rounds) set(on bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.on = on
}

// measureDepth counts the rounds of each job for an image in few and in many regions.
func (l *lab) measureDepth(ctx context.Context) error {
	for _, n := range []int{1, 3, len(regions)} {
		d := depth{Regions: n}
		publish := l.build("base", "-var", "copy_to="+hclList(regions[1:n]))
		publish.before = func(ctx context.Context) error { return l.change(ctx, "base/tasks/upgrade.sh") }
		exists := l.template("needed", `inputs={ubuntu="`+l.ubuntu+`"}`, "regions="+hclList(regions[:n]))
		for _, job := range []struct {
			command command
			depth   *int
		}{
			{publish, &d.Publish}, {l.template("resolve", "way=registry"), &d.Resolve}, {exists, &d.Decide},
		} {
			sent, err := l.proxy.rounds.count(ctx, job.command)
			if err != nil {
				return err
			}
			// Without it, the AMIs were not checked: the command did something else.
			if text := fmt.Sprint(sent); !strings.Contains(text, "EC2") {
				return fmt.Errorf("%s: EC2 was not asked: %s", job.command.text, text)
			}
			*job.depth = len(sent)
		}
		l.logf("   %+v", d)
		l.results.Depth = append(l.results.Depth, d)
	}
	return nil
}
