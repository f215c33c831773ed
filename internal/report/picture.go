// SPDX-License-Identifier: MPL-2.0

package report

import (
	"fmt"
	"slices"
	"unicode/utf8"
)

// picture is the chain as a drawing: parents on the left, what is built on them on the right.
type picture struct {
	Width, Height int
	// Card is the size of each card. Flat cards have one line, for a chain of many images.
	Card struct{ Width, Height int }
	Flat bool
	// Cards are in the order of the images.
	Cards []card
	Edges []edge
}

// card is an image in the picture.
type card struct {
	Name   string
	Label  string
	Status Status
	X, Y   int
}

// edge leads from a parent to what is built on it. From and To are the indices of their cards.
type edge struct {
	From, To int
	Path     string
	// Old is true if the parent has a newer build.
	Old bool
}

const (
	// flatFrom is from how many images on the cards are flat.
	flatFrom = 40
	// perCharacter is about how wide one is, and most is larger than any name that is shown whole.
	perCharacter, most = 8, 30
	columnGap, edgeOf  = 56, 8
)

// draw lays out a chain. Each image is in the column of its level, and beside what is built on it:
// images form a tree, because each follows the highest of its parents. So cards never overlap.
func draw(images []Image) picture {
	p := picture{Flat: len(images) >= flatFrom}
	p.measure(images)
	at, columns := map[string]int{}, map[int]int{}
	for i, image := range images {
		at[image.Name] = i
		columns[image.Level] = 0
	}
	for i, level := range sortedKeys(columns) {
		columns[level] = i
	}
	parents, children, roots, alone := forest(images, at)
	rowHeight := p.Card.Height + map[bool]int{true: 8, false: 14}[p.Flat]
	left := func(column int) int { return edgeOf + column*(p.Card.Width+columnGap) }
	rows := 0
	var place func(i int) int
	place = func(i int) int {
		y := edgeOf + rows*rowHeight
		if kids := children[i]; len(kids) > 0 {
			first := place(kids[0])
			last := first
			for _, kid := range kids[1:] {
				last = place(kid)
			}
			y = (first + last) / 2
		} else {
			rows++
		}
		p.Cards[i].X, p.Cards[i].Y = left(columns[images[i].Level]), y
		return y
	}
	for _, root := range roots {
		place(root)
	}
	across := max(len(columns), 3)
	for i, single := range alone {
		p.Cards[single].X = left(i % across)
		p.Cards[single].Y = edgeOf + (rows+i/across)*rowHeight
	}
	p.connect(images, parents)
	for _, c := range p.Cards {
		p.Width = max(p.Width, c.X+p.Card.Width+edgeOf)
		p.Height = max(p.Height, c.Y+p.Card.Height+edgeOf)
	}
	return p
}

// measure makes the cards, as wide as the longest name needs.
func (p *picture) measure(images []Image) {
	longest := 12
	for _, image := range images {
		longest = max(longest, min(utf8.RuneCountInString(image.Name), most))
	}
	p.Card.Width, p.Card.Height = longest*perCharacter+32, 48
	if p.Flat {
		p.Card.Width, p.Card.Height = longest*perCharacter+104, 28
	}
	p.Cards = make([]card, len(images))
	for i, image := range images {
		p.Cards[i] = card{Name: image.Name, Label: middle(image.Name, longest), Status: image.Status}
	}
}

// forest returns the parents of each image, as indices; what is placed beside each; where that
// begins; and the images that are built on nothing and have nothing built on them.
func forest(images []Image, at map[string]int) (parents, beside [][]int, roots, alone []int) {
	parents, beside = make([][]int, len(images)), make([][]int, len(images))
	hasChildren := make([]bool, len(images))
	for i, image := range images {
		trunk := -1
		for _, name := range image.Parents {
			parent, here := at[name]
			if !here || parent == i {
				continue
			}
			parents[i] = append(parents[i], parent)
			hasChildren[parent] = true
			level := images[parent].Level
			if level < image.Level && (trunk < 0 || level > images[trunk].Level) {
				trunk = parent
			}
		}
		if trunk >= 0 {
			beside[trunk] = append(beside[trunk], i)
		} else {
			roots = append(roots, i)
		}
	}
	isAlone := func(i int) bool { return len(parents[i]) == 0 && !hasChildren[i] }
	for _, i := range roots {
		if isAlone(i) {
			alone = append(alone, i)
		}
	}
	return parents, beside, slices.DeleteFunc(roots, isAlone), alone
}

// connect draws the edges.
func (p *picture) connect(images []Image, parents [][]int) {
	for to, all := range parents {
		for _, from := range all {
			a, b := p.Cards[from], p.Cards[to]
			x1, y1 := a.X+p.Card.Width, a.Y+p.Card.Height/2
			x2, y2 := b.X, b.Y+p.Card.Height/2
			bend := columnGap / 2
			p.Edges = append(p.Edges, edge{
				From: from, To: to, Old: isOld(images[to], images[from].Name),
				Path: fmt.Sprintf("M%d %dC%d %d %d %d %d %d", x1, y1, x1+bend, y1, x2-bend, y2, x2, y2),
			})
		}
	}
}

// isOld reports whether a parent of an image has a newer build.
func isOld(image Image, parent string) bool {
	return len(image.Channels) > 0 &&
		slices.ContainsFunc(image.Channels[0].Parents, func(p Parent) bool {
			return p.Image == parent && p.Channel != "" && !p.Current
		})
}

// middle cuts the middle out of a name that is too long. Long names differ at their ends.
func middle(name string, limit int) string {
	runes := []rune(name)
	if len(runes) <= limit {
		return name
	}
	tail := limit / 2
	return string(runes[:limit-tail-1]) + "…" + string(runes[len(runes)-tail:])
}

func sortedKeys(m map[int]int) []int {
	var keys []int
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}
