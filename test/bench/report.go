// SPDX-License-Identifier: MPL-2.0

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// figure compares two commands.
type figure struct {
	Name  string  `json:"name"`
	Unit  string  `json:"unit"`
	Runs  int     `json:"runs"`
	A     float64 `json:"a"`
	B     float64 `json:"b"`
	Ratio float64 `json:"ratio"`

	a, b, goal string
}

// depth is how many requests wait for one another in each job, for an image in that many regions.
type depth struct {
	Regions int `json:"regions"`
	Resolve int `json:"resolve"`
	Decide  int `json:"decide"`
	Publish int `json:"publish"`
}

// afterDepth is the same for what is done with an image after its build, by a channel with so many
// moves.
type afterDepth struct {
	Regions  int `json:"regions"`
	Moves    int `json:"moves"`
	Promote  int `json:"promote"`
	Rollback int `json:"rollback"`
	Revoke   int `json:"revoke"`
}

// results are what a run measured.
type results struct {
	Figures []figure     `json:"figures"`
	Depth   []depth      `json:"depth"`
	After   []afterDepth `json:"after"`

	machine []string
}

// compare adds a figure to the results. Goal may be empty.
func (l *lab) compare(name, goal string, a, b series) {
	f := figure{Name: name, Unit: a.unit, Runs: len(a.values), A: a.median(), B: b.median(),
		a: a.text, b: b.text, goal: goal}
	f.Ratio = f.A / f.B
	l.results.Figures = append(l.results.Figures, f)
	l.logf("   %-26s %8.4g %8.4g %-2s ratio %.3g", name, f.A, f.B, f.Unit, f.Ratio)
}

const introduction = `# Results of ` + "`make bench`" + `

Each command ran in turn with the one that it is compared with (A B A B), after a round that does
not count. Values are medians; the ratio is A / B. EC2 is emulated by moto and S3 by versitygw, on
the same machine; Packer, the plugins, git, the aws CLI and jq are the real ones. Files are in
test/bench.

%s.

| figure | A | B | median A | median B | ratio | goal |
|---|---|---|---|---|---|---|
`

const depthIntroduction = `
How many requests wait for one another, for an image in so many regions:

| regions | resolve | decide | publish |
|---|---|---|---|
`

const afterIntroduction = `
The same for an image that exists, whose channel has been moved so many times:

| regions | moves | promote | rollback | revoke |
|---|---|---|---|---|
`

// String returns the page of the results, in Markdown.
func (r results) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, introduction, strings.Join(r.machine, ", "))
	for _, f := range r.Figures {
		fmt.Fprintf(&b, "| %s | %s | %s | %.3g %s | %.3g %s | %.3g | %s |\n",
			f.Name, f.a, f.b, f.A, f.Unit, f.B, f.Unit, f.Ratio, f.goal)
	}
	fmt.Fprint(&b, depthIntroduction)
	for _, d := range r.Depth {
		fmt.Fprintf(&b, "| %d | %d | %d | %d |\n", d.Regions, d.Resolve, d.Decide, d.Publish)
	}
	fmt.Fprint(&b, afterIntroduction)
	for _, d := range r.After {
		fmt.Fprintf(&b, "| %d | %d | %d | %d | %d |\n",
			d.Regions, d.Moves, d.Promote, d.Rollback, d.Revoke)
	}
	return b.String()
}

// write writes the page and the figures into a folder.
func (r results) write(dir string) error {
	body, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return errors.Join(
		os.WriteFile(filepath.Join(dir, "results.json"), append(body, '\n'), 0o644),
		os.WriteFile(filepath.Join(dir, "RESULTS.md"), []byte(r.String()), 0o644))
}
