// SPDX-License-Identifier: MPL-2.0

package report

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/packer-chain/packer-plugin-chain/internal/crash"
	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
	"github.com/packer-chain/packer-plugin-chain/internal/registry"
	"github.com/packer-chain/packer-plugin-chain/internal/store"
	"github.com/packer-chain/packer-plugin-chain/internal/text"
)

const (
	// maxReaders is how many documents are read at once.
	maxReaders = 32
	// progressEvery is how often the progress is told.
	progressEvery = 2 * time.Second
)

// Build names the manifest of an image.
type Build struct{ Image, Fingerprint string }

// Pointed names a channel of an image.
type Pointed struct{ Image, Channel string }

// Contents is what was read of a registry.
type Contents struct {
	Registry string
	At       time.Time
	// Images are the names of all images.
	Images   []string
	Channels map[Pointed]*registry.Pointer
	Builds   map[Build]registry.Stored
	// Unread are why documents of an image could not be read, with their addresses. Those of no image
	// have the key "".
	Unread map[string][]string
}

// reading is one run of [Read]. Its maps are shared by goroutines.
type reading struct {
	reg  *registry.Registry
	mu   sync.Mutex
	got  Contents
	todo int
	done int
}

// Read reads all channels of a registry, and the manifests of what they point at and of the images
// below that: never more for a longer history. A document that cannot be read is noted. say is
// called every two seconds with how far it is.
func Read(ctx context.Context, reg *registry.Registry, say func(string)) (Contents, error) {
	images, err := reg.Images(ctx)
	if err != nil {
		return Contents{}, fmt.Errorf("list the images: %w", err)
	}
	r := &reading{reg: reg, got: Contents{
		Images: images, Channels: map[Pointed]*registry.Pointer{}, Builds: map[Build]registry.Stored{},
		Unread: map[string][]string{},
	}}
	if len(images) >= store.MaxListed {
		r.note("", fmt.Sprintf("only the first %d images are shown", store.MaxListed))
	}
	stop := r.tell(say)
	defer stop()
	channels, err := r.listChannels(ctx, images)
	if err != nil {
		return Contents{}, err
	}
	if err := each(ctx, r, channels, r.readChannel); err != nil {
		return Contents{}, err
	}
	if err := each(ctx, r, r.builds(), r.readBuild); err != nil {
		return Contents{}, err
	}
	r.got.At = reg.Now()
	for _, unread := range r.got.Unread {
		slices.Sort(unread)
	}
	return r.got, nil
}

// tell tells the progress until it is stopped.
func (r *reading) tell(say func(string)) (stop func()) {
	ticker, done := time.NewTicker(progressEvery), make(chan struct{})
	var ended sync.WaitGroup
	ended.Go(func() {
		for {
			select {
			case <-done:
				return
			case <-ticker.C:
				r.mu.Lock()
				line := fmt.Sprintf("read %d of %d documents", r.done, r.todo)
				r.mu.Unlock()
				say(line)
			}
		}
	})
	return func() {
		ticker.Stop()
		close(done)
		ended.Wait()
	}
}

// note notes why a document of an image could not be read.
func (r *reading) note(image, why string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.got.Unread[image] = append(r.got.Unread[image], why)
}

// each reads all of some things concurrently, within a bound.
func each[T any](
	ctx context.Context, r *reading, all []T, read func(context.Context, T) error,
) error {
	r.mu.Lock()
	r.todo += len(all)
	r.mu.Unlock()
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(maxReaders)
	for _, one := range all {
		group.Go(crash.Guard("read the registry", func() error {
			err := read(ctx, one)
			r.mu.Lock()
			r.done++
			r.mu.Unlock()
			return err
		}))
	}
	return group.Wait()
}

// listChannels returns the channels of all images.
func (r *reading) listChannels(ctx context.Context, images []string) ([]Pointed, error) {
	var channels []Pointed
	err := each(ctx, r, images, func(ctx context.Context, image string) error {
		names, err := r.reg.Channels(ctx, image)
		if err != nil {
			return r.unless(ctx, image, fmt.Errorf("list the channels of %s: %w", image, err))
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		for _, name := range names {
			channels = append(channels, Pointed{image, name})
		}
		return nil
	})
	return channels, err
}

// unless notes an error of an image, unless nothing can be read any more.
func (r *reading) unless(ctx context.Context, image string, err error) error {
	if ctx.Err() != nil || errors.Is(err, store.ErrDenied) {
		return err
	}
	line, _, _ := strings.Cut(err.Error(), "\n")
	r.note(image, text.OneLine(line))
	return nil
}

func (r *reading) readChannel(ctx context.Context, at Pointed) error {
	name := registry.Name{Kind: registry.Channel, Name: at.Channel}
	pointer, err := r.reg.Pointer(ctx, at.Image, name)
	if err != nil {
		return r.unless(ctx, at.Image, err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.got.Channels[at] = pointer
	return nil
}

// builds returns the builds that channels point at, and those below them, each once.
func (r *reading) builds() []Build {
	known := map[Build]bool{}
	for at, pointer := range r.got.Channels {
		known[Build{at.Image, pointer.Fingerprint}] = true
		for _, a := range pointer.Ancestors {
			ours := slices.Contains(r.got.Images, a.Image)
			if ours && manifest.CheckFingerprint(a.Fingerprint) == nil {
				known[Build{a.Image, a.Fingerprint}] = true
			}
		}
	}
	var all []Build
	for build := range known {
		all = append(all, build)
	}
	return all
}

func (r *reading) readBuild(ctx context.Context, build Build) error {
	stored, err := r.reg.Manifest(ctx, build.Image, build.Fingerprint)
	if err != nil {
		return r.unless(ctx, build.Image, err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.got.Builds[build] = stored
	return nil
}
