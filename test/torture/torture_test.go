// SPDX-License-Identifier: MPL-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// seedVariable repeats a run of the tests that printed this seed.
const seedVariable = "CHAIN_TORTURE_SEED"

func TestMain(m *testing.M) {
	runChild()
	if err := cleanEnvironment(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	os.Exit(m.Run())
}

// TestPromises runs every promise in its short form.
func TestPromises(t *testing.T) {
	seed := rand.Uint64()
	if text := os.Getenv(seedVariable); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("repeat with %s=%d", seedVariable, seed)
	for _, p := range promises {
		t.Run(p.Name, func(t *testing.T) {
			r := &Run{Name: p.Name, Seed: seed, Logf: t.Logf, TempDir: t.TempDir}
			ctx, cancel := context.WithTimeout(t.Context(), promiseLimit)
			defer cancel()
			result, err := p.Run(ctx, r)
			needed := os.Getenv("CI") != "" || os.Getenv("CHAIN_REQUIRE_TOOLS") != ""
			if errors.Is(err, errNoTool) && !needed {
				t.Skip(err)
			}
			if o := (outcome{name: p.Name, result: result, err: err}); !o.kept() {
				t.Errorf("broken: %+v: %v", result, err)
			}
			t.Logf("%+v", result)
		})
	}
}

func TestTorture_all(t *testing.T) {
	tests := []struct {
		name   string
		result Result
		err    error
		want   bool
		line   string
	}{
		{name: "kept", result: Result{Tried: 7, Note: "fine"}, want: true, line: "p  7  0  0 yes fine"},
		{name: "lost", result: Result{Tried: 7, Lost: 1}, line: "p 7 1 0 NO"},
		{name: "duplicated", result: Result{Tried: 7, Duplicated: 2}, line: "p 7 0 2 NO"},
		{name: "error", result: Result{Note: "fine"}, err: errors.New("no luck\nmore"), line: "p 0 0 0 NO no luck"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var out strings.Builder
			p := Promise{"p", func(_ context.Context, r *Run) (Result, error) {
				first, again, other := r.Random(1).Uint64(), r.Random(1).Uint64(), r.Random(2).Uint64()
				if r.Seed != 5 || first != again || first == other {
					t.Error("chance does not come from the seed")
				}
				return tt.result, tt.err
			}}
			kept := torture{out: &out, seed: 5}.all(t.Context(), []Promise{p})
			if kept != tt.want {
				t.Errorf("kept %v, want %v", kept, tt.want)
			}
			if got := tableLine(out.String(), "p"); got != strings.Join(strings.Fields(tt.line), " ") {
				t.Errorf("line %q, want %q in\n%s", got, tt.line, &out)
			}
		})
	}
}

// tableLine is the line of a promise without the seconds.
func tableLine(text, name string) string {
	for line := range strings.Lines(text) {
		if fields := strings.Fields(line); len(fields) > 5 && fields[0] == name {
			return strings.Join(append(fields[:4:4], fields[5:]...), " ")
		}
	}
	return ""
}

func TestTorture_ends(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out strings.Builder
	p := Promise{"p", func(context.Context, *Run) (Result, error) { return Result{Tried: 1}, nil }}
	if (torture{out: &out, seed: 5}).all(ctx, []Promise{p}) {
		t.Error("a run that was interrupted counts as kept")
	}
}

func TestChoose(t *testing.T) {
	all := []Promise{{Name: "a"}, {Name: "b"}, {Name: "c"}}
	got, err := choose(all, "c,a")
	if err != nil || len(got) != 2 || got[0].Name != "c" || got[1].Name != "a" {
		t.Errorf("got %+v %v", got, err)
	}
	if _, err := choose(all, "a,x"); err == nil || err.Error() != `there is no promise "x"` {
		t.Errorf("error %v", err)
	}
}

// TestFuzz_all wants each fuzz test of the repository in the torture: one that is renamed would drop out unseen.
func TestFuzz_all(t *testing.T) {
	declared := regexp.MustCompile(`(?m)^func (Fuzz\w+)\(`)
	var found []string
	err := filepath.WalkDir("../..", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		body, err := os.ReadFile(path)
		for _, match := range declared.FindAllStringSubmatch(string(body), -1) {
			found = append(found, match[1])
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	run := strings.Split(fuzzedDocuments+"|"+fuzzedTexts, "|")
	slices.Sort(found)
	slices.Sort(run)
	if diff := cmp.Diff(found, run); diff != "" {
		t.Errorf("fuzz tests that are there and those that run (-there +run):\n%s", diff)
	}
}

// TestRace publishes under the race detector, in full where CHAIN_LONG is set.
func TestRace(t *testing.T) {
	handler, err := fakeBucket()
	if err != nil {
		t.Fatal(err)
	}
	url, stop := serve(handler)
	defer stop()
	w := raceWorkload(os.Getenv("CHAIN_LONG") != "")
	v, err := w.try(t.Context(), bucketOpener(t.Context(), url, bucketOptions{}))
	if err != nil {
		t.Error(err)
	}
	t.Logf("torture: tried=%d lost=%d duplicated=%d", w.Writers*w.Publishes, v.Lost, v.Duplicated)
}
