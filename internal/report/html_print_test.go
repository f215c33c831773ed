// SPDX-License-Identifier: MPL-2.0

package report_test

import (
	"context"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// onPaper shows a page as it is printed.
func (b *browser) onPaper() {
	b.t.Helper()
	b.must(chromedp.Do(b.ctx, chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.Call(ctx, emulation.SetEmulatedMedia,
			emulation.SetEmulatedMediaParams{Media: "print"})
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
	check(b, "the filter is shown", "document.querySelector('.found').getBoundingClientRect().height > 0", true)
}

// TestHTML_longWords has names and reasons without a space, such as the ARNs of roles.
func TestHTML_longWords(t *testing.T) {
	b := startBrowser(t)
	r := sample(12, 3)
	for i := range r.Images {
		move := &r.Images[i].Channels[0].History[0]
		move.By, move.Reason = strings.Repeat("y", 150), strings.Repeat("z", 150)
	}
	for _, width := range []int{1280, 800, 600, 390} {
		b.open(r, width, "")
		b.run("document.querySelectorAll('details').forEach((d) => d.open = true)")
		check(b, "what is cut off", `[...document.querySelectorAll('article')].filter((article) =>
			[...article.querySelectorAll('*')].some((e) => e.getBoundingClientRect().right >
				article.getBoundingClientRect().right)).length`, 0.0)
	}
}
