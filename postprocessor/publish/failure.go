// SPDX-License-Identifier: MPL-2.0

package publish

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/packer-chain/packer-plugin-chain/internal/artifact"
	"github.com/packer-chain/packer-plugin-chain/internal/crash"
	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
	"github.com/packer-chain/packer-plugin-chain/internal/store"
)

// afterwards is how long a failed publication may take to take back what it did, or to leave a local
// copy. The build may have been cancelled by then, so it does not go by the build's context; but then the
// user waits for the end, and hasty is the limit.
const (
	afterwards = 20 * time.Second
	hasty      = 1500 * time.Millisecond
)

// failed ends a publication that did not succeed, as on_failure says. With "keep" it answers nil:
// Packer would deregister the AMI otherwise.
func (j *publication) failed(ctx context.Context, cause error) error {
	ctx, cancel := lastMoments(ctx)
	defer cancel()
	if j.config.OnFailure == fail {
		return j.fail(ctx, cause)
	}
	lines := []string{
		fmt.Sprintf("publish %s: %s", j.rec.Image, cause), "",
		j.state(cause),
		"The image is kept: " + j.artifacts(),
		j.remedy(ctx),
	}
	j.ui.Error(strings.Join(lines, "\n"))
	return nil
}

func lastMoments(ctx context.Context) (context.Context, context.CancelFunc) {
	last := context.WithoutCancel(ctx)
	if ctx.Err() == nil {
		return context.WithTimeout(last, afterwards)
	}
	// The cause hands the haste on to the store.
	return context.WithTimeoutCause(last, hasty, context.Canceled)
}

// fail returns the error, upon which Packer destroys the image that it built: what was published of that is
// taken back. An image that was handed on is never destroyed.
func (j *publication) fail(ctx context.Context, cause error) error {
	text := j.state(cause)
	switch _, unknown := unknownWrite(cause); {
	case j.handedOn():
		text += " The image stays, and nothing was taken back."
	case j.stored.Manifest != nil || unknown:
		found, err := j.takeBack(ctx)
		if err != nil {
			text += " It could not be taken back: " + err.Error()
		} else if found {
			text = "What was published has been taken back." + j.leftBehind()
		}
	}
	return fmt.Errorf("publish %s: %w\n\n%s", j.rec.Image, cause, text)
}

// takeBack answers whether there was a manifest to take back: one that is not there may still come, where the
// answer to its write was lost.
func (j *publication) takeBack(ctx context.Context) (found bool, err error) {
	refs := sideBySide(j.moved, func(ref movedRef) error {
		return j.registry.MoveBack(ctx, j.rec.Image, ref.name, ref.moved)
	})
	found, err = j.registry.Withdraw(ctx, j.rec.Image, j.rec.Fingerprint, j.entries)
	return found || j.stored.Manifest != nil, errors.Join(refs, err)
}

// leftBehind names the refs that cannot be moved back, because they pointed nowhere before.
func (j *publication) leftBehind() string {
	var names []string
	for _, ref := range j.moved {
		if ref.moved.Before == nil {
			names = append(names, ref.name)
		}
	}
	if len(names) == 0 {
		return ""
	}
	slices.Sort(names)
	return " Refs that did not exist before stay as they are: " + strings.Join(names, ", ") + "."
}

// state says what is known of the registry: published, not published, or unknown.
func (j *publication) state(cause error) string {
	address, unknown := unknownWrite(cause)
	switch {
	case j.exists():
		return "The image was published by an earlier build; the refs or the local manifest may not be up to date."
	case j.stored.Manifest != nil:
		return "The manifest is published (" + j.stored.URI + "); the refs or the local manifest are not complete."
	case unknown:
		return "It is unknown whether the manifest is published: read " + address + " to find out."
	}
	return "The manifest is not published."
}

// unknownWrite is the address of a document whose write may have landed or not.
func unknownWrite(cause error) (address string, unknown bool) {
	var update *store.UpdateError
	if errors.As(cause, &update) && update.Outcome == store.Unknown {
		return update.Address, true
	}
	return "", false
}

// remedy leaves a local manifest and says how to finish.
func (j *publication) remedy(ctx context.Context) string {
	const again = "To finish, remove the cause and run the same packer build again"
	if j.exists() || j.stored.Manifest != nil {
		return again + ": it builds nothing."
	}
	path, err := j.writeUnpublished(ctx)
	if err != nil {
		return fmt.Sprintf("%s. No local manifest could be left, so the image will be built again: %s", again, err)
	}
	return fmt.Sprintf("%s, in the same folder: it finds %s, builds nothing, and publishes the image.", again, path)
}

// artifacts names what is kept. Of an artifact that could not be read, that is its id, if anything.
func (j *publication) artifacts() string {
	entries := j.entries
	if len(entries) == 0 {
		var unread manifest.Entry
		_ = crash.Guard(component, func() error {
			unread.ArtifactID = j.source.Id()
			unread.Images = artifact.FromID(unread.ArtifactID)
			return nil
		})()
		entries = []manifest.Entry{unread}
	}
	var ids []string
	for _, entry := range entries {
		ids = append(ids, artifactOf(entry))
	}
	return strings.Join(ids, ", ")
}
