// SPDX-License-Identifier: MPL-2.0

package main

import (
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// promised are the figures that must be there, whatever else is measured.
var promised = []string{
	"unchanged_vs_glue", "unchanged_vs_floor", "changed_added_vs_glue", "lookup_registry_vs_amazon_ami",
	"lookup_tag_vs_amazon_ami", "depth_resolve", "depth_needed", "depth_publish_10_regions", "history_100k_vs_10",
	"publishers_32_seconds", "publishers_128_seconds", "binary_vs_amazon", "binary_mb", "describe_ms",
	"needed_50k_files_vs_500",
}

// TestQuick runs everything in short. It asserts no figure: those of a machine that runs tests mean nothing.
func TestQuick(t *testing.T) {
	if os.Getenv("PACKER_ACC") == "" {
		t.Skip("PACKER_ACC is not set: make test sets it")
	}
	out := t.TempDir()
	err := run(t.Context(), options{root: "../..", out: out, quick: true, chosen: measurements, log: t.Output()})
	if errors.Is(err, errNoTool) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	body, err := os.ReadFile(filepath.Join(out, "results.json"))
	if err != nil {
		t.Fatal(err)
	}
	var rows []Row
	if err := json.Unmarshal(body, &rows); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(out, "RESULTS.md"))
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]Row{}
	for _, row := range rows {
		if _, twice := got[row.Name]; twice {
			t.Errorf("%s is there twice", row.Name)
		}
		got[row.Name] = row
		if row.Runs == 0 || row.Unit == "" || row.Theirs == 0 || math.Abs(row.Ratio-row.Ours/row.Theirs) > 1e-9 {
			t.Errorf("%+v", row)
		}
		if !strings.Contains(string(text), "| `"+row.Name+"` |") {
			t.Errorf("%s is not in RESULTS.md", row.Name)
		}
	}
	for _, name := range promised {
		if _, ok := got[name]; !ok {
			t.Errorf("%s was not measured", name)
		}
	}
}

func TestFigure_row(t *testing.T) {
	f := figure{name: "n", unit: "s", ours: []float64{3, 1, 2}, theirs: []float64{3, 5, 8, 2}}
	want := Row{Name: "n", Ours: 2, Theirs: 4, Ratio: 0.5, Unit: "s", Runs: 3}
	if diff := cmp.Diff(want, f.row()); diff != "" {
		t.Error(diff)
	}
	if got := f.verdict(); got != "" {
		t.Errorf("without a goal: %q", got)
	}
	for _, tt := range []struct {
		name string
		goal goal
		want string
	}{
		{"ratio reached", goal{text: "half", most: 0.5}, "yes"},
		{"ratio missed", goal{text: "less", most: 0.4}, "no"},
		{"value reached", goal{text: "2 s", most: 2, ours: true}, "yes"},
		{"value missed", goal{text: "1 s", most: 1, ours: true}, "no"},
	} {
		f.goal = tt.goal
		if got := f.verdict(); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestChoose(t *testing.T) {
	got, err := choose("git,unchanged")
	if err != nil || len(got) != 2 || got[0].name != "unchanged" || got[1].name != "git" {
		t.Errorf("%v %v", got, err)
	}
	if _, err := choose("git,speed"); err == nil || err.Error() != `there is no measurement "speed"` {
		t.Errorf("%v", err)
	}
}

func TestInTurn(t *testing.T) {
	var order strings.Builder
	say := func(name string, value float64) side {
		return func() (float64, error) { order.WriteString(name); return value, nil }
	}
	got, err := (&lab{}).inTurn(2, say("a", 1), say("b", 2))
	if err != nil || order.String() != "ababab" {
		t.Errorf("%q %v", &order, err)
	}
	if diff := cmp.Diff([][]float64{{1, 1}, {2, 2}}, got); diff != "" {
		t.Errorf("the round that does not count: %s", diff)
	}
}

func TestTrace(t *testing.T) {
	at := func(start, end int) request {
		begin := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
		return request{start: begin.Add(time.Duration(start) * time.Millisecond), end: begin.Add(time.Duration(end) * time.Millisecond)}
	}
	for _, tt := range []struct {
		name  string
		in    trace
		depth int
		span  time.Duration
	}{
		{"nothing", nil, 0, 0},
		{"one after another", trace{at(0, 50), at(50, 100), at(101, 150)}, 3, 150 * time.Millisecond},
		{"side by side", trace{at(0, 50), at(1, 52), at(2, 51)}, 1, 52 * time.Millisecond},
		{"two, then three, then one", trace{at(0, 50), at(0, 60), at(61, 110), at(62, 115), at(63, 111), at(120, 170)}, 3, 170 * time.Millisecond},
		{"one beside two", trace{at(0, 110), at(0, 50), at(51, 100)}, 2, 110 * time.Millisecond},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.in.depth() != tt.depth || tt.in.span() != tt.span {
				t.Errorf("depth %d in %s, want %d in %s", tt.in.depth(), tt.in.span(), tt.depth, tt.span)
			}
		})
	}
}

func TestAfterBake(t *testing.T) {
	at := func(agent string, second int) request {
		begin := time.Date(2026, 1, 2, 3, 4, second, 0, time.UTC)
		return request{agent: agent, start: begin, end: begin.Add(time.Second)}
	}
	const ours, amazon, cli = "aws-sdk-go-v2/1.42", "APN/1.0 HashiCorp/1.0 Packer/1.16 aws-sdk-go-v2/1.42", "aws-cli/1.45 Botocore/1.43"
	sent := trace{at(ours, 0), at(amazon, 2), at(amazon, 4), at(ours, 6), at(cli, 8), at(ours, 10)}
	if got := sent.by(isChainPlugin); len(got) != 3 {
		t.Errorf("of all, ours: %v", got)
	}
	if got := afterBake(isChainPlugin)(sent); len(got) != 2 || got[0].start != sent[3].start {
		t.Errorf("ours: %v", got)
	}
	if got := afterBake(isCLI)(sent); len(got) != 1 || got[0].agent != cli {
		t.Errorf("theirs: %v", got)
	}
}
