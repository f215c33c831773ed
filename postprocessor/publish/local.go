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

// localPath returns the path of the local manifest.
func (p publication) localPath() (string, error) {
	return absolute(cmp.Or(p.config.LocalManifest, p.nextRunReads()))
}

// nextRunReads returns the file in which the next run looks for what this one could not publish.
func (p publication) nextRunReads() string {
	return cmp.Or(p.rec.LocalManifest, p.config.LocalManifest,
		localmanifest.Default(".", p.rec.Registry, p.rec.Image))
}

func absolute(name string) (string, error) {
	path, err := filepath.Abs(name)
	if err != nil {
		return "", fmt.Errorf("local_manifest %q: %w", name, err)
	}
	return path, nil
}

// writeLocal writes the local manifest: the bytes of the one in the registry.
func (p publication) writeLocal(ctx context.Context, stored registry.Stored) error {
	path, err := p.localPath()
	if err != nil {
		return err
	}
	err = localmanifest.Replace(ctx, path, func(have *manifest.Manifest) ([]byte, error) {
		ours := have.Belongs(p.rec.Image, p.rec.Fingerprint) == nil
		if ours && knowsMore(have, stored.Manifest) {
			return nil, nil
		}
		p.warn(lost(have, stored.Manifest)...)
		return stored.Body, nil
	})
	if err == nil {
		p.ui.Say("local manifest: " + path)
	}
	return err
}

// knowsMore reports whether a local manifest of the same build must stay. The sources of one build
// publish concurrently: the last one may have read an older manifest than the one before it, and
// one that failed has left here what is still to be published. A manifest from another registry
// knows nothing.
func knowsMore(local, stored *manifest.Manifest) bool {
	if local.Unpublished() {
		return len(localmanifest.Unpublished(stored, local)) > 0
	}
	return local.Chain.Seq > stored.Chain.Seq && len(local.Missing(stored.Builds)) == 0
}

// writeUnpublished writes a local manifest that says that the image is not in the registry. The
// next run finds it and publishes the image, instead of building it again.
func (p publication) writeUnpublished(
	ctx context.Context, entries []manifest.Entry,
) (path string, err error) {
	if len(entries) == 0 {
		return "", errors.New("the artifact, or the files that it was built from, could not be read")
	}
	if path, err = absolute(p.nextRunReads()); err != nil {
		return "", err
	}
	return path, localmanifest.Replace(ctx, path, func(have *manifest.Manifest) ([]byte, error) {
		if have.Belongs(p.rec.Image, p.rec.Fingerprint) != nil {
			p.warn(lost(have, &manifest.Manifest{})...)
			have = nil
		}
		now := time.Now().UTC().Truncate(time.Second)
		merged, _ := manifest.Merge(have, p.facts(), entries, now, "unpublished")
		published := false
		merged.Chain.Published = &published
		return manifest.Encode(merged)
	})
}
