// SPDX-License-Identifier: MPL-2.0

package publish

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/packer-chain/packer-plugin-chain/internal/localmanifest"
	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
	"github.com/packer-chain/packer-plugin-chain/internal/registry"
)

// localPath returns the file of the local manifest.
func (j publication) localPath() (string, error) {
	return absolute(cmp.Or(j.config.LocalManifest, j.nextRunReads()))
}

// nextRunReads returns the file in which the next run looks for what this one could not publish.
func (j publication) nextRunReads() string {
	return cmp.Or(j.rec.LocalManifest, j.config.LocalManifest, localmanifest.Default(".", j.rec.Image))
}

func absolute(name string) (string, error) {
	path, err := filepath.Abs(name)
	if err != nil {
		return "", fmt.Errorf("local_manifest %q: %w", name, err)
	}
	return path, nil
}

// writeLocal writes the local manifest: the bytes of the one in the registry.
func (j publication) writeLocal(ctx context.Context, stored registry.Stored) error {
	path, err := j.localPath()
	if err != nil {
		return err
	}
	err = localmanifest.Replace(ctx, path, func(have *manifest.Manifest) ([]byte, error) {
		ours := have.Belongs(j.rec.Image, j.rec.Fingerprint) == nil
		if ours && knowsMore(have, stored.Manifest) {
			return nil, nil
		}
		j.warn(lost(have, stored.Manifest)...)
		return stored.Body, nil
	})
	if err == nil {
		j.ui.Say("local manifest: " + path)
	}
	return err
}

// knowsMore reports whether a local manifest of the same build must stay. The sources of one build
// publish concurrently: the last one may have read an older manifest than the one before it, and one
// that failed has left here what is still to be published. A manifest from another registry knows
// nothing.
func knowsMore(local, stored *manifest.Manifest) bool {
	if local.Unpublished() {
		return len(localmanifest.Unpublished(stored, local)) > 0
	}
	return local.Chain.Seq > stored.Chain.Seq && len(local.Missing(stored.Builds)) == 0
}

// writeUnpublished writes a local manifest that says that the image is not in the registry. The next
// run finds it and publishes the image, instead of building it again.
func (j publication) writeUnpublished(ctx context.Context, entries []manifest.Entry) (string, error) {
	if len(entries) == 0 {
		return "", errors.New("the artifact could not be read")
	}
	path, err := absolute(j.nextRunReads())
	if err != nil {
		return "", err
	}
	return path, localmanifest.Replace(ctx, path, func(have *manifest.Manifest) ([]byte, error) {
		if have.Belongs(j.rec.Image, j.rec.Fingerprint) != nil {
			have = nil
		}
		now := time.Now().UTC().Truncate(time.Second)
		merged, _ := manifest.Merge(have, j.facts(), entries, now, "unpublished")
		published := false
		merged.Chain.Published = &published
		return manifest.Encode(merged)
	})
}
