// SPDX-License-Identifier: MPL-2.0

package publish

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

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
		"The image is kept: " + strings.Join(j.artifacts(), ", "),
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

// fail takes back what was published and returns the error: Packer is about to destroy the image.
func (j *publication) fail(ctx context.Context, cause error) error {
	text := j.state(cause)
	if j.registry != nil && !j.exists() {
		if err := j.takeBack(ctx); err != nil {
			text += " It could not be taken back: " + err.Error()
		} else if j.stored.Manifest != nil {
			text = "What was published has been taken back."
		}
	}
	return fmt.Errorf("publish %s: %w\n\n%s", j.rec.Image, cause, text)
}

func (j *publication) takeBack(ctx context.Context) error {
	var errs []error
	for _, ref := range j.moved {
		errs = append(errs, j.registry.MoveBack(ctx, j.rec.Image, ref.name, ref.moved))
	}
	if j.stored.Manifest != nil {
		errs = append(errs, j.registry.Withdraw(ctx, j.rec.Image, j.rec.Fingerprint, j.entries))
	}
	return errors.Join(errs...)
}

// state says what is known of the registry: published, not published, or unknown.
func (j *publication) state(cause error) string {
	var update *store.UpdateError
	switch {
	case j.exists():
		return "The image was published by an earlier build; the refs or the local copy may not be up to date."
	case j.stored.Manifest != nil:
		return "The manifest is published (" + j.stored.URI + "); the refs or the local copy are not complete."
	case errors.As(cause, &update) && update.Outcome == store.Unknown:
		return "It is unknown whether the manifest is published: read " + update.Address + " to find out."
	}
	return "The manifest is not published."
}

// remedy leaves a local copy and says how to finish.
func (j *publication) remedy(ctx context.Context) string {
	const again = "To finish, remove the cause and run the same packer build again"
	if j.exists() || j.stored.Manifest != nil {
		return again + ": it builds nothing."
	}
	path, err := j.writeUnpublished(ctx)
	if err != nil {
		return fmt.Sprintf("%s. No local copy could be left, so the image will be built again: %s", again, err)
	}
	return fmt.Sprintf("%s, in the same folder: it finds %s, builds nothing, and publishes the image.", again, path)
}

func (j *publication) artifacts() []string {
	var ids []string
	for _, entry := range j.entries {
		ids = append(ids, artifactOf(entry))
	}
	return ids
}
