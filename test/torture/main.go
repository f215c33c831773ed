// SPDX-License-Identifier: MPL-2.0

package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"
	"time"
)

func main() {
	runChild()
	long := flag.Bool("long", false, "run with the full figures")
	seed := flag.Uint64("seed", 0, "repeat a run that printed this `seed`; 0: a new one")
	only := flag.String("only", "", "run only the promises with these `names`, separated by commas")
	flag.Parse()
	chosen, err := choose(promises, *only)
	if err == nil && flag.NArg() > 0 {
		err = fmt.Errorf("unexpected argument %q", flag.Arg(0))
	}
	if err == nil {
		err = cleanEnvironment()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	for *seed == 0 {
		*seed = rand.Uint64()
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	kept := torture{out: os.Stdout, seed: *seed, long: *long}.all(ctx, chosen)
	stop()
	if !kept {
		os.Exit(1)
	}
}

func choose(all []Promise, only string) ([]Promise, error) {
	if only == "" {
		return all, nil
	}
	var chosen []Promise
	for name := range strings.SplitSeq(only, ",") {
		i := slices.IndexFunc(all, func(p Promise) bool { return p.Name == name })
		if i < 0 {
			return nil, fmt.Errorf("there is no promise %q", name)
		}
		chosen = append(chosen, all[i])
	}
	return chosen, nil
}

// outcome is a line of the table.
type outcome struct {
	name   string
	result Result
	took   time.Duration
	err    error
}

func (o outcome) kept() bool { return o.err == nil && o.result.Lost == 0 && o.result.Duplicated == 0 }

type torture struct {
	out  io.Writer
	seed uint64
	long bool
}

// all runs promises one after the other, and tells whether all were kept.
func (t torture) all(ctx context.Context, chosen []Promise) bool {
	fmt.Fprintf(t.out, "seed %d\n", t.seed)
	kept := true
	var outcomes []outcome
	for _, p := range chosen {
		o := t.one(ctx, p)
		kept = kept && o.kept()
		outcomes = append(outcomes, o)
	}
	printTable(t.out, outcomes)
	if !kept {
		fmt.Fprintf(t.out, "\nA promise is broken. Repeat it with -seed %d and -only.\n", t.seed)
	}
	return kept
}

func (t torture) one(ctx context.Context, p Promise) outcome {
	var mu sync.Mutex
	logf := func(format string, args ...any) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Fprintf(t.out, "   "+format+"\n", args...)
	}
	var dirs []string
	tempDir := func() string {
		dir, err := os.MkdirTemp("", "chain-torture-")
		if err != nil {
			panic(err)
		}
		mu.Lock()
		defer mu.Unlock()
		dirs = append(dirs, dir)
		return dir
	}
	fmt.Fprintf(t.out, "== %s (seed %d)\n", p.Name, t.seed)
	started := time.Now()
	ctx, cancel := context.WithTimeout(ctx, promiseLimit)
	defer cancel()
	result, err := p.Run(ctx, &Run{Name: p.Name, Seed: t.seed, Long: t.long, Logf: logf, TempDir: tempDir})
	if err == nil {
		err = ctx.Err()
	}
	for _, dir := range dirs {
		_ = os.RemoveAll(dir)
	}
	if err != nil {
		logf("BROKEN: %v", err)
	}
	return outcome{name: p.Name, result: result, took: time.Since(started), err: err}
}

func printTable(out io.Writer, outcomes []outcome) {
	fmt.Fprintln(out)
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "promise\ttried\tlost\tduplicated\tseconds\tkept\tnote")
	for _, o := range outcomes {
		kept, note := "yes", o.result.Note
		if !o.kept() {
			kept = "NO"
		}
		if o.err != nil {
			note, _, _ = strings.Cut(o.err.Error(), "\n")
		}
		fmt.Fprintf(table, "%s\t%d\t%d\t%d\t%.1f\t%s\t%s\n",
			o.name, o.result.Tried, o.result.Lost, o.result.Duplicated, o.took.Seconds(), kept, note)
	}
	_ = table.Flush()
}
