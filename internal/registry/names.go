// SPDX-License-Identifier: MPL-2.0

package registry

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
	"github.com/packer-chain/packer-plugin-chain/internal/store"
)

const (
	// listTime limits a list: it only helps to explain.
	listTime = 5 * time.Second
	// maxNames is how many names a message shows.
	maxNames = 10
)

// Hint is what the registry has instead of an image or a channel that was not found.
type Hint struct {
	// Text is "" if the registry cannot tell, such as without the right to list.
	Text string
	// Misspelled is true if something is spelled almost like what was not found. It comes first.
	Misspelled bool
	// OtherChannels is true if the image exists, with channels, and only the wanted one is missing.
	OtherChannels bool
}

// Similar says which images or channels exist, for an error about one that was not found. A build
// that succeeds never lists, because the number of documents grows.
func (r *Registry) Similar(ctx context.Context, image, channel string) Hint {
	ctx, cancel := context.WithTimeout(ctx, listTime)
	defer cancel()
	images, _, err := r.Images(ctx)
	if err != nil || len(images) == 0 {
		return Hint{}
	}
	if !slices.Contains(images, image) {
		names, misspelled := closest(image, images)
		return Hint{Text: "The registry has no image " + image + ". " + names, Misspelled: misspelled}
	}
	if channel == "" {
		return Hint{}
	}
	channels, _, err := r.Channels(ctx, image)
	switch {
	case err != nil || slices.Contains(channels, channel):
		return Hint{}
	case len(channels) == 0:
		return Hint{Text: "Image " + image + " has no channels yet. "}
	}
	names, misspelled := closest(channel, channels)
	return Hint{"Image " + image + " has no channel " + channel + ". " + names, misspelled, true}
}

// Images returns the names of images, sorted, and whether those are all: it lists once. So it is
// nothing for a build.
func (r *Registry) Images(ctx context.Context) (names []string, all bool, err error) {
	return r.list(ctx, "", "/", manifest.CheckImage)
}

// Channels returns the names of channels of an image, as [Registry.Images] does.
func (r *Registry) Channels(
	ctx context.Context, image string,
) (names []string, all bool, err error) {
	return r.list(ctx, image+"/"+string(Channel)+"s/", ".json", manifest.CheckChannel)
}

// list returns the names below a prefix that end with a suffix and have the right form, and whether
// those are all. Others can write there, and whatever they write counts for the limit.
func (r *Registry) list(
	ctx context.Context, prefix, suffix string, check func(string) error,
) (names []string, all bool, err error) {
	keys, err := store.List(ctx, r.store, prefix, "/")
	for _, key := range keys {
		name, ok := strings.CutSuffix(strings.TrimPrefix(key, prefix), suffix)
		if ok && check(name) == nil {
			names = append(names, name)
		}
	}
	return names, len(keys) < store.MaxListed, err
}

// closest returns the names, those that are spelled most like the wanted one first, and if one is
// spelled almost like it, a question. Then misspelled is true.
func closest(wanted string, names []string) (text string, misspelled bool) {
	slices.SortStableFunc(names, func(a, b string) int {
		return cmp.Compare(distance(wanted, a), distance(wanted, b))
	})
	shown := strings.Join(names[:min(len(names), maxNames)], ", ")
	if len(names) > maxNames {
		shown += " and others"
	}
	text = "It has " + shown + ". "
	if d := distance(wanted, names[0]); d <= 1+len(wanted)/4 {
		return "Did you mean " + names[0] + "? " + text, true
	}
	return text, false
}

// distance returns how many characters have to be added, removed or replaced to make b of a.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}
