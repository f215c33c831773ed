// SPDX-License-Identifier: MPL-2.0

package main

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// command is one side of a comparison.
type command struct {
	// text is what a reader would type.
	text string
	// before, if set, prepares a run. It is not timed.
	before, run func(context.Context) error
}

// series are the times that the runs of a command took, or another value of it.
type series struct {
	text, unit string
	values     []float64
}

// turns runs the commands one after another, n times, after one round that does not count. Whatever
// else happens on the machine meanwhile hits all of them alike. A quick run has one round, which
// counts.
func (l *lab) turns(ctx context.Context, n int, commands ...command) ([]series, error) {
	all := make([]series, len(commands))
	warmUp := l.pick(1, 0)
	for turn := range warmUp + l.pick(n, 1) {
		for i, c := range commands {
			seconds, err := c.once(ctx)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", c.text, err)
			}
			all[i].text, all[i].unit = c.text, "s"
			if turn >= warmUp {
				all[i].values = append(all[i].values, seconds)
			}
		}
	}
	return all, nil
}

func (c command) once(ctx context.Context) (seconds float64, err error) {
	if c.before != nil {
		if err := c.before(ctx); err != nil {
			return 0, err
		}
	}
	start := time.Now()
	err = c.run(ctx)
	return time.Since(start).Seconds(), err
}

// less returns the series minus the times of another command, turn by turn.
func (s series) less(other series) series {
	s.text += ", less " + other.text
	s.values = slices.Clone(s.values)
	for i := range s.values {
		s.values[i] -= other.values[i]
	}
	return s
}

func (s series) median() float64 {
	sorted := slices.Sorted(slices.Values(s.values))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}
