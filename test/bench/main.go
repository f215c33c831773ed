// SPDX-License-Identifier: MPL-2.0

// Bench measures the plugin beside what a user would use instead: the same machine, the same run, in turn.
// It writes test/bench/RESULTS.md and test/bench/results.json; "make bench" runs it in full, its test in short. The
// servers of AWS are emulated on this machine, so no time in here is one of AWS: ratios, and the number of
// requests one after another, are what carries over.
package main

import (
	"context"
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

// measurement is one of the things that are measured.
type measurement struct {
	name string
	run  func(context.Context, *lab) (findings, error)
}

var measurements = []measurement{
	{"unchanged", unchanged},
	{"lookup", lookup},
	{"changed", changed},
	{"depth", roundTrips},
	{"history", history},
	{"publishers", publishers},
	{"binary", binary},
	{"git", git},
}

func main() {
	if err := mainWith(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func mainWith() error {
	quick := flag.Bool("quick", false, "few runs and small sizes: shows that it works, not how fast it is")
	only := flag.String("only", "", "run only the measurements with these `names`, separated by commas")
	out := flag.String("out", "test/bench", "the `folder` for RESULTS.md and results.json")
	flag.Parse()
	chosen, err := choose(*only)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return run(ctx, options{root: ".", out: *out, quick: *quick, chosen: chosen, log: os.Stderr})
}

type options struct {
	root, out string
	quick     bool
	chosen    []measurement
	log       io.Writer
}

// choose keeps the order: what history leaves behind in the emulator slows down all that comes after it.
func choose(only string) ([]measurement, error) {
	if only == "" {
		return measurements, nil
	}
	names := strings.Split(only, ",")
	for _, name := range names {
		if !slices.ContainsFunc(measurements, func(m measurement) bool { return m.name == name }) {
			return nil, fmt.Errorf("there is no measurement %q", name)
		}
	}
	return slices.DeleteFunc(slices.Clone(measurements), func(m measurement) bool {
		return !slices.Contains(names, m.name)
	}), nil
}

// run measures, and writes the results when all went well.
func run(ctx context.Context, o options) (err error) {
	started := time.Now()
	l, err := newLab(ctx, o)
	if err != nil {
		return err
	}
	defer func() {
		if closeErr := l.close(); err == nil {
			err = closeErr
		}
	}()
	var all findings
	for _, m := range o.chosen {
		begun := time.Now()
		got, err := m.run(ctx, l)
		if err != nil {
			return fmt.Errorf("measure %s: %w", m.name, err)
		}
		all.figures = append(all.figures, got.figures...)
		all.tables = append(all.tables, got.tables...)
		l.logf("== %s: %s", m.name, time.Since(begun).Round(100*time.Millisecond))
		for _, f := range got.figures {
			row := f.row()
			l.logf("   %-34s %10.4g %10.4g  ratio %.3g %s", row.Name, row.Ours, row.Theirs, row.Ratio, f.verdict())
		}
	}
	if err := l.toolVersions(ctx); err != nil {
		return err
	}
	return write(o.out, report{
		findings: all, versions: l.versions, date: started, took: time.Since(started), quick: o.quick})
}
