// SPDX-License-Identifier: MPL-2.0

package report

import (
	"fmt"
	"html/template"
	"slices"
	"time"

	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
	"github.com/packer-chain/packer-plugin-chain/internal/text"
)

// page is what the template of chain.html shows.
type page struct {
	Report
	Style   template.CSS
	Script  template.JS
	Picture picture
	Rounds  []round
	Shown   []shownImage
}

// round is the part of the plan that can be built at the same time.
type round struct{ Steps []shownStep }

type shownStep struct {
	Step
	// Target is the image, and After what it follows.
	Target kin
	After  []kin
}

// kin is an image that is named. It is a link if the page has that image.
type kin struct {
	Name string
	Here bool
}

type shownImage struct {
	Image
	Above, Below  []kin
	Architectures []string
	Shown         []shownChannel
}

type shownChannel struct {
	Channel
	// Built and Moved are ages.
	Built, Moved string
	Last         *Move
	From         []shownParent
	Parts        []part
	Moves        []Move
	// More is how many moves are only in chain.json.
	More int
	// Lean is true if the page leaves out what chain.json has besides.
	Lean bool
	// Alike is true if the channel is as its image is, for the same reason.
	Alike bool
	// Open is true if the page is small enough to show everything about this channel at once.
	Open bool
}

// part is what one source built.
type part struct {
	Source, Architecture string
	SizeGiB              int64
	AMIs                 []AMI
}

type shownParent struct {
	Parent
	Kin kin
}

// maxOpen is up to how many images the page begins with their first channels opened.
const maxOpen = 12

func newPage(r Report) *page {
	p := &page{
		Report: r, Style: template.CSS(style), Script: template.JS(script), Picture: draw(r.Images),
	}
	here := map[string]bool{}
	for _, image := range r.Images {
		here[image.Name] = true
	}
	for i, step := range r.Plan {
		if i == 0 || step.Level != r.Plan[i-1].Level {
			p.Rounds = append(p.Rounds, round{})
		}
		last := &p.Rounds[len(p.Rounds)-1]
		last.Steps = append(last.Steps,
			shownStep{step, kin{step.Image, here[step.Image]}, kinOf(step.Follows, here)})
	}
	for _, image := range r.Images {
		p.Shown = append(p.Shown, showImage(image, here, r.At, len(r.Images) <= maxOpen))
	}
	return p
}

func showImage(image Image, here map[string]bool, now time.Time, open bool) shownImage {
	shown := shownImage{
		Image: image, Above: kinOf(image.Parents, here), Below: kinOf(image.Children, here),
	}
	for i, channel := range image.Channels {
		c := shownChannel{
			Channel: channel, Built: age(channel.BuiltAt, now), Parts: parts(channel.AMIs),
			Alike: channel.Status == image.Status && channel.Reason == image.Reason,
			Open:  open && i == 0,
		}
		if len(channel.History) > 0 {
			c.Last = &channel.History[0]
			c.Moved = age(c.Last.At, now)
		}
		for _, parent := range channel.Parents {
			c.From = append(c.From, shownParent{parent, kin{parent.Image, here[parent.Image]}})
		}
		for _, image := range channel.AMIs {
			if a := image.Architecture; a != "" && !slices.Contains(shown.Architectures, a) {
				shown.Architectures = append(shown.Architectures, a)
			}
		}
		shown.Shown = append(shown.Shown, c)
	}
	slices.Sort(shown.Architectures)
	return shown
}

// parts groups AMIs by what built them.
func parts(images []AMI) []part {
	var all []part
	for _, image := range images {
		i := slices.IndexFunc(all, func(p part) bool {
			return p.Source == image.Source && p.Architecture == image.Architecture
		})
		if i < 0 {
			i = len(all)
			all = append(all, part{Source: image.Source, Architecture: image.Architecture})
		}
		all[i].SizeGiB = max(all[i].SizeGiB, image.SizeGiB)
		all[i].AMIs = append(all[i].AMIs, image)
	}
	return all
}

// showMoves shows so many moves of each channel, and if lean is true, less of everything.
func (p *page) showMoves(limit int, lean bool) {
	for i := range p.Shown {
		for j := range p.Shown[i].Shown {
			c := &p.Shown[i].Shown[j]
			c.Lean = lean
			c.Moves = c.History[:min(len(c.History), limit)]
			c.More = len(c.History) - len(c.Moves)
		}
	}
}

func kinOf(names []string, here map[string]bool) []kin {
	var all []kin
	for _, name := range names {
		all = append(all, kin{name, here[name]})
	}
	return all
}

// known returns a status, and Unknown for one that does not exist.
func known(s Status) Status {
	if statusClass(s) == "unknown" {
		return Unknown
	}
	return s
}

// statusClass returns the class of a status in the stylesheet.
func statusClass(s Status) string {
	switch s {
	case Current, Incomplete, Revoked:
		return string(s)
	case Outdated:
		return "outdated"
	}
	return "unknown"
}

// byteCount returns how large files are, for people, or "" if that is not known.
func byteCount(n int64) string {
	const step = 1000
	if n <= 0 {
		return ""
	}
	size, unit := float64(n), 0
	for size >= step && unit < len(byteUnits)-1 {
		size, unit = size/step, unit+1
	}
	if unit == 0 {
		return fmt.Sprintf("%d bytes", n)
	}
	return fmt.Sprintf("%.1f %s", size, byteUnits[unit])
}

var byteUnits = []string{"bytes", "kB", "MB", "GB", "TB"}

// first returns the first of some names, and how many more there are.
func first(names []string) string { return text.Names(names, 5) }

// short returns the beginning of a fingerprint or a commit.
func short(id string) string {
	if runes := []rune(id); len(runes) > 12 {
		return string(runes[:12])
	}
	return id
}

// link returns the address of a page in the web, or "" for anything else.
func link(address string) string { return manifest.If(manifest.IsURL, address) }

// clock returns a time for people, and stamp for programs.
func clock(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04Z") }

// age returns how long ago something was, such as "3 days ago", or "" if that is not known.
func age(then, now time.Time) string {
	if then.IsZero() {
		return ""
	}
	const day = 24 * time.Hour
	switch past := now.Sub(then); {
	case past < -time.Minute:
		return clock(then) // by another clock
	case past < time.Minute:
		return "just now"
	case past < time.Hour:
		return ago(past/time.Minute, "minute")
	case past < day:
		return ago(past/time.Hour, "hour")
	case past < 60*day:
		return ago(past/day, "day")
	case past < 2*365*day:
		return ago(past/(30*day), "month")
	default:
		return ago(past/(365*day), "year")
	}
}

func ago(n time.Duration, unit string) string {
	if n != 1 {
		unit += "s"
	}
	return fmt.Sprintf("%d %s ago", n, unit)
}
