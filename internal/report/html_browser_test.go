// SPDX-License-Identifier: MPL-2.0

package report_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	cdplog "github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/packer-chain/packer-plugin-chain/internal/report"
)

// browser is a Chromium without a window.
type browser struct {
	t   *testing.T
	ctx context.Context
	mu  sync.Mutex
	// troubles are what the page did that it must not do, and requests the addresses that it fetched.
	troubles, requests []string
}

// startBrowser starts a Chromium. Without one, the test is skipped: make test installs it if it can.
func startBrowser(t *testing.T) *browser {
	t.Helper()
	names := []string{"chromium", "chromium-browser", "google-chrome"}
	found := func(name string) bool { _, err := exec.LookPath(name); return err == nil }
	i := slices.IndexFunc(names, found)
	if i < 0 {
		t.Skip("no chromium, which shows whether anything in the page runs")
	}
	// Nothing that it would sandbox comes from outside, and root cannot.
	options := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]),
		chromedp.ExecPath(names[i]), chromedp.NoSandbox, chromedp.DisableGPU)
	ctx, stop := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(stop)
	ctx, cancel := chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	b := &browser{t: t, ctx: ctx}
	b.must(chromedp.Do(ctx, chromedp.Navigate("about:blank")))
	b.must(chromedp.Do(ctx, chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.Call(ctx, cdplog.Enable, cdp.Empty{})
		return err
	})))
	b.must(chromedp.Listen(ctx, b.hear))
	return b
}

// hear notes an event.
func (b *browser) hear(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch event := event.(type) {
	case *network.EventRequestWillBeSent:
		b.requests = append(b.requests, event.Request.URL)
	case *page.EventJavascriptDialogOpening:
		b.troubles = append(b.troubles, "dialog "+event.Message)
	case *runtime.EventConsoleAPICalled:
		b.troubles = append(b.troubles, "console")
	case *runtime.EventExceptionThrown:
		b.troubles = append(b.troubles, "exception "+event.ExceptionDetails.Text)
	case *cdplog.EventEntryAdded:
		b.troubles = append(b.troubles, event.Entry.Text)
	}
}

func (b *browser) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

// open shows a report in a window of a width.
func (b *browser) open(r report.Report, width int, fragment string) {
	b.t.Helper()
	name := filepath.Join(b.t.TempDir(), "chain.html")
	b.must(os.WriteFile(name, render(b.t, r), 0o600))
	b.mu.Lock()
	b.troubles, b.requests = nil, nil
	b.mu.Unlock()
	size := chromedp.EmulateViewport(int64(width), 900,
		func(p *emulation.SetDeviceMetricsOverrideParams, _ *emulation.SetTouchEmulationEnabledParams) {
			p.Mobile = width < 500
		})
	b.must(chromedp.Do(b.ctx, size, chromedp.Navigate("file://"+name+fragment)))
}

// check checks that a script that is typed into the console returns something.
func check[T comparable](b *browser, what, script string, want T) {
	b.t.Helper()
	got, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](script, chromedp.EvalAwaitPromise))
	if err != nil || got != want {
		b.t.Errorf("%s: got %v, want %v, %v", what, got, want, err)
	}
}

// run runs a script for what it does.
func (b *browser) run(script string) {
	b.t.Helper()
	_, err := chromedp.Run(b.ctx, chromedp.Evaluate[*runtime.RemoteObject](script, chromedp.EvalAwaitPromise))
	if err != nil {
		b.t.Fatalf("%s: %v", script, err)
	}
}
