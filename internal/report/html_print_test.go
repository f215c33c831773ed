// SPDX-License-Identifier: MPL-2.0

package report_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"github.com/packer-chain/packer-plugin-chain/internal/report"
)

// onPaper shows a page as it is printed by somebody who likes it dark.
func (b *browser) onPaper() {
	b.t.Helper()
	b.must(chromedp.Do(b.ctx, chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.Call(ctx, emulation.SetEmulatedMedia,
			emulation.SetEmulatedMediaParams{Media: "print", Features: []*emulation.MediaFeature{
				{Name: "prefers-color-scheme", Value: "dark"}}})
		return err
	})))
}

// TestHTML_print prints what a filter has left: the paper says that it is not everything.
func TestHTML_print(t *testing.T) {
	b := startBrowser(t)
	b.open(sample(30, 4), 800, "")
	b.run(`var e = document.querySelector('.by-status'); e.value = 'revoked';
		e.dispatchEvent(new Event('input', { bubbles: true }));
		new Promise((done) => setTimeout(done, 150))`)
	b.onPaper()
	check(b, "what the paper says of the filter", `[...document.querySelectorAll('.bar > *')]
		.filter((e) => e.checkVisibility()).map((e) => e.textContent).join()`, "7 of 30 images")
	check(b, "dark text on white paper", "getComputedStyle(document.body).color", "rgb(28, 33, 40)")
	check(b, "the filter is shown", "document.querySelector('.found').getBoundingClientRect().height > 0", true)
}

// TestHTML_longWords has names and reasons without a space, such as the ARNs of roles.
func TestHTML_longWords(t *testing.T) {
	b := startBrowser(t)
	r := sample(12, 3)
	for i := range r.Images {
		channel := &r.Images[i].Channels[0]
		move := &channel.History[0]
		move.By, move.Reason = strings.Repeat("y", 150), strings.Repeat("z", 150)
		channel.AMIs[0].Region, channel.AMIs[0].State = strings.Repeat("r", 63), strings.Repeat("s", 200)
		channel.AMIs[1].Source, channel.AMIs[1].Architecture = strings.Repeat("s", 200), strings.Repeat("a", 200)
		channel.Build.Provider, channel.Build.BuildID = strings.Repeat("p", 200), strings.Repeat("b", 200)
		channel.Parents = append(channel.Parents, report.Parent{
			Image: strings.Repeat("i", 128), Channel: strings.Repeat("c", 128)})
		channel.Artifacts = []report.Artifact{{Source: strings.Repeat("s", 200), ID: strings.Repeat("i", 200)}}
		worse := &r.Images[i].Channels[1]
		worse.Name, worse.Status = strings.Repeat("w", 128), report.Revoked
		r.Images[i].Origin, r.Images[i].Reason = strings.Repeat("o", 200), strings.Repeat("r", 600)
		r.Images[i].Problems = []string{strings.Repeat("p", 600)}
	}
	for _, width := range []int{1280, 800, 600, 390} {
		b.open(r, width, "")
		b.run("document.querySelectorAll('details').forEach((d) => d.open = true)")
		check(b, fmt.Sprintf("what is cut off at %d", width), `[...document.querySelectorAll('article *')]
			.filter((e) => e.getBoundingClientRect().right >
				e.closest('article').getBoundingClientRect().right)
			.map((e) => e.outerHTML).join().slice(0, 500)`, "")
	}
}
