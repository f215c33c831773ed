// SPDX-License-Identifier: MPL-2.0

package image

import (
	"context"
	"errors"
	"io/fs"
	"log"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/packer-chain/packer-plugin-chain/internal/access"
	"github.com/packer-chain/packer-plugin-chain/internal/ami"
	"github.com/packer-chain/packer-plugin-chain/internal/crash"
	"github.com/packer-chain/packer-plugin-chain/internal/localmanifest"
	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
	"github.com/packer-chain/packer-plugin-chain/internal/registry"
)

// newestRef is the ref to the build that a new one is compared with.
const newestRef = "latest"

// existing is what exists of an image. The zero value means that nothing does.
type existing struct {
	// manifest is that of the fingerprint, nil if there is none. Unpublished is true if a part of it
	// is in the local manifest only.
	manifest    *manifest.Manifest
	unpublished bool
	// regions are those in which the AMIs must exist. images are the AMIs that exist and are ours,
	// in any state.
	regions []string
	images  map[ami.Address]ami.Image
	// newest is the newest build of the image, if the fingerprint has none; nil if the image has none.
	newest *manifest.Chain
}

// lookUp returns what exists of the image that facts describe.
func lookUp(
	ctx context.Context, conn *access.Connection, c Config, facts manifest.Facts,
) (existing, error) {
	reg, err := conn.Registry()
	if err != nil {
		return existing{}, err
	}
	published, newest, err := readRegistry(ctx, reg, facts)
	if err != nil {
		return existing{}, err
	}
	local := readLocal(c.LocalManifest)
	found, unpublished := addUnpublished(published, local, facts)
	if found == nil {
		chain, err := readNewest(ctx, reg, newest)
		if chain == nil && local != nil && local.Chain.Image == facts.Image {
			// The channels of the image may have other names.
			chain = local.Chain
		}
		return existing{newest: chain}, err
	}
	regions, images, err := lookUpAMIs(ctx, conn, c.Regions, found.Current())
	return existing{manifest: found, unpublished: unpublished, regions: regions, images: images}, err
}

// readRegistry reads the manifest of the fingerprint and the ref to the newest build, concurrently.
// Each is nil if it does not exist.
func readRegistry(ctx context.Context, reg *registry.Registry, facts manifest.Facts) (
	published *manifest.Manifest, newest *registry.Ref, err error,
) {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(crash.Guard("read the build", func() error {
		stored, err := reg.Manifest(ctx, facts.Image, facts.Fingerprint)
		published = stored.Manifest
		return unlessMissing(err)
	}))
	group.Go(crash.Guard("read the newest build", func() (err error) {
		newest, err = reg.Ref(ctx, facts.Image, newestRef)
		return unlessMissing(err)
	}))
	return published, newest, group.Wait()
}

func unlessMissing(err error) error {
	if errors.Is(err, registry.ErrNotFound) {
		return nil
	}
	return err
}

// readNewest reads the build that this one is compared with, to say what changed. A damaged one
// does not fail the run: it only makes the reason less exact.
func readNewest(
	ctx context.Context, reg *registry.Registry, ref *registry.Ref,
) (*manifest.Chain, error) {
	if ref == nil {
		return nil, nil
	}
	stored, err := reg.Manifest(ctx, ref.Image, ref.Fingerprint)
	var newer *manifest.SchemaError
	if errors.Is(err, manifest.ErrCorrupt) || errors.As(err, &newer) {
		log.Printf("[WARN] compare with the newest build: %s", err)
		return &manifest.Chain{}, nil
	}
	if err != nil {
		return nil, unlessMissing(err)
	}
	return stored.Manifest.Chain, nil
}

// readLocal returns the local manifest. It is nil if the file does not exist, is damaged, or is not
// by this plugin.
func readLocal(path string) *manifest.Manifest {
	local, _, err := localmanifest.Read(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		log.Printf("[WARN] read %s: %s", path, err)
	}
	if err != nil || local.Chain == nil {
		return nil
	}
	return local
}

// addUnpublished adds what an earlier run built from the same parts and could not publish. It is
// ignored if the list of sources has changed, or if the image was revoked: publishing it would lift
// the revocation, and it may be older.
func addUnpublished(
	published, local *manifest.Manifest, facts manifest.Facts,
) (merged *manifest.Manifest, unpublished bool) {
	switch {
	case local == nil,
		local.Belongs(facts.Image, facts.Fingerprint) != nil,
		!sameSources(local.Chain.Sources, facts.Sources),
		published != nil && published.Chain.Revoked != "":
		return published, false
	}
	entries := localmanifest.Unpublished(published, local)
	return manifest.Merge(published, local.Chain.Facts, entries, time.Now(), local.Chain.WriteID)
}

// lookUpAMIs asks EC2, in all regions concurrently, which AMIs of the entries exist. An image that
// is not an AMI needs no AWS.
func lookUpAMIs(
	ctx context.Context, conn *access.Connection, regions []string, entries []manifest.Entry,
) ([]string, map[ami.Address]ami.Image, error) {
	ids := map[string][]string{}
	for _, entry := range entries {
		for _, image := range entry.AMIs() {
			ids[image.Region] = append(ids[image.Region], image.ID)
		}
	}
	if len(ids) == 0 {
		return regions, nil, nil
	}
	ec2, err := conn.EC2()
	if err != nil {
		return nil, nil, err
	}
	if len(regions) == 0 {
		regions = []string{ec2.Region}
	}
	wanted := map[string][]string{}
	for _, region := range regions {
		if len(ids[region]) > 0 {
			wanted[region] = ids[region]
		}
	}
	images, err := ec2.Lookup(ctx, wanted, nil)
	return regions, images, err
}
