// SPDX-License-Identifier: MPL-2.0

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"

	"github.com/packer-chain/packer-plugin-chain/internal/access"
	"github.com/packer-chain/packer-plugin-chain/internal/registry"
	"github.com/packer-chain/packer-plugin-chain/internal/tags"
)

// witness looks at the registry of a process that died, in a way of its own.
type witness struct {
	*graveyard
	registry string
}

func (w *witness) open(ctx context.Context) (*registry.Registry, error) {
	options := &access.Config{AccessKey: "test", SecretKey: "test", Region: bakeRegions[0],
		RegistryAccess: &access.RegistryAccess{Endpoint: w.aws.Endpoint, UsePathStyle: true}}
	return access.Open(ctx, options, w.registry, nil).Registry()
}

func (w *witness) refs() []string {
	return []string{registry.GitRef(w.gitSHA), registry.CommitRef(w.commit), "latest", "production"}
}

// readable checks that every ref points at a manifest that is there and whole, and that every manifest names
// AMIs that are tagged only. Nothing at all is fine.
func (w *witness) readable(ctx context.Context) []error {
	reg, err := w.open(ctx)
	if err != nil {
		return []error{err}
	}
	var faults []error
	for _, name := range w.refs() {
		ref, err := reg.Ref(ctx, "base", name)
		if errors.Is(err, registry.ErrNotFound) {
			continue
		}
		if err == nil {
			_, err = reg.Follow(ctx, ref)
		}
		if err != nil {
			faults = append(faults, fmt.Errorf("ref %s: %w", name, err))
		}
	}
	stored, err := reg.Manifest(ctx, "base", w.fingerprint)
	switch {
	case errors.Is(err, registry.ErrNotFound):
		return faults
	case err != nil:
		return append(faults, err)
	}
	return append(faults, w.tagged(ctx, stored)...)
}

func (w *witness) tagged(ctx context.Context, stored registry.Stored) []error {
	var faults []error
	for _, entry := range stored.Manifest.Builds {
		images := entry.AMIs()
		if len(images) != len(bakeRegions) {
			faults = append(faults, fmt.Errorf("the manifest names %d AMIs, not %d", len(images), len(bakeRegions)))
		}
		for _, image := range images {
			out, err := w.aws.EC2(image.Region).DescribeImages(ctx, &ec2.DescribeImagesInput{ImageIds: []string{image.ID}})
			if err != nil || len(out.Images) != 1 {
				faults = append(faults, fmt.Errorf("the manifest names %s, which is not there: %v", image.ID, err)) //nolint:errorlint // err may be nil
				continue
			}
			have := map[string]string{}
			for _, tag := range out.Images[0].Tags {
				have[aws.ToString(tag.Key)] = aws.ToString(tag.Value)
			}
			if have[tags.Manifest] != stored.URI || have[tags.Fingerprint] != w.fingerprint {
				faults = append(faults, fmt.Errorf("the manifest names %s, which has the tags %v", image.ID, have))
			}
		}
	}
	return faults
}

// finished checks that everything is there, once.
func (w *witness) finished(ctx context.Context) (duplicated int, faults []error) {
	reg, err := w.open(ctx)
	if err != nil {
		return 0, []error{err}
	}
	stored, err := reg.Manifest(ctx, "base", w.fingerprint)
	if err != nil {
		return 0, []error{err}
	}
	duplicated = len(stored.Manifest.Builds) - 1
	faults = w.tagged(ctx, stored)
	for _, name := range w.refs() {
		ref, err := reg.Ref(ctx, "base", name)
		if err == nil {
			_, err = reg.Follow(ctx, ref)
		}
		if err != nil || ref.ManifestSHA256 != stored.SHA256 || ref.Seq != 1 {
			faults = append(faults, fmt.Errorf("ref %s is not on the image, or moved more than once: %+v: %v", name, ref, err)) //nolint:errorlint // err may be nil
		}
	}
	if local, err := os.ReadFile(w.localManifest()); err != nil || !bytes.Equal(local, stored.Body) {
		faults = append(faults, fmt.Errorf("the local manifest is not the manifest: %v", err)) //nolint:errorlint // err may be nil
	}
	return duplicated, faults
}
