// SPDX-License-Identifier: MPL-2.0

package report

import (
	"cmp"
	"slices"

	"github.com/packer-chain/packer-plugin-chain/internal/text"
)

// relate fills in what images are to each other, and sorts them.
func (r *Report) relate() {
	at := map[string]*Image{}
	for i := range r.Images {
		at[r.Images[i].Name] = &r.Images[i]
	}
	for i := range r.Images {
		for _, parent := range r.Images[i].Parents {
			if p := at[parent]; p != nil {
				p.Children = append(p.Children, r.Images[i].Name)
			}
		}
	}
	for i := range r.Images {
		slices.Sort(r.Images[i].Children)
		level, circle := levelOf(&r.Images[i], at, nil)
		r.Images[i].Level = level
		if circle {
			r.Images[i].Problems = append(r.Images[i].Problems, "it is built on itself, by its manifest")
		}
	}
	slices.SortStableFunc(r.Images, func(a, b Image) int {
		return cmp.Or(cmp.Compare(a.Level, b.Level), cmp.Compare(a.Name, b.Name))
	})
}

// levelOf returns the level of an image. Documents that others can write may form a circle.
func levelOf(image *Image, at map[string]*Image, below []string) (level int, circle bool) {
	if slices.Contains(below, image.Name) {
		return 0, true
	}
	below = append(slices.Clone(below), image.Name)
	for _, parent := range image.Parents {
		p := at[parent]
		if p == nil {
			continue
		}
		above, c := levelOf(p, at, below)
		circle = circle || c
		level = max(level, above+1)
	}
	return min(level, len(at)), circle
}

// plan returns the images that have to be built, in order: those that are pending, and those that
// are built on them. Images are sorted by their level already. An image that was never built comes
// last, because nobody knows what it will be built on.
func (r *Report) plan(verdicts map[string]verdict) []Step {
	steps, planned, last := []Step{}, map[string]int{}, 0
	var unknown []Step
	for _, image := range r.Images {
		of := verdicts[image.Name]
		step := Step{Image: image.Name, Why: of.reason(), Follows: []string{}, Origin: image.Origin}
		for _, parent := range image.Parents {
			if level, in := planned[parent]; in {
				step.Follows = append(step.Follows, parent)
				step.Level = max(step.Level, level+1)
			}
		}
		switch {
		case !of.pending && len(step.Follows) == 0:
			continue
		case of.pending && of.status() == Unknown:
			unknown = append(unknown, step)
			continue
		case !of.pending:
			step.OnlyFollows = true
			step.Why = "built on " + text.List(step.Follows)
		}
		planned[image.Name] = step.Level
		last = max(last, step.Level+1)
		steps = append(steps, step)
	}
	for _, step := range unknown {
		step.Level = last
		steps = append(steps, step)
	}
	slices.SortStableFunc(steps, func(a, b Step) int {
		return cmp.Or(cmp.Compare(a.Level, b.Level), follows(a)-follows(b))
	})
	return steps
}

// follows orders what is pending before what only follows.
func follows(s Step) int {
	if s.OnlyFollows {
		return 1
	}
	return 0
}
