// SPDX-License-Identifier: MPL-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	chain "github.com/packer-chain/packer-plugin-chain/internal/registry"
	"github.com/packer-chain/packer-plugin-chain/internal/store/dirstore"
)

// TestQuick runs, with small sizes, the measurements that need no aws CLI. It asserts the depth of
// each job, but no times: those of a machine that runs tests mean nothing.
func TestQuick(t *testing.T) {
	if os.Getenv("PACKER_ACC") == "" {
		t.Skip("PACKER_ACC is not set: make test sets it")
	}
	got, err := run(t.Context(), options{root: "../..", quick: true, log: t.Output(),
		only: "lookup,files,binary,publishers,depth,after-depth,report,history"})
	if err != nil {
		t.Fatal(err)
	}
	want := []depth{
		{Regions: 1, Resolve: 2, Decide: 2, Publish: 5},
		{Regions: 3, Resolve: 2, Decide: 2, Publish: 5},
		{Regions: 10, Resolve: 2, Decide: 2, Publish: 5},
	}
	if diff := cmp.Diff(want, got.Depth); diff != "" {
		t.Errorf("depth: %s", diff)
	}
	var wantAfter []afterDepth
	for _, n := range []int{1, 3} {
		for _, moves := range []int{2, remembered} {
			wantAfter = append(wantAfter,
				afterDepth{Regions: n, Moves: moves, Promote: 11, Rollback: 9, Revoke: 10})
		}
	}
	if diff := cmp.Diff(wantAfter, got.After); diff != "" {
		t.Errorf("depth after the build: %s", diff)
	}
	var names []string
	for _, f := range got.Figures {
		names = append(names, f.Name)
		if f.Runs == 0 || f.Unit == "" || f.A <= 0 || f.B <= 0 || f.Ratio != f.A/f.B {
			t.Errorf("%+v", f)
		}
	}
	wantNames := []string{
		"lookup_registry_vs_amazon_ami", "lookup_tag_vs_amazon_ami", "files_50k_vs_500",
		"binary_vs_amazon", "describe_vs_amazon", "publishers_32", "publishers_128", "report_100k_vs_200_builds", "history_100k_vs_10",
	}
	if diff := cmp.Diff(wantNames, names); diff != "" {
		t.Errorf("figures: %s", diff)
	}
	out := t.TempDir()
	if err := got.write(out); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"RESULTS.md", "results.json"} {
		text, err := os.ReadFile(filepath.Join(out, file))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range wantNames {
			if !strings.Contains(string(text), name) {
				t.Errorf("%s is not in %s", name, file)
			}
		}
	}
}

func TestRun_unknown(t *testing.T) {
	_, err := run(t.Context(), options{only: "files,speed"})
	if err == nil || !strings.HasPrefix(err.Error(), "measure files,speed: not all of them exist") {
		t.Errorf("%v", err)
	}
}

func TestTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var order strings.Builder
		named := func(name string, seconds int) command {
			return command{
				text:   name,
				before: func(context.Context) error { time.Sleep(time.Minute); return nil },
				run: func(context.Context) error {
					order.WriteString(name)
					time.Sleep(time.Duration(seconds) * time.Second)
					return nil
				},
			}
		}
		got, err := (&lab{}).turns(t.Context(), 2, named("a", 3), named("b", 2))
		if err != nil || order.String() != "ababab" {
			t.Fatalf("%q %v", &order, err)
		}
		less := got[0].less(got[1])
		if less.text != "a, less b" || less.unit != "s" || less.median() != 1 || got[0].median() != 3 {
			t.Errorf("%+v, %+v", less, got)
		}
		failing := command{text: "c", run: func(context.Context) error { return errors.New("no") }}
		if _, err := (&lab{}).turns(t.Context(), 2, failing); err == nil || err.Error() != "c: no" {
			t.Errorf("%v", err)
		}
	})
}

func TestSeries_median(t *testing.T) {
	for want, values := range map[float64][]float64{2: {3, 1, 2}, 4: {3, 5, 8, 2}} {
		if got := (series{values: values}).median(); got != want {
			t.Errorf("median of %v: %g, want %g", values, got, want)
		}
	}
}

// TestRounds has responses that take seconds, and requests that come late without waiting for them.
func TestRounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r rounds
		request := func(name string, takes time.Duration) {
			leave := r.enter(name)
			time.Sleep(takes)
			leave()
		}
		job := command{run: func(context.Context) error {
			request("forgotten", 0)
			r.restart()
			var all sync.WaitGroup
			for i := range 3 {
				all.Go(func() {
					time.Sleep(time.Duration(i) * quiet / 2)
					request("first", time.Duration(i)*time.Second)
					request("second", 0)
				})
			}
			all.Wait()
			request("third", 0)
			return nil
		}}
		got, err := r.count(t.Context(), job)
		want := [][]string{{"first", "first", "first"}, {"second", "second", "second"}, {"third"}}
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%v\n%s", err, diff)
		}
		start := time.Now()
		if request("free", 0); time.Since(start) != 0 {
			t.Errorf("a request that is not counted was held for %s", time.Since(start))
		}
	})
}

// BenchmarkHistory measures the registry alone, in a folder, by the number of builds in it. A
// pointer remembers its last 100 moves, so a benchmark of publish soon has as many, whatever it
// began with.
func BenchmarkHistory(b *testing.B) {
	const image, ami = "app", "ami-0123456789abcdef0"
	pointers := []chain.Name{
		{Kind: chain.Line, Name: "main"}, {Kind: chain.Channel, Name: "latest"},
	}
	for _, size := range []int{10, 1_000, 100_000} {
		folder := b.TempDir()
		reg := chain.New(dirstore.New(folder))
		if err := fill(b.Context(), reg, folder, image, ami, size, remembered); err != nil {
			b.Fatal(err)
		}
		newest := fingerprint(image, min(size, remembered)-1)
		next := size
		for _, job := range []struct {
			name string
			do   func(context.Context) error
		}{
			{"resolve", func(ctx context.Context) error {
				found, err := reg.Pointers(ctx, image, pointers...)
				if err != nil {
					return err
				}
				line := found[pointers[0]]
				_, err = reg.Follow(ctx, line, line.Moves[0])
				return err
			}},
			{"decide", func(ctx context.Context) error {
				_, manifestErr := reg.Manifest(ctx, image, newest)
				_, pointerErr := reg.Pointers(ctx, image, pointers...)
				return errors.Join(manifestErr, pointerErr)
			}},
			{"publish", func(ctx context.Context) error {
				next++
				return publish(ctx, reg, image, next, ami, "latest")
			}},
		} {
			b.Run(fmt.Sprintf("%s/builds=%d", job.name, size), func(b *testing.B) {
				for b.Loop() {
					if err := job.do(b.Context()); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
