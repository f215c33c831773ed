// SPDX-License-Identifier: MPL-2.0

package report_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
	"github.com/packer-chain/packer-plugin-chain/internal/registry"
	"github.com/packer-chain/packer-plugin-chain/internal/report"
	"github.com/packer-chain/packer-plugin-chain/internal/store"
	"github.com/packer-chain/packer-plugin-chain/internal/store/storetest/memstore"
)

// counted is a store that counts requests, takes time for each, and refuses some.
type counted struct {
	*memstore.Store
	requests, now, most atomic.Int64
	takes               time.Duration
	refuses             func(key string) error
}

func (c *counted) Get(ctx context.Context, key string) (store.Object, error) {
	if err := c.request(key); err != nil {
		return store.Object{}, fmt.Errorf("read %s: %w", key, err)
	}
	return c.Store.Get(ctx, key)
}

func (c *counted) List(ctx context.Context, prefix, delimiter string) ([]string, error) {
	if err := c.request(prefix); err != nil {
		return nil, fmt.Errorf("list %s: %w", prefix, err)
	}
	return c.Store.List(ctx, prefix, delimiter)
}

func (c *counted) request(key string) error {
	c.requests.Add(1)
	if now := c.now.Add(1); now > c.most.Load() {
		c.most.Store(now)
	}
	time.Sleep(c.takes)
	c.now.Add(-1)
	if c.refuses != nil {
		return c.refuses(key)
	}
	return nil
}

func TestRead_requests(t *testing.T) {
	w := newWorld(t)
	reads := func() int64 {
		c := &counted{Store: w.store}
		if _, err := report.Read(t.Context(), registry.New(c), func(string) {}); err != nil {
			t.Fatal(err)
		}
		return c.requests.Load()
	}
	chained(w)
	few := reads()
	// Images, their channels, and for each its channel and manifest.
	if want := int64(1 + 3 + 3 + 3); few != want {
		t.Errorf("%d requests for 3 images, want %d", few, want)
	}
	for i := range 50 {
		base := w.run(build{image: "base", template: fmt.Sprint("more ", i)})
		w.run(build{image: "runtime", parents: []manifest.Parent{base}})
	}
	// app is built on the first runtime still, and that on the first base.
	if many := reads(); many != few+2 {
		t.Errorf("%d requests after 100 more builds, want %d", many, few+2)
	}
}

func TestRead_isConcurrentAndSaysHowFarItIs(t *testing.T) {
	w := newWorld(t)
	for i := range 100 {
		w.run(build{image: fmt.Sprint("image", i)})
	}
	synctest.Test(t, func(t *testing.T) {
		c := &counted{Store: w.store, takes: time.Second}
		var said []string
		_, err := report.Read(t.Context(), registry.New(c), func(line string) { said = append(said, line) })
		if err != nil {
			t.Fatal(err)
		}
		if most := c.most.Load(); most != 32 {
			t.Errorf("%d requests at once, want 32", most)
		}
		// One list, and three rounds of 100 documents, 32 a second.
		if len(said) != 6 || !strings.HasSuffix(said[0], " of 100 documents") {
			t.Errorf("said %q in 13 seconds, want a line every two", said)
		}
	})
}

func TestRead_whatCannotBeRead(t *testing.T) {
	tests := map[string]struct {
		refuses  func(key string) error
		problems string
		err      string
	}{
		"one channel is denied": {
			refuses: func(key string) error {
				if key == "base/channels/latest.json" {
					return store.ErrDenied
				}
				return nil
			},
			problems: "map[base:[read base/channels/latest.json: access denied]]",
		},
		"all channels are denied": {
			refuses: func(key string) error {
				if strings.HasSuffix(key, ".json") {
					return store.ErrDenied
				}
				return nil
			},
			err: "access denied",
		},
		"all channels of a folder are denied": {
			refuses: func(key string) error {
				if strings.HasSuffix(key, ".json") {
					return &fs.PathError{Op: "open", Path: key, Err: fs.ErrPermission}
				}
				return nil
			},
			err: "permission denied",
		},
		"the channels of an image cannot be listed": {
			refuses: func(key string) error {
				if key == "base/channels/" {
					return errors.New("reset by peer\n\nTry again.")
				}
				return nil
			},
			problems: "map[base:[list the channels of base: list base/channels/: reset by peer]]",
		},
		"the images cannot be listed": {
			refuses: func(string) error { return errors.New("no route") },
			err:     "list the images: list : no route",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			chained(w)
			c := &counted{Store: w.store, refuses: tt.refuses}
			got, err := report.Read(t.Context(), registry.New(c), func(string) {})
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Errorf("got error %v, want %q", err, tt.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if problems := fmt.Sprint(got.Problems); problems != tt.problems {
				t.Errorf("got problems %s, want %s", problems, tt.problems)
			}
		})
	}
}

// TestRead_long reads lists that are cut off. Strange names count too: they may hide an image.
func TestRead_long(t *testing.T) {
	w := newWorld(t)
	w.run(build{image: "base"})
	for i := range store.MaxListed {
		w.put(fmt.Sprintf("x%d.txt", i), "")
		w.put(fmt.Sprintf("base/channels/x%d.txt", i), "")
	}
	const want = "map[:[list the images: only the first 1000 names are read] " +
		"base:[list the channels of base: only the first 1000 names are read]]"
	if got := fmt.Sprint(w.read().Problems); got != want {
		t.Errorf("got problems %s, want %s", got, want)
	}
}

func TestRead_ends(t *testing.T) {
	w := newWorld(t)
	chained(w)
	ctx, cancel := context.WithCancel(t.Context())
	c := &counted{Store: w.store, refuses: func(key string) error {
		if strings.Contains(key, "/channels/") {
			cancel()
		}
		return nil
	}}
	if _, err := report.Read(ctx, registry.New(c), func(string) {}); !errors.Is(err, context.Canceled) {
		t.Errorf("got error %v, want that of the context", err)
	}
}
