// SPDX-License-Identifier: MPL-2.0

package report_test

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"testing"

	"github.com/packer-chain/packer-plugin-chain/internal/report"
)

// tangled returns a sample in which images also have second parents, and some have none at all.
func tangled(images int) report.Report {
	r := sample(images, 1)
	for i := 5; i < images; i += 4 {
		if image, other := &r.Images[i], &r.Images[i-4]; other.Level < image.Level {
			image.Parents = append(image.Parents, other.Name)
			other.Children = append(other.Children, image.Name)
		}
	}
	for i := range 4 {
		r.Images = append(r.Images, report.Image{Name: fmt.Sprint("alone-", i), Status: report.Unknown})
	}
	return r
}

var placed = regexp.MustCompile(`(?s)<a href="#([^"]+)" class="\w+" aria-label=.*?` +
	`<svg x="(\d+)" y="(\d+)" width="(\d+)" height="(\d+)">`)

// TestHTML_picture checks that no card hides another, and that each is right of its parents.
func TestHTML_picture(t *testing.T) {
	for _, images := range []int{1, 3, 30, 200} {
		r := tangled(images)
		type card struct{ x, y, width, height int }
		cards := map[string]card{}
		for _, m := range placed.FindAllStringSubmatch(markup(render(t, r)), -1) {
			var n [4]int
			for i := range n {
				n[i], _ = strconv.Atoi(m[i+2])
			}
			cards[m[1]] = card{n[0], n[1], n[2], n[3]}
		}
		if len(cards) != len(r.Images) {
			t.Fatalf("%d images: %d cards", len(r.Images), len(cards))
		}
		for name, a := range cards {
			for other, b := range cards {
				if name < other && a.x < b.x+b.width && b.x < a.x+a.width &&
					a.y < b.y+b.height && b.y < a.y+a.height {
					t.Errorf("%d images: the cards of %s and %s overlap", images, name, other)
				}
			}
		}
		for _, image := range r.Images {
			if len(image.Parents) > 0 && cards[image.Name].x <= cards[image.Parents[0]].x {
				t.Errorf("%d images: %s is not right of %s", images, image.Name, image.Parents[0])
			}
		}
	}
}

var runsFlat = regexp.MustCompile(`<path d="M(\d+) \d+V(\d+)(q0 8 8 8)?H(\d+)`)

// TestHTML_outline checks that no line of an outline runs behind a card: it would seem to begin there.
func TestHTML_outline(t *testing.T) {
	page := markup(render(t, sample(200, 1)))
	lines := runsFlat.FindAllStringSubmatch(page, -1)
	if len(lines) < 100 {
		t.Fatalf("got %d lines", len(lines))
	}
	number := func(s string) int { n, _ := strconv.Atoi(s); return n }
	cards := placed.FindAllStringSubmatch(page, -1)
	for _, line := range lines {
		left, y, right := number(line[1]), number(line[2]), number(line[4])
		if line[3] != "" {
			y += 8
		}
		for _, card := range cards {
			x, top, width, height := number(card[2]), number(card[3]), number(card[4]), number(card[5])
			if left < x+width && x < right && top < y && y < top+height {
				t.Errorf("%s runs behind %s", line[0], card[1])
			}
		}
	}
}

// TestHTML_circle draws images that are built on each other, by what their documents say.
func TestHTML_circle(t *testing.T) {
	r := sample(3, 1)
	for i := range r.Images {
		r.Images[i].Parents = []string{r.Images[(i+1)%3].Name, r.Images[i].Name}
		r.Images[i].Level = i % 2
	}
	found := placed.FindAllStringSubmatch(markup(render(t, r)), -1)
	names := make([]string, len(found))
	for i, m := range found {
		names[i] = m[1]
	}
	slices.Sort(names)
	if want := []string{"base-0", "docker-0", "hardened-0"}; !slices.Equal(names, want) {
		t.Errorf("the picture shows %q, want %q", names, want)
	}
}
