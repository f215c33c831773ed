// SPDX-License-Identifier: MPL-2.0

package report

import (
	"fmt"
	"maps"
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
	// Marked is true if a card has no room for the channels that are worse, and only a mark.
	Marked bool
}

// card is an image in the picture.
type card struct {
	Name   string
	Label  string
	Status Status
	// Also are the channels that are worse, and Word is all of it as far as the card has room.
	Also, Word string
	X, Y       int
}

// edge leads from a parent to what is built on it. From and To are the indices of their cards.
type edge struct {
	From, To int
	Path     string
	// Old is true if the parent has a newer build.
	Old bool
	// Far is true if it is not between neighbours of the tree.
	Far bool
}

const (
	// flatFrom is from how many images on the cards are flat.
	flatFrom = 40
	// perCharacter is about how wide one is, and most is larger than any name that is shown whole.
	perCharacter, most = 9, 26
	columnGap, edgeOf  = 44, 8
	// rowGap is between the rows of an outline.
	rowGap = 8
	// tallFrom is from how many rows on an image is beside the first of what is built on it, because
	// the middle would not be in sight.
	tallFrom = 14
	// indent is by how much an outline goes right, and outlineWidth is how wide it becomes.
	indent, outlineWidth = 36, 1150
)

// draw lays out a chain. Images form a tree, because each follows the highest of its parents.
func draw(images []Image) picture {
	p := picture{Flat: len(images) >= flatFrom}
	p.measure(images)
	t := grow(images)
	if p.Flat {
		p.outline(t)
	} else {
		p.columns(images, t)
	}
	for _, c := range p.Cards {
		p.Width = max(p.Width, c.X+p.Card.Width+edgeOf)
		p.Height = max(p.Height, c.Y+p.Card.Height+edgeOf)
	}
	for to, all := range t.parents {
		for _, from := range all {
			far := !slices.Contains(t.beside[from], to)
			p.Edges = append(p.Edges, edge{
				From: from, To: to, Old: isOld(images[to], images[from].Name), Far: far,
				Path: p.path(p.Cards[from], p.Cards[to], far),
			})
		}
	}
	return p
}

// columns places each image in the column of its level, and beside what is built on it.
func (p *picture) columns(images []Image, t tree) {
	column := map[int]int{}
	for _, image := range images {
		column[image.Level] = 0
	}
	for i, level := range slices.Sorted(maps.Keys(column)) {
		column[level] = i
	}
	step, rowHeight := p.Card.Width+columnGap, p.Card.Height+14
	rows, leaves := 0, len(images)-len(t.alone)
	for _, beside := range t.beside {
		leaves -= min(len(beside), 1)
	}
	var place func(i int) int
	place = func(i int) int {
		y := edgeOf + rows*rowHeight
		for n, kid := range t.beside[i] {
			last := place(kid)
			if leaves < tallFrom && n == len(t.beside[i])-1 {
				y = (y + last) / 2
			}
		}
		if len(t.beside[i]) == 0 {
			rows++
		}
		p.Cards[i].X, p.Cards[i].Y = edgeOf+column[images[i].Level]*step, y
		return y
	}
	for _, root := range t.roots {
		place(root)
	}
	across := max(len(column), 3)
	for n, i := range t.alone {
		p.Cards[i].X, p.Cards[i].Y = edgeOf+n%across*step, edgeOf+(rows+n/across)*rowHeight
	}
}

// outline places each image below the one that it is built on, and further right. Images on which
// nothing is built fill rows.
func (p *picture) outline(t tree) {
	step, rowHeight := p.Card.Width+14, p.Card.Height+rowGap
	y := edgeOf
	fill := func(all []int, x int) {
		across := max((outlineWidth-x)/step, 1)
		for n, i := range all {
			p.Cards[i].X, p.Cards[i].Y = x+n%across*step, y+n/across*rowHeight
		}
		y += (len(all) + across - 1) / across * rowHeight
	}
	var place func(i, x int)
	place = func(i, x int) {
		p.Cards[i].X, p.Cards[i].Y = x, y
		y += rowHeight
		var leaves []int
		for _, kid := range t.beside[i] {
			if len(t.beside[kid]) == 0 {
				leaves = append(leaves, kid)
			}
		}
		fill(leaves, x+indent)
		for _, kid := range t.beside[i] {
			if len(t.beside[kid]) > 0 {
				place(kid, x+indent)
			}
		}
	}
	for _, root := range t.roots {
		place(root, edgeOf)
	}
	fill(t.alone, edgeOf)
}

// measure makes the cards, as wide as the longest name needs.
func (p *picture) measure(images []Image) {
	longest := 12
	for _, image := range images {
		longest = max(longest, min(utf8.RuneCountInString(image.Name), most))
	}
	p.Card.Width, p.Card.Height = longest*perCharacter+36, 48
	if p.Flat {
		p.Card.Width, p.Card.Height = longest*perCharacter+104, 28
	}
	p.Cards = make([]card, len(images))
	for i, image := range images {
		c := card{Name: image.Name, Label: middle(image.Name, longest), Status: image.Status,
			Word: string(image.Status)}
		if worse := image.Worse(); len(worse) > 0 {
			c.Also = worse[0].Name + " is " + string(worse[0].Status)
			c.Word += "!"
			if len(worse) > 1 {
				c.Also += fmt.Sprintf(" and %d more", len(worse)-1)
			}
			// The words are smaller than the name, so there is room for more of them.
			if all := string(image.Status) + "; " + c.Also; !p.Flat && len(all) <= longest+6 {
				c.Word = all
			} else {
				p.Marked = true
			}
		}
		p.Cards[i] = c
	}
}

// tree is how images are placed, by their indices.
type tree struct {
	// parents are those of each image, and beside is what is placed right of it.
	parents, beside [][]int
	// roots begin, and alone are images without parents and children.
	roots, alone []int
}

func grow(images []Image) tree {
	at := map[string]int{}
	for i, image := range images {
		at[image.Name] = i
	}
	t := tree{parents: make([][]int, len(images)), beside: make([][]int, len(images))}
	hasChildren := make([]bool, len(images))
	for i, image := range images {
		trunk := -1
		for _, name := range image.Parents {
			parent, here := at[name]
			if !here || parent == i {
				continue
			}
			t.parents[i] = append(t.parents[i], parent)
			hasChildren[parent] = true
			level := images[parent].Level
			if level < image.Level && (trunk < 0 || level > images[trunk].Level) {
				trunk = parent
			}
		}
		if trunk >= 0 {
			t.beside[trunk] = append(t.beside[trunk], i)
		} else {
			t.roots = append(t.roots, i)
		}
	}
	isAlone := func(i int) bool { return len(t.parents[i]) == 0 && !hasChildren[i] }
	for _, i := range t.roots {
		if isAlone(i) {
			t.alone = append(t.alone, i)
		}
	}
	t.roots = slices.DeleteFunc(t.roots, isAlone)
	return t
}

// path returns the way of an edge between two cards. In the tree, edges of one parent share what
// they can.
func (p *picture) path(from, to card, far bool) string {
	x1, y1 := from.X+p.Card.Width, from.Y+p.Card.Height/2
	x2, y2 := to.X, to.Y+p.Card.Height/2
	switch {
	case far:
		return fmt.Sprintf("M%d %dC%d %d %d %d %d %d", x1, y1, x1+indent, y1, x2-indent, y2, x2, y2)
	case p.Flat && to.X > from.X+indent:
		// It runs above the row: behind a card, it would seem to come from there.
		return fmt.Sprintf("M%d %dV%dH%dV%d", from.X+indent/2, from.Y+p.Card.Height,
			to.Y-rowGap/2, to.X+indent/2, to.Y)
	case p.Flat:
		return fmt.Sprintf("M%d %dV%dq0 8 8 8H%d", from.X+indent/2, from.Y+p.Card.Height, y2-8, x2)
	case y1 == y2:
		return fmt.Sprintf("M%d %dH%d", x1, y1, x2)
	}
	round := min(8, max(y1-y2, y2-y1)/2)
	turn, down := x1+columnGap/2, round
	if y2 < y1 {
		down = -round
	}
	return fmt.Sprintf("M%d %dH%dQ%d %d %d %dV%dQ%d %d %d %dH%d", x1, y1, turn-round, turn, y1, turn,
		y1+down, y2-down, turn, y2, turn+round, y2, x2)
}

// isOld reports whether a parent of an image has a newer build.
func isOld(image Image, parent string) bool {
	return len(image.Channels) > 0 &&
		slices.ContainsFunc(image.Channels[0].Parents, func(p Parent) bool {
			return p.Image == parent && p.Newer
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
