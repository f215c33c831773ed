// SPDX-License-Identifier: MPL-2.0

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

// report is everything that a run found, and what it ran with.
type report struct {
	findings
	versions [][2]string
	date     time.Time
	took     time.Duration
	quick    bool
}

// write writes both files of the results.
func write(dir string, r report) error {
	rows := []Row{}
	for _, f := range r.figures {
		rows = append(rows, f.row())
	}
	body, err := json.MarshalIndent(rows, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "results.json"), append(body, '\n'), 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "RESULTS.md"), r.markdown(), 0o644)
}

const introduction = `
This plugin beside what a user would use instead, on one machine, in one run, in turn (A B A B), after one round that does
not count. Values are medians, with the least and the most in brackets; the ratio is ours / theirs, so less is better.
AWS is emulated on the same machine: moto for EC2, versitygw for S3, behind a proxy that adds the delay of a network where
that is said, and none where it is not. Packer, the plugins, git, the aws CLI and jq are the real ones. Paths are relative
to bench/.
`

func (r report) markdown() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "# Results of `make bench`\n%s\n", introduction)
	if r.quick {
		fmt.Fprintln(&b, "**A quick run: it shows that everything works. Its figures mean nothing.**")
		fmt.Fprintln(&b)
	}
	fmt.Fprintf(&b, "%s, %d cores, %s/%s, %s.\n\n", r.date.UTC().Format("2006-01-02"), runtime.NumCPU(),
		runtime.GOOS, runtime.GOARCH, r.took.Round(time.Second))
	var versions [][]string
	for _, v := range r.versions {
		versions = append(versions, v[:])
	}
	markdownTable(&b, []string{"program", "version"}, versions)
	fmt.Fprint(&b, "\n## Figures\n\n")
	var rows [][]string
	for _, f := range r.figures {
		row := f.row()
		rows = append(rows, []string{"`" + f.name + "`", withSpread(f.ours), withSpread(f.theirs), number(row.Ratio), f.unit,
			fmt.Sprint(row.Runs), f.goal.text, f.verdict()})
	}
	markdownTable(&b, []string{"name", "ours", "theirs", "ratio", "unit", "runs", "goal", "reached"}, rows)
	fmt.Fprint(&b, "\n## What was run\n\n")
	rows = nil
	for _, f := range r.figures {
		rows = append(rows, []string{"`" + f.name + "`", f.us, f.them})
	}
	markdownTable(&b, []string{"name", "ours", "theirs"}, rows)
	for _, t := range r.tables {
		fmt.Fprintf(&b, "\n## %s\n\n", t.title)
		markdownTable(&b, t.head, t.rows)
		if t.note != "" {
			fmt.Fprintf(&b, "\n%s\n", t.note)
		}
	}
	return b.Bytes()
}

func markdownTable(b *bytes.Buffer, head []string, rows [][]string) {
	line := func(cells []string) {
		escaped := make([]string, len(cells))
		for i, cell := range cells {
			escaped[i] = strings.ReplaceAll(cell, "|", "\\|")
		}
		fmt.Fprintf(b, "| %s |\n", strings.Join(escaped, " | "))
	}
	line(head)
	fmt.Fprintf(b, "|%s\n", strings.Repeat("---|", len(head)))
	for _, row := range rows {
		line(row)
	}
}

// withSpread is the median, and the least and the most where they differ.
func withSpread(values []float64) string {
	if len(values) == 0 {
		return "-"
	}
	least, most := slices.Min(values), slices.Max(values)
	if least == most {
		return number(least)
	}
	return fmt.Sprintf("%s (%s to %s)", number(median(values)), number(least), number(most))
}

// number shows three digits, and all of those before the point.
func number(v float64) string {
	switch size := math.Abs(v); {
	case v == math.Trunc(v) || size >= 100:
		return fmt.Sprintf("%.0f", v)
	case size >= 10:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.3g", v)
}
