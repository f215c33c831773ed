// SPDX-License-Identifier: MPL-2.0

package main

import (
	"slices"
)

// figure is one line of the results: the same job done by this plugin and by what it is compared with.
type figure struct {
	name, unit string
	// ours and theirs are what was measured, run by run. A count or a size has one value.
	ours, theirs []float64
	// us and them say what was run, as exactly as a line allows.
	us, them string
	goal     goal
}

// goal is what was hoped for. Its zero value is: nothing in particular.
type goal struct {
	text string
	// most is the largest value that is good: of the ratio, or with ours of our own median.
	most float64
	ours bool
}

// Row is what results.json says of a figure. Ratio is ours/theirs.
type Row struct {
	Name   string  `json:"name"`
	Ours   float64 `json:"ours"`
	Theirs float64 `json:"theirs"`
	Ratio  float64 `json:"ratio"`
	Unit   string  `json:"unit"`
	Runs   int     `json:"runs"`
}

func (f figure) row() Row {
	row := Row{Name: f.name, Ours: median(f.ours), Theirs: median(f.theirs), Unit: f.unit, Runs: len(f.ours)}
	if row.Theirs != 0 {
		row.Ratio = row.Ours / row.Theirs
	}
	return row
}

// verdict says whether the goal was reached, "" where there is none.
func (f figure) verdict() string {
	row := f.row()
	value := row.Ratio
	if f.goal.ours {
		value = row.Ours
	}
	switch {
	case f.goal.text == "":
		return ""
	case value <= f.goal.most:
		return "yes"
	}
	return "no"
}

func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}

// minus is a-b, turn by turn.
func minus(a, b []float64) []float64 {
	out := make([]float64, len(a))
	for i := range a {
		out[i] = a[i] - b[i]
	}
	return out
}

// plus is a+b, turn by turn.
func plus(a, b []float64) []float64 {
	out := make([]float64, len(a))
	for i := range a {
		out[i] = a[i] + b[i]
	}
	return out
}

// side is one of the things that are measured in turn. It answers one value.
type side func() (float64, error)

// inTurn measures the sides one after the other, n times, after one round that does not count. What
// happens on the machine meanwhile so meets all sides alike. A quick run has one round, which counts.
func (l *lab) inTurn(n int, sides ...side) ([][]float64, error) {
	values := make([][]float64, len(sides))
	warmUp := l.pick(1, 0)
	for turn := range warmUp + l.pick(n, 1) {
		for i, measure := range sides {
			value, err := measure()
			if err != nil {
				return nil, err
			}
			if turn >= warmUp {
				values[i] = append(values[i], value)
			}
		}
	}
	return values, nil
}

// findings are what a measurement answers.
type findings struct {
	figures []figure
	tables  []table
}

// table is printed as it is, after the figures.
type table struct {
	title string
	head  []string
	rows  [][]string
	note  string
}
