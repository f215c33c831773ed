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
	walk := walk{at: at, number: map[string]int{}, placed: map[string]bool{}}
	for i := range r.Images {
		slices.Sort(r.Images[i].Children)
		if walk.number[r.Images[i].Name] == 0 {
			walk.visit(&r.Images[i])
		}
	}
	slices.SortStableFunc(r.Images, func(a, b Image) int {
		return cmp.Or(cmp.Compare(a.Level, b.Level), cmp.Compare(a.Name, b.Name))
	})
}

// walk visits each image once, parents first, and gives it its level. Documents that others can
// write may form a circle: its images have the same level.
type walk struct {
	at map[string]*Image
	// number says as which one an image was visited, and placed are those that have their level.
	number map[string]int
	placed map[string]bool
	// path are the images that may belong to a circle with one that is being visited.
	path []*Image
}

// visit returns the number of the first image on the path that this one is built on, or its own.
func (w *walk) visit(image *Image) (first int) {
	begin, number := len(w.path), len(w.number)+1
	w.number[image.Name], first = number, number
	w.path = append(w.path, image)
	for _, name := range image.Parents {
		switch parent := w.at[name]; {
		case parent == nil || w.placed[name]:
		case w.number[name] > 0:
			first = min(first, w.number[name])
		default:
			first = min(first, w.visit(parent))
		}
	}
	if first == number {
		w.place(w.path[begin:])
		w.path = w.path[:begin]
	}
	return first
}

// place gives one image, or those of a circle, their level. Everything that they are built on has
// one already.
func (w *walk) place(images []*Image) {
	level, circle := 0, len(images) > 1
	for _, image := range images {
		for _, name := range image.Parents {
			if w.placed[name] {
				level = max(level, w.at[name].Level+1)
			}
			circle = circle || name == image.Name
		}
	}
	for _, image := range images {
		image.Level, w.placed[image.Name] = level, true
		if circle {
			image.Problems = append(image.Problems,
				image.Name+" is built on itself, by its manifest")
		}
	}
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
