// SPDX-License-Identifier: MPL-2.0

package report

import (
	"cmp"
	"fmt"
	"slices"
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

// plan returns the images that have to be built, in order: those that are not good, and what is
// built on them. Images are sorted by their level already.
func (r *Report) plan() []Step {
	steps := []Step{}
	planned := map[string]int{}
	for _, image := range r.Images {
		bad := image.Status == Outdated || image.Status == Incomplete || image.Status == Revoked
		step := Step{Image: image.Name, Why: image.Reason, Follows: []string{}, Origin: image.Origin}
		for _, parent := range image.Parents {
			if level, in := planned[parent]; in {
				step.Follows = append(step.Follows, parent)
				step.Level = max(step.Level, level+1)
			}
		}
		if !bad && len(step.Follows) == 0 {
			continue
		}
		if !bad {
			step.Only = true
			step.Why = fmt.Sprintf("it is built on %s", step.Follows[0])
		}
		planned[image.Name] = step.Level
		steps = append(steps, step)
	}
	slices.SortStableFunc(steps, func(a, b Step) int { return cmp.Compare(a.Level, b.Level) })
	return steps
}
