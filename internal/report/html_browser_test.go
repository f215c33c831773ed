// SPDX-License-Identifier: MPL-2.0

package report_test

import (
	"bufio"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/packer-chain/packer-plugin-chain/internal/report"
)

// browser is a Chromium without a window, driven through a pipe.
type browser struct {
	t       *testing.T
	in      *os.File
	out     *bufio.Reader
	last    int
	session string
	// events are the names of what happened, and requests the addresses that were fetched.
	events, requests []string
}

type message struct {
	ID     int    `json:"id"`
	Method string `json:"method"`
	Error  *struct {
		Message string `json:"message"`
	} `json:"error"`
	Params struct {
		Request struct {
			URL string `json:"url"`
		} `json:"request"`
	} `json:"params"`
	Result struct {
		SessionID string `json:"sessionId"`
		Targets   []struct {
			ID   string `json:"targetId"`
			Type string `json:"type"`
		} `json:"targetInfos"`
		Result    struct{ Value any }
		Exception any `json:"exceptionDetails"`
	} `json:"result"`
}

// startBrowser starts a Chromium. Without one, the test is skipped, unless all tools are required.
func startBrowser(t *testing.T) *browser {
	t.Helper()
	program := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if found, err := exec.LookPath(name); err == nil {
			program = found
			break
		}
	}
	if program == "" && os.Getenv("CHAIN_REQUIRE_TOOLS") != "" {
		t.Fatal("no chromium: install it, such as with apt-get install chromium")
	} else if program == "" {
		t.Skip("no chromium, which shows whether anything in the page runs")
	}
	theirIn, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	out, theirOut, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	// Nothing that it would sandbox comes from outside, and root cannot.
	cmd := exec.Command(program, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
		"--disable-dev-shm-usage", "--remote-debugging-pipe", "--user-data-dir="+t.TempDir(), "about:blank")
	cmd.ExtraFiles = []*os.File{theirIn, theirOut}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	theirIn.Close()
	theirOut.Close()
	b := &browser{t: t, in: in, out: bufio.NewReader(out)}
	t.Cleanup(func() {
		b.session = ""
		b.do("Browser.close", nil)
		_ = cmd.Wait()
		in.Close()
		out.Close()
	})
	for _, target := range b.do("Target.getTargets", nil).Result.Targets {
		if target.Type == "page" {
			b.session = b.do("Target.attachToTarget",
				map[string]any{"targetId": target.ID, "flatten": true}).Result.SessionID
		}
	}
	for _, domain := range []string{"Page", "Runtime", "Network", "Log"} {
		b.do(domain+".enable", nil)
	}
	return b
}

// do sends a command and returns the answer.
func (b *browser) do(method string, params map[string]any) message {
	b.t.Helper()
	b.last++
	command := map[string]any{"id": b.last, "method": method}
	if params != nil {
		command["params"] = params
	}
	if b.session != "" {
		command["sessionId"] = b.session
	}
	line, err := json.Marshal(command)
	if err != nil {
		b.t.Fatal(err)
	}
	if _, err := b.in.Write(append(line, 0)); err != nil {
		b.t.Fatal(err)
	}
	for {
		m := b.read()
		if m.ID != b.last {
			continue
		}
		if m.Error != nil {
			b.t.Fatalf("%s: %s", method, m.Error.Message)
		}
		return m
	}
}

func (b *browser) read() message {
	b.t.Helper()
	line, err := b.out.ReadBytes(0)
	if err != nil {
		b.t.Fatalf("the browser ended: %v", err)
	}
	var m message
	if err := json.Unmarshal(line[:len(line)-1], &m); err != nil {
		b.t.Fatal(err)
	}
	if m.Method == "Page.javascriptDialogOpening" {
		b.t.Fatal("the page opened a dialog")
	}
	if m.Method != "" {
		b.events = append(b.events, m.Method)
	}
	if m.Method == "Network.requestWillBeSent" {
		b.requests = append(b.requests, m.Params.Request.URL)
	}
	return m
}

// open shows a report in a window of a width.
func (b *browser) open(r report.Report, width int, fragment string) {
	b.t.Helper()
	name := filepath.Join(b.t.TempDir(), "chain.html")
	if err := os.WriteFile(name, render(b.t, r), 0o600); err != nil {
		b.t.Fatal(err)
	}
	b.do("Emulation.setDeviceMetricsOverride", map[string]any{
		"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500,
	})
	b.events, b.requests = nil, nil
	b.do("Page.navigate", map[string]any{"url": "file://" + name + fragment})
	for !slices.Contains(b.events, "Page.loadEventFired") {
		b.read()
	}
}

// run runs a script as if it were typed into the console, and returns its result.
func (b *browser) run(script string) any {
	b.t.Helper()
	m := b.do("Runtime.evaluate", map[string]any{
		"expression": script, "returnByValue": true, "awaitPromise": true,
	})
	if m.Result.Exception != nil {
		b.t.Fatalf("%s: %v", script, m.Result.Exception)
	}
	return m.Result.Result.Value
}

// check checks that a script returns something.
func (b *browser) check(what, script string, want any) {
	b.t.Helper()
	if got := b.run(script); got != want {
		b.t.Errorf("%s: got %v, want %v", what, got, want)
	}
}
