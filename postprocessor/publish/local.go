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
)

// output is the file of the local manifest.
func (j *publication) output() (string, error) {
	return absolute("local_manifest", cmp.Or(j.config.LocalManifest, j.found()))
}

// found is the file where the next run looks for what this one could not publish.
func (j *publication) found() string {
	return cmp.Or(j.rec.LocalManifest, j.config.LocalManifest, "manifest-"+j.rec.Image+".json")
}

func absolute(option, name string) (string, error) {
	path, err := filepath.Abs(name)
	if err != nil {
		return "", fmt.Errorf("%s %q: %w", option, name, err)
	}
	return path, nil
}

// writeLocal writes the local manifest, as it lies in the registry.
func (j *publication) writeLocal(ctx context.Context) error {
	path, err := j.output()
	if err != nil {
		return err
	}
	err = localmanifest.Replace(ctx, path, func(have *manifest.Manifest) ([]byte, error) {
		ours := have.Belongs(j.rec.Image, j.rec.Fingerprint) == nil
		if ours && j.saysMore(have) {
			return nil, nil
		}
		j.warnOfLost(have)
		return j.stored.Body, nil
	})
	if err == nil {
		j.ui.Say("local manifest: " + path)
	}
	return err
}

// saysMore tells whether the local manifest is to stay. The sources of one build run side by side: the one
// that comes last here may have read an older manifest than the one before it, and one that failed has
// left here what is still to be published. A copy from another registry says nothing.
func (j *publication) saysMore(have *manifest.Manifest) bool {
	stored := j.stored.Manifest
	if have.Unpublished() {
		return len(localmanifest.Unpublished(stored, have)) > 0
	}
	return have.Chain.Seq > stored.Chain.Seq && len(have.Unknown(stored.Builds)) == 0
}

// writeUnpublished writes a local manifest that says that the image is not in the registry. The next run
// finds it and publishes the image, instead of building it again.
func (j *publication) writeUnpublished(ctx context.Context) (string, error) {
	if len(j.entries) == 0 {
		return "", errors.New("the artifact could not be read")
	}
	path, err := absolute("local_manifest", j.found())
	if err != nil {
		return "", err
	}
	return path, localmanifest.Replace(ctx, path, func(have *manifest.Manifest) ([]byte, error) {
		if have.Belongs(j.rec.Image, j.rec.Fingerprint) != nil {
			have = nil
		}
		merged, changed := manifest.Merge(have, j.entries, j.facts(), j.now().UTC().Truncate(time.Second), "unpublished")
		if !changed {
			merged = have
		}
		published := false
		merged.Chain.Published = &published
		return manifest.Encode(merged)
	})
}
