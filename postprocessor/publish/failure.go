// SPDX-License-Identifier: MPL-2.0

package publish

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	packersdk "github.com/hashicorp/packer-plugin-sdk/packer"

	"github.com/packer-chain/packer-plugin-chain/internal/crash"
	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
	"github.com/packer-chain/packer-plugin-chain/internal/store"
)

// The time that a failed publication has to leave a local manifest. The build may have been
// cancelled by then, so its context does not count; but then the user waits for the end.
const (
	timeToRecord       = 20 * time.Second
	timeAfterInterrupt = 1500 * time.Millisecond
)

// failed ends a publication that did not succeed, as on_failure says. Either way it leaves a local
// manifest, from which the next run publishes what was built.
func (p publication) failed(
	ctx context.Context, source packersdk.Artifact, done progress, cause error,
) error {
	cause = manifest.Advise(cause)
	if p.promotes() {
		return fmt.Errorf("promote %s: %w", p.rec.Image, cause)
	}
	ctx, cancel := lastMoments(ctx)
	defer cancel()
	kept := "The image is kept"
	if p.config.OnFailure == failBuild && !p.passedThrough() {
		kept = "Packer keeps the image if the post-processor before this one succeeded"
	}
	lines := []string{
		p.state(done, cause),
		kept + ": " + artifacts(source, done.own),
		p.remedy(ctx, done),
	}
	err := fmt.Errorf("publish %s: %w\n\n%s", p.rec.Image, cause, strings.Join(lines, "\n"))
	if p.config.OnFailure == keepImage {
		p.ui.Error(err.Error())
		return nil
	}
	return err
}

// lastMoments returns the context of a failed publication, which outlives ctx.
func lastMoments(ctx context.Context) (context.Context, context.CancelFunc) {
	last := context.WithoutCancel(ctx)
	if ctx.Err() == nil {
		return context.WithTimeout(last, timeToRecord)
	}
	return context.WithTimeout(last, timeAfterInterrupt)
}

// state returns what is known of the registry: published, not published, or unknown.
func (p publication) state(done progress, cause error) string {
	address, unknown := unknownWrite(cause)
	switch {
	case p.published():
		return "The image was published by an earlier build; " +
			"its channels or the local manifest may not be up to date."
	case done.stored.Manifest != nil:
		return "The manifest is published (" + done.stored.URI + "); " +
			"its channels or the local manifest are incomplete."
	case unknown:
		return "It is unknown whether the manifest is published: read " + address + " to find out."
	}
	return "The manifest is not published."
}

// unknownWrite returns the address of a document if it is unknown whether it was written.
func unknownWrite(cause error) (address string, unknown bool) {
	var update *store.UpdateError
	if errors.As(cause, &update) && update.Outcome == store.Unknown {
		return update.Address, true
	}
	return "", false
}

// remedy returns how to finish. If the image is not published, it leaves a local manifest for that.
func (p publication) remedy(ctx context.Context, done progress) string {
	const again = "To finish, remove the cause and run the same packer build again"
	if p.published() || done.stored.Manifest != nil {
		return again + ": it builds nothing."
	}
	path, err := p.writeUnpublished(ctx, done.own)
	if err != nil {
		return fmt.Sprintf("%s. No local manifest could be written, so the image will be built again: %s",
			again, err)
	}
	return fmt.Sprintf("%s, in the same folder: it finds %s, builds nothing, and publishes the image.",
		again, path)
}

// artifacts returns the ids of what is kept. If the artifact could not be read, that is its own id,
// if it has one.
func artifacts(source packersdk.Artifact, entries []manifest.Entry) string {
	if len(entries) == 0 {
		var unread manifest.Entry
		_ = crash.Guard(component, func() error {
			unread.ArtifactID = source.Id()
			unread.Images = manifest.ImagesFromID(unread.ArtifactID)
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
