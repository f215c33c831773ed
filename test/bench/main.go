// SPDX-License-Identifier: MPL-2.0

// Bench measures the plugin against what a user would use instead, on one machine and in turn. It
// writes test/bench/RESULTS.md and test/bench/results.json; "make bench" runs it. AWS is emulated
// on this machine: ratios carry over, and the number of requests that wait for one another; seconds
// do not.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"
)

type measurement struct {
	name string
	run  func(*lab, context.Context) error
}

// measurements are in the order in which they run: depth changes the base of the chain, and history
// leaves a full registry behind.
var measurements = []measurement{
	{"unchanged", (*lab).measureUnchanged},
	{"lookup", (*lab).measureLookup},
	{"changed", (*lab).measureChanged},
	{"files", (*lab).measureFiles},
	{"binary", (*lab).measureBinary},
	{"publishers", (*lab).measurePublishers},
	{"depth", (*lab).measureDepth},
	{"after", (*lab).measureAfter},
	{"after-depth", (*lab).measureAfterDepth},
	{"report", (*lab).measureReport},
	{"history", (*lab).measureHistory},
}

func main() {
	o := options{root: ".", log: os.Stderr}
	flag.BoolVar(&o.quick, "quick", false, "one run each of small sizes: shows that it works, no more")
	flag.StringVar(&o.only, "only", "", "run the measurements with these `names`, separated by commas")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	got, err := run(ctx, o)
	stop()
	switch {
	case err != nil:
	case o.quick || o.only != "":
		fmt.Print(got)
	default:
		err = got.write("test/bench")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

type options struct {
	root  string
	quick bool
	// only names measurements, separated by commas. Empty means all.
	only string
	log  io.Writer
}

// run measures what the options say.
func run(ctx context.Context, o options) (got results, err error) {
	chosen, err := choose(o.only)
	if err != nil {
		return got, err
	}
	started := time.Now()
	l, err := newLab(ctx, o)
	if err != nil {
		return got, err
	}
	defer func() { err = errors.Join(err, l.close()) }()
	for _, m := range chosen {
		l.logf("== %s", m.name)
		if err := m.run(l, ctx); err != nil {
			return got, fmt.Errorf("measure %s: %w", m.name, err)
		}
	}
	took := time.Since(started).Round(time.Second)
	l.results.machine = append(l.versions(ctx), "measured in "+took.String())
	return l.results, nil
}

// choose returns the measurements with these names, in the order of [measurements], or all.
func choose(only string) (chosen []measurement, err error) {
	names := strings.Split(only, ",")
	for _, m := range measurements {
		if only == "" || slices.Contains(names, m.name) {
			chosen = append(chosen, m)
		}
	}
	if only != "" && len(chosen) != len(names) {
		return nil, fmt.Errorf("measure %s: not all of them exist", only)
	}
	return chosen, nil
}
