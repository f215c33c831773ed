// SPDX-License-Identifier: MPL-2.0

package torture

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// maxSteps is how long a history is.
const maxSteps = 18

// TestModel plays random histories of two images, one built on the other: commits, branches, pull
// requests, runs again, forced runs, failures, promotions and rollbacks. The components are the
// real ones, with git and a registry in a folder. A small model says who may move what: after each
// step, the registry must be as it says.
func TestModel(t *testing.T) {
	ctx, n := begin(t)
	for _, pair := range os.Environ() {
		name, _, _ := strings.Cut(pair, "=")
		if !slices.Contains([]string{"PATH", "HOME", "TMPDIR", "SYSTEMROOT", "GOCOVERDIR"}, name) {
			t.Setenv(name, "")
		}
	}
	t.Setenv("GIT_CONFIG_NOSYSTEM", "1")
	t.Setenv("GIT_CONFIG_GLOBAL", os.DevNull)
	// Go's goroutine for signals stays, and must not be one of a history.
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt)
	signal.Stop(signals)
	runs, bakes := 0, 0
	for i := range figure(50, 500) {
		n.try(t, fmt.Sprintf("history-%d", i), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := play(t)
				runs, bakes = runs+h.runs, bakes+len(h.bakes)
			})
		})
		if deadline, _ := ctx.Deadline(); n.lost >= maxBroken || time.Until(deadline) < lastCall {
			t.Logf("%d histories are enough", i+1)
			break
		}
	}
	n.note = fmt.Sprintf("histories of %d steps: %d runs, %d bakes", maxSteps, runs, bakes)
}

const (
	// maxBroken is how many histories may fail before the rest is left out.
	maxBroken = 3
	// lastCall is how long before its limit the promise begins no other history, on a slow machine.
	lastCall = 20 * time.Second
)

// history is one history: what is real, and the model.
type history struct {
	t      *testing.T
	chance *rand.Rand
	story  []string

	git      *checkout
	registry string
	model    *model

	// branches is the option of the post-processor; nil if the template does not set it.
	branches []string

	main  *commit
	heads []*commit
	// unpushed is what only a laptop has, of those that are built on main.
	unpushed *commit
	// past are the runs so far.
	past []again

	runs  int
	bakes map[string]*bake
	// names are what fingerprints, contents and commits of the plugin are in the model.
	names map[string]map[string]string
}

// again is a run that can be run again.
type again struct {
	image string
	place place
}

// play plays one history. Time is that of a bubble: it passes between the steps only.
func play(t *testing.T) *history {
	dir := t.TempDir()
	h := &history{
		t: t, chance: random(t), registry: filepath.Join(dir, "registry"), model: newModel(),
		bakes: map[string]*bake{},
		names: map[string]map[string]string{"fingerprint": {}, "content": {}, "commit": {}},
	}
	h.git = newCheckout(t, filepath.Join(dir, "work"), h.chance.IntN(2) == 0)
	t.Chdir(h.git.dir)
	h.choose(
		choice{70, func() {}},
		choice{15, func() { h.allow("branch-", "branch-*") }},
		choice{15, func() { h.allow("pr-", "refs/pull/*") }},
	)
	defer func() {
		if t.Failed() {
			t.Logf("the history:\n%s", strings.Join(h.story, "\n"))
		}
	}()
	h.main = h.commit("refs/remotes/origin/main", tree{1, 1, 1, 1})
	if h.percent(80) {
		p := branchJob("main", h.main)
		h.build(baseImage, p)
		h.build(childImage, p)
	}
	for range maxSteps {
		h.step()
	}
	return h
}

// allow lets lines of another kind than main move channels.
func (h *history) allow(kind, pattern string) {
	h.branches, h.model.mayMove = []string{"main", pattern}, []string{kind}
	h.tell("branches = %q", h.branches)
}

// tell adds a line to the story.
func (h *history) tell(format string, args ...any) {
	h.story = append(h.story, fmt.Sprintf(format, args...))
}

func (h *history) fail(format string, args ...any) {
	h.t.Helper()
	h.t.Fatalf(format, args...)
}

// choice is something that may happen, with a weight.
type choice struct {
	weight int
	do     func()
}

// choose does one of several things.
func (h *history) choose(choices ...choice) {
	sum := 0
	for _, c := range choices {
		sum += c.weight
	}
	n := h.chance.IntN(sum)
	for _, c := range choices {
		if n -= c.weight; n < 0 {
			c.do()
			return
		}
	}
}

// percent is true so often.
func (h *history) percent(n int) bool { return h.chance.IntN(100) < n }

// step is one step of a history.
func (h *history) step() {
	time.Sleep(time.Minute)
	h.choose(
		choice{28, h.change},
		choice{38, func() { h.build(h.image(), h.place()) }},
		choice{12, func() {
			p := h.place()
			h.build(baseImage, p)
			h.build(childImage, p)
		}},
		choice{22, h.moveOn},
	)
	h.compare()
}

func (h *history) image() string {
	return []string{baseImage, childImage}[h.chance.IntN(2)]
}

// build runs a template. Meanwhile other things may happen, and parts of it may fail.
func (h *history) build(of string, p place) {
	if len(h.past) > 0 && h.percent(10) {
		old := h.past[h.chance.IntN(len(h.past))]
		of, p = old.image, h.today(old.place)
	}
	h.past = append(h.past, again{of, p})
	if h.percent(15) {
		h.tell("the workspace is lost")
		h.git.lose()
		clear(h.model.local)
	}
	force, allow := h.percent(10), h.percent(4)
	h.tell("%s: %s, force %t, allow_rollback %t", p, of, force, allow)
	r := h.start(of, p, force, allow)
	if r == nil {
		return
	}
	h.meanwhile(r.id)
	if r.pass == nil && h.percent(6) {
		h.tell("  its bake fails")
		return
	}
	h.finish(r, h.broken())
}

// today returns a place as it is now: a laptop's commit may not be on its branch any more.
func (h *history) today(p place) place {
	remote := h.main
	for i, head := range h.heads {
		if p.branch == branchName(i) {
			remote = head
		}
	}
	if p.branch != "" {
		return laptop(p.branch, p.commit, remote)
	}
	return p
}

// meanwhile may do another step in the midst of a run.
func (h *history) meanwhile(id string) {
	if !h.percent(10) {
		return
	}
	h.tell("meanwhile:")
	h.step()
	h.tell("%s goes on", id)
}

// broken says what of the registry is broken at the end of a run, if anything.
func (h *history) broken() (what string) {
	h.choose(
		choice{88, func() {}},
		choice{6, func() { what = "registry" }},
		choice{3, func() { what = "lines" }},
		choice{3, func() { what = "channels" }},
	)
	if what != "" {
		h.tell("  but %s cannot be reached", what)
	}
	return what
}

// moveOn promotes an image, or rolls a channel back. What that leaves tempts the next run.
func (h *history) moveOn() {
	p := promotion{image: h.image(), from: "latest", to: "production", place: h.place(),
		allow: h.percent(20)}
	h.choose(
		choice{45, func() {}},
		choice{25, func() { h.goBack(&p, "production", 1) }},
		choice{20, func() { h.goBack(&p, "latest", 1) }},
		choice{5, func() { h.goBack(&p, "latest", 2) }},
		choice{5, func() { p.back = 1 }},
	)
	h.carryOut(p)
	if p.back == 0 || h.percent(50) {
		return
	}
	h.compare()
	time.Sleep(time.Minute)
	if p.place = branchJob("main", h.main); p.to == "latest" {
		h.build(p.image, p.place)
		return
	}
	p.from, p.back, p.allow = "latest", 0, h.percent(20)
	h.carryOut(p)
}

// goBack makes a promotion a rollback, of an image that has been there if there is one.
func (h *history) goBack(p *promotion, channel string, n int) {
	p.from, p.to, p.back, p.allow = channel, channel, n, h.percent(85)
	for _, image := range []string{baseImage, childImage} {
		at := h.model.pointers[channelKey(image, channel)]
		if at != nil && n < len(at.forwards()) {
			p.image = image
		}
	}
}

// carryOut carries a promotion out.
func (h *history) carryOut(p promotion) {
	h.tell("%s", p)
	finish := h.startPromotion(p)
	if finish == nil {
		return
	}
	h.meanwhile(fmt.Sprintf("run-%d", h.runs))
	broken := ""
	if h.percent(5) {
		broken = "channels"
		h.tell("  but %s cannot be reached", broken)
	}
	finish(broken)
}
