// SPDX-License-Identifier: MPL-2.0

package report

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
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
	// maxProblem is how many characters of an error are shown.
	maxProblem = 600
)

// incomplete is the problem of a list that may lack something.
var incomplete = fmt.Sprintf("only the first %d names are read", store.MaxListed)

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
	// BadChannels and BadBuilds are those that exist, or should, and could not be read.
	BadChannels map[Pointed]string
	BadBuilds   map[Build]string
	// Problems are why something could not be read, with its address, by image. What belongs to no
	// image has the key "".
	Problems map[string][]string
}

// reading is one run of [Read]. Its maps are shared by goroutines.
type reading struct {
	reg  *registry.Registry
	mu   sync.Mutex
	got  Contents
	todo int
	done int
	// denied is an error that may be that of all documents.
	denied error
}

// Read reads all channels of a registry, and the manifests of what they point at and of the images
// below that: never more for a longer history. A document that cannot be read is noted. say is
// called every two seconds with how far it is.
func Read(ctx context.Context, reg *registry.Registry, say func(string)) (Contents, error) {
	r := &reading{reg: reg, got: Contents{
		Channels: map[Pointed]*registry.Pointer{}, Builds: map[Build]registry.Stored{},
		BadChannels: map[Pointed]string{}, BadBuilds: map[Build]string{},
		Problems: map[string][]string{},
	}}
	stop := Progress(say, r.progress)
	defer stop()
	images, all, err := reg.Images(ctx)
	if err != nil {
		return Contents{}, fmt.Errorf("list the images: %w", err)
	}
	r.got.Images = images
	if !all {
		r.note("", fmt.Errorf("list the images: %s", incomplete))
	}
	channels, err := r.listChannels(ctx, images)
	if err != nil {
		return Contents{}, err
	}
	if err := each(ctx, r, channels, r.readChannel); err != nil {
		return Contents{}, err
	}
	if len(r.got.Channels) == 0 && r.denied != nil {
		return Contents{}, r.denied
	}
	if err := each(ctx, r, r.builds(), r.readBuild); err != nil {
		return Contents{}, err
	}
	r.got.At = reg.Now()
	for _, problems := range r.got.Problems {
		slices.Sort(problems)
	}
	return r.got, nil
}

// progress returns how far the reading is.
func (r *reading) progress() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.todo == 0 {
		return "listing the images"
	}
	return fmt.Sprintf("read %d of %d documents", r.done, r.todo)
}

// Progress says every two seconds what is waited for, until it is stopped.
func Progress(say func(string), line func() string) (stop func()) {
	ticker, done := time.NewTicker(progressEvery), make(chan struct{})
	var ended sync.WaitGroup
	ended.Go(func() {
		for {
			select {
			case <-done:
				return
			case <-ticker.C:
				say(line())
			}
		}
	})
	return func() {
		ticker.Stop()
		close(done)
		ended.Wait()
	}
}

// Problem returns what an error says, without the advice that follows.
func Problem(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return text.Clip(line, maxProblem)
}

// note notes why something of an image could not be read, and returns that on one line.
func (r *reading) note(image string, err error) string {
	line := Problem(err)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.got.Problems[image] = append(r.got.Problems[image], line)
	return line
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
		names, all, err := r.reg.Channels(ctx, image)
		if err == nil && !all {
			r.note(image, fmt.Errorf("list the channels of %s: %s", image, incomplete))
		}
		if err != nil {
			r.note(image, fmt.Errorf("list the channels of %s: %w", image, err))
			return ctx.Err()
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

func (r *reading) readChannel(ctx context.Context, at Pointed) error {
	name := registry.Name{Kind: registry.Channel, Name: at.Channel}
	pointer, err := r.reg.Pointer(ctx, at.Image, name)
	var why string
	if err != nil {
		why = r.note(at.Image, err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if errors.Is(err, store.ErrDenied) || errors.Is(err, fs.ErrPermission) {
		r.denied = err
	}
	if err != nil {
		r.got.BadChannels[at] = why
	} else {
		r.got.Channels[at] = pointer
	}
	return ctx.Err()
}

// wanted is a build to read.
type wanted struct {
	Build
	// channel is one that points at it. Empty: another image is built on it.
	channel string
}

// builds returns the builds that channels point at, and those below them, each once.
func (r *reading) builds() []wanted {
	channels := map[Build]string{}
	for at, pointer := range r.got.Channels {
		for _, a := range pointer.Ancestors {
			build := Build{a.Image, a.Fingerprint}
			ours := slices.Contains(r.got.Images, a.Image)
			if ours && manifest.CheckFingerprint(a.Fingerprint) == nil {
				if _, known := channels[build]; !known {
					channels[build] = ""
				}
			}
		}
		build := Build{at.Image, pointer.Fingerprint}
		channels[build] = max(channels[build], at.Channel)
	}
	var all []wanted
	for build, channel := range channels {
		all = append(all, wanted{build, channel})
	}
	return all
}

func (r *reading) readBuild(ctx context.Context, build wanted) error {
	stored, err := r.reg.Manifest(ctx, build.Image, build.Fingerprint)
	if errors.Is(err, registry.ErrNotFound) {
		if build.channel == "" {
			// The image may have been built on one from another registry.
			return nil
		}
		err = fmt.Errorf("read %s: channel %s points at it, but it does not exist",
			r.reg.ManifestURI(build.Image, build.Fingerprint), build.channel)
	}
	var why string
	if err != nil {
		why = r.note(build.Image, err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil {
		r.got.BadBuilds[build.Build] = why
	} else {
		r.got.Builds[build.Build] = stored
	}
	return ctx.Err()
}
