// SPDX-License-Identifier: MPL-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// job is one thing that is done with the network far away.
type job struct {
	name string
	// do does it once; sent picks the requests that count.
	do   side
	sent func(trace) trace
	// asks, where set, is a request without which it did something else.
	asks string
	// samples
	requests, depth, span, own []float64
	last                       trace
}

// roundTrips counts how many requests each job makes, and how many of them wait for another one.
func roundTrips(ctx context.Context, l *lab) (findings, error) {
	if err := l.buildChains(ctx); err != nil {
		return findings{}, err
	}
	if err := l.warmRegions(ctx); err != nil {
		return findings{}, err
	}
	lookups, bakes := l.lookupJobs(ctx), l.bakeJobs(ctx)
	latency := time.Duration(l.pick(50, 5)) * time.Millisecond
	err := l.delayed(latency, func() error {
		return errors.Join(l.count(l.pick(10, 1), lookups), l.count(l.pick(10, 1), bakes))
	})
	if err != nil {
		return findings{}, err
	}
	by := map[string]*job{}
	for _, j := range append(lookups, bakes...) {
		by[j.name] = j
	}
	figures := []figure{
		depthFigure("depth_resolve", by["resolve by registry"], by["glue: parent by tag"], 2),
		depthFigure("depth_resolve_tag", by["resolve by tag"], by["glue: parent by tag"], 2),
		depthFigure("depth_needed", by["exists"], by["glue: exists, in one region"], 2),
		depthFigure("depth_unchanged", by["nothing changed, whole run"], by["glue: nothing changed, whole run"], 0),
		depthFigure("depth_needed_new", by["needed"], by["glue: exists, in one region"], 2),
	}
	for _, n := range slices.Sorted(maps.Keys(l.published())) {
		name := fmt.Sprintf("depth_publish_%d_regions", n)
		figures = append(figures, depthFigure(name, by[publishing("ours", n)], by[publishing("glue", n)], 5))
	}
	return findings{figures: figures, tables: []table{depthTable(latency, append(lookups, bakes...))}}, nil
}

// published are the numbers of regions, by the one that names the figure. A quick run has one, and that is
// smaller than its name.
func (l *lab) published() map[int]int {
	if l.quick {
		return map[int]int{10: 2}
	}
	return map[int]int{1: 1, 3: 3, 10: 10}
}

func (l *lab) lookupJobs(ctx context.Context) []*job {
	needed := func(ubuntu string) (float64, error) {
		args := []string{"-var", "image=baseline-ubuntu", "-var", "path=" + l.repoFolder("base"),
			"-var", "regions=" + hclList(regions[:wanted]), "-var", `inputs={ubuntu="` + ubuntu + `"}`}
		return l.template(ctx, "needed", args...)
	}
	return []*job{
		{name: "resolve by registry", do: func() (float64, error) { return l.resolve(ctx, "registry") }},
		{name: "resolve by tag", do: func() (float64, error) { return l.resolve(ctx, "tag") }},
		{name: "resolve by local manifest", do: func() (float64, error) {
			return l.resolve(ctx, "local_manifest", "-var", "manifest="+l.repoFolder("base", "manifest-baseline-ubuntu.json"))
		}},
		{name: "exists", do: func() (float64, error) { return needed(l.ubuntu) }, asks: "EC2 DescribeImages"},
		{name: "needed", do: func() (float64, error) { return needed("another") }},
		{name: "nothing changed, whole run", do: func() (float64, error) {
			return l.build(ctx, l.repoFolder("snowflake"), copyTo(wanted)...)
		}},
		{name: "glue: nothing changed, whole run", do: func() (float64, error) { return l.gluedSnowflake(ctx, wanted) }},
		{name: "glue: parent by tag", do: func() (float64, error) { return l.glue(ctx, wanted, "parent", "base") }},
		{name: "glue: exists, in one region", do: func() (float64, error) { return l.glue(ctx, wanted, "exists", "snowflake") }},
	}
}

func publishing(who string, n int) string { return fmt.Sprintf("%s: publish in %d regions", who, n) }

// bakeJobs bake for real, as there is no other way to publish, and count what came after the bake.
func (l *lab) bakeJobs(ctx context.Context) []*job {
	var jobs []*job
	for _, name := range slices.Sorted(maps.Keys(l.published())) {
		n := l.published()[name]
		jobs = append(jobs, &job{name: publishing("ours", name), sent: afterBake(isChainPlugin), do: func() (float64, error) {
			if err := l.change(ctx); err != nil {
				return 0, err
			}
			return l.build(ctx, l.repoFolder("snowflake"), copyTo(n)...)
		}}, &job{name: publishing("glue", name), sent: afterBake(isCLI), do: func() (float64, error) {
			return l.gluedSnowflake(ctx, n)
		}})
	}
	return jobs
}

// afterBake picks the requests of one program that came after the last one of the builder.
func afterBake(who func(string) bool) func(trace) trace {
	return func(t trace) trace {
		var baked time.Time
		for _, r := range t.by(isAmazonPlugin) {
			if r.end.After(baked) {
				baked = r.end
			}
		}
		return t.by(who).after(baked)
	}
}

func (l *lab) count(n int, jobs []*job) error {
	for range n {
		for _, j := range jobs {
			l.proxy.take()
			if _, err := j.do(); err != nil {
				return fmt.Errorf("%s: %w", j.name, err)
			}
			j.add(l.proxy.take())
			if len(j.last) == 0 || !strings.Contains(j.last.String(), j.asks) {
				return fmt.Errorf("%s: %d requests, and no %s:\n%s", j.name, len(j.last), j.asks, j.last)
			}
		}
	}
	return nil
}

func (j *job) add(t trace) {
	if j.sent != nil {
		t = j.sent(t)
	}
	j.last = t
	j.requests = append(j.requests, float64(len(t)))
	j.depth = append(j.depth, float64(t.depth()))
	j.span = append(j.span, milliseconds(t.span()))
	j.own = append(j.own, t.own())
}

func depthFigure(name string, ours, theirs *job, most float64) figure {
	f := figure{name: name, unit: "requests one after another", ours: ours.depth, theirs: theirs.depth,
		us: ours.name, them: theirs.name}
	if most > 0 {
		f.goal = goal{text: fmt.Sprintf("at most %g", most), most: most, ours: true}
	}
	return f
}

// depthTable puts the time of the requests beside the least that it can be: their depth times the delay.
func depthTable(latency time.Duration, jobs []*job) table {
	t := table{title: fmt.Sprintf("Round trips, with %s added to each request", latency),
		head: []string{"job", "requests", "one after another", "first request to last answer, ms", "depth × delay, ms",
			"ratio", "emulator's median answer, ms"},
		note: "The emulator answers one request at a time. " +
			"What it takes itself is part of the time, and no part of depth × delay."}
	for _, j := range jobs {
		least := median(j.depth) * milliseconds(latency)
		ratio := "-"
		if least > 0 {
			ratio = fmt.Sprintf("%.2f", median(j.span)/least)
		}
		t.rows = append(t.rows, []string{j.name, fmt.Sprintf("%g", median(j.requests)), fmt.Sprintf("%g", median(j.depth)),
			fmt.Sprintf("%.0f", median(j.span)), fmt.Sprintf("%.0f", least), ratio, fmt.Sprintf("%.1f", median(j.own))})
	}
	for _, j := range jobs {
		t.note += "\n\n" + j.name + ":\n\n```text\n" + j.last.String() + "```"
	}
	return t
}
