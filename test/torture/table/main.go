// SPDX-License-Identifier: MPL-2.0

// Table runs the tests that try to break what docs/reliability.md promises, and prints a table of
// what was tried, lost and duplicated. Its exit status is not 0 if a promise is broken.
package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"text/tabwriter"
)

const (
	// builds are the promises that only whole builds can show.
	builds = "^TestAcc(Concurrent|Interrupt|Secrets)"
	// failures are those that scripts show: the pattern of a test and that of its scripts.
	failures = "^TestAccScripts$/^failure-"
	// raced runs with the race detector, for which all others are too slow.
	raced = "TestPublish_race"
)

func main() {
	long := flag.Bool("long", false, "run with the full figures")
	seed := flag.Uint64("seed", rand.Uint64(), "repeat a run that printed this `seed`")
	run := flag.String("run", "", "run only tests and fuzz tests that match this `pattern`")
	flag.Parse()
	pattern, err := regexp.Compile(*run)
	if err == nil && flag.NArg() > 0 {
		err = fmt.Errorf("unexpected argument %q", flag.Arg(0))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	fmt.Printf("seed %d\n", *seed)
	t := &table{long: *long, ok: true}
	flags := []string{fmt.Sprintf("-long=%t", *long), fmt.Sprintf("-seed=%d", *seed)}
	t.test("./test/torture", flags, "-run="+*run, "-skip=^("+raced+"|TestCheckHistory)$")
	if pattern.MatchString(raced) {
		// The flags of make test: what that compiled is used again.
		t.test("./test/torture", flags, "-run=^"+raced+"$", "-race",
			"-gcflags=github.com/aws/aws-sdk-go-v2/service/...=-dwarf=false -l")
	}
	t.test("./test/acceptance", nil, "-run="+cmp.Or(*run, builds))
	if *run == "" {
		t.test("./test/acceptance", nil, "-run="+failures)
	}
	if *run == "" || strings.Contains(*run, "Fuzz") {
		t.fuzz(*run)
	}
	if len(t.rows) == 0 {
		fmt.Println("no test matches")
		os.Exit(1)
	}
	if !t.print() {
		fmt.Printf("\nA promise is broken. Repeat it with -seed %d and -run.\n", *seed)
		os.Exit(1)
	}
}

// row is the result of a test.
type row struct {
	name string
	// figures are the attributes of the test: tried, lost, duplicated, note.
	figures map[string]string
	seconds float64
	kept    bool
	output  bytes.Buffer
}

type table struct {
	long bool
	rows []*row
	// ok is true if every command succeeded.
	ok bool
}

// row returns the row of a test, and adds it if it is the first.
func (t *table) row(name string) *row {
	for _, r := range t.rows {
		if r.name == name {
			return r
		}
	}
	fmt.Println("==", name)
	r := &row{name: name, figures: map[string]string{}}
	t.rows = append(t.rows, r)
	return r
}

// command returns a command whose environment has everything that the tests need.
func (t *table) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	cmd.Stderr = os.Stderr
	cmd.Env = append(os.Environ(), "PACKER_ACC=1", "CHAIN_REQUIRE_TOOLS=1")
	if t.long {
		cmd.Env = append(cmd.Env, "CHAIN_LONG=1")
	}
	return cmd
}

// test runs tests of a package, each of which becomes a row.
func (t *table) test(pkg string, flags []string, args ...string) {
	args = append([]string{"test", "-json", "-count=1", "-timeout=1h"}, args...)
	cmd := t.command("go", append(append(args, pkg), flags...)...)
	if slices.Contains(args, "-race") {
		cmd.Env = append(cmd.Env, "CGO_ENABLED=1")
	}
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	var rest strings.Builder
	for events := json.NewDecoder(out); err == nil; {
		var e event
		if err = events.Decode(&e); err == nil {
			t.note(e, &rest)
		}
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	if err = errors.Join(err, cmd.Wait()); err != nil {
		t.ok = false
		fmt.Printf("%sgo test %s: %v\n", &rest, pkg, err)
	}
}

// event is a line of go test -json.
type event struct {
	Action, Test, Output, Key, Value string
	Elapsed                          float64
}

// note puts an event into the row of its test. What belongs to no test goes to rest.
func (t *table) note(e event, rest io.Writer) {
	if e.Test == "" {
		fmt.Fprint(rest, e.Output)
		return
	}
	name, _, isSubtest := strings.Cut(e.Test, "/")
	r := t.row(name)
	r.output.WriteString(e.Output)
	switch {
	case isSubtest:
	case e.Action == "attr":
		r.figures[e.Key] = e.Value
	case e.Action == "pass", e.Action == "fail", e.Action == "skip":
		r.kept, r.seconds = e.Action == "pass", e.Elapsed
		if !r.kept {
			fmt.Print(r.output.String())
		}
	}
}

// fuzzed is how scripts/fuzz reports the end of a fuzz test.
var fuzzed = regexp.MustCompile(`(?m)^(Fuzz\S+)\s+\S+\s+(?:FAILED|execs: (\d+))`)

// fuzz runs fuzz tests, each of which becomes a row.
func (t *table) fuzz(pattern string) {
	seconds := 20
	if t.long {
		seconds = 30
	}
	cmd := t.command("scripts/fuzz", fmt.Sprintf("%ds", seconds), cmp.Or(pattern, "."))
	var out bytes.Buffer
	cmd.Stdout = io.MultiWriter(os.Stdout, &out)
	fmt.Println("== scripts/fuzz")
	if err := cmd.Run(); err != nil {
		t.ok = false
		fmt.Println("scripts/fuzz:", err)
	}
	for _, match := range fuzzed.FindAllStringSubmatch(out.String(), -1) {
		t.rows = append(t.rows, &row{name: match[1], seconds: float64(seconds), kept: match[2] != "",
			figures: map[string]string{"tried": match[2]}})
	}
}

// print prints the table, and reports whether all promises were kept.
func (t *table) print() bool {
	ok := t.ok
	out := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(out, "\npromise\ttried\tlost\tduplicated\tseconds\tkept\tnote")
	for _, r := range t.rows {
		kept, lost := "yes", "0"
		if !r.kept {
			kept, lost, ok = "NO", "1", false
		}
		// A test without figures is one try.
		f := r.figures
		fmt.Fprintf(out, "%s\t%s\t%s\t%s\t%.1f\t%s\t%s\n", r.name, cmp.Or(f["tried"], "1"),
			cmp.Or(f["lost"], lost), cmp.Or(f["duplicated"], "0"), r.seconds, kept, f["note"])
	}
	_ = out.Flush()
	return ok
}
