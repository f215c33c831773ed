// SPDX-License-Identifier: MPL-2.0

package store

import (
	"fmt"
	"strings"
	"sync"
	"time"
)

const (
	firstNotice = 2 * time.Second
	nextNotice  = 5 * time.Second
)

// watch tells from time to time what an Update waits for. It runs beside the Update, because that may
// be stuck in a single call.
type watch struct {
	notify  func(string)
	started time.Time
	quit    chan struct{}
	ended   sync.WaitGroup

	mu  sync.Mutex
	why string
}

// newWatch begins to watch. A nil notify watches nothing.
func newWatch(address string, notify func(string)) *watch {
	w := &watch{
		notify: notify, started: time.Now(), quit: make(chan struct{}),
		why: "no answer yet from " + address,
	}
	if notify != nil {
		w.ended.Go(w.run)
	}
	return w
}

// because notes the reason for the wait: the first line of the error.
func (w *watch) because(err error) {
	line, _, _ := strings.Cut(err.Error(), "\n")
	w.mu.Lock()
	defer w.mu.Unlock()
	w.why = line
}

// stop ends the watch. When it returns, notify is called no more.
func (w *watch) stop() {
	close(w.quit)
	w.ended.Wait()
}

func (w *watch) run() {
	timer := time.NewTimer(firstNotice)
	defer timer.Stop()
	for {
		select {
		case <-w.quit:
			return
		case <-timer.C:
		}
		w.mu.Lock()
		why := w.why
		w.mu.Unlock()
		w.notify(fmt.Sprintf("still trying after %s: %s", time.Since(w.started).Round(time.Second), why))
		timer.Reset(nextNotice)
	}
}
