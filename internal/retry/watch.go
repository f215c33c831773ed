// SPDX-License-Identifier: MPL-2.0

package retry

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

// Watch reports from time to time what is waited for, and why. It runs concurrently with the work,
// because that may be stuck in a single call.
type Watch struct {
	notify  func(string)
	started time.Time
	quit    chan struct{}
	ended   sync.WaitGroup

	mu  sync.Mutex
	why string
}

// NewWatch begins to watch: notify is called after 2 seconds, then every 5. Nil watches nothing.
func NewWatch(notify func(string), why string) *Watch {
	w := &Watch{notify: notify, started: time.Now(), quit: make(chan struct{}), why: why}
	if notify != nil {
		w.ended.Go(w.run)
	}
	return w
}

// Because changes the reason for the wait to the first line of why.
func (w *Watch) Because(why string) {
	line, _, _ := strings.Cut(why, "\n")
	w.mu.Lock()
	defer w.mu.Unlock()
	w.why = line
}

// Stop ends the watch. Afterwards notify is called no more.
func (w *Watch) Stop() {
	close(w.quit)
	w.ended.Wait()
}

func (w *Watch) run() {
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
		w.notify(fmt.Sprintf("still trying after %s: %s", w.elapsed(), why))
		timer.Reset(nextNotice)
	}
}

func (w *Watch) elapsed() time.Duration { return time.Since(w.started).Round(time.Second) }
