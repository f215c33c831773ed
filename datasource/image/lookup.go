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

// newestRef is the ref whose build a new one is compared with.
const newestRef = "latest"

// lookup asks what there is of an image.
type lookup struct {
	config Config
	conn   *access.Connection
	id     identity
}

// seen is what there is. Its zero value is: nothing.
type seen struct {
	// manifest is that of the fingerprint; nil where there is none. Unpublished is true when a part of
	// it is in the local manifest only.
	manifest    *manifest.Manifest
	unpublished bool
	// regions are those in which the AMIs must be; images are the AMIs that are there and ours, in any
	// state.
	regions []string
	images  map[ami.Address]ami.Image
	// newest is the newest build of the image, where that is another; nil where there is none.
	newest *manifest.Chain
}

func (l *lookup) run(ctx context.Context) (seen, error) {
	reg, err := l.conn.Registry()
	if err != nil {
		return seen{}, err
	}
	var s seen
	var newest *registry.Ref
	group, groupCtx := errgroup.WithContext(ctx)
	group.Go(crash.Guard("read the build", func() error {
		stored, err := reg.Manifest(groupCtx, l.config.Image, l.id.fingerprint)
		s.manifest = stored.Manifest
		return unlessMissing(err)
	}))
	group.Go(crash.Guard("read the newest build", func() (err error) {
		newest, err = reg.Ref(groupCtx, l.config.Image, newestRef)
		return unlessMissing(err)
	}))
	if err := group.Wait(); err != nil {
		return seen{}, err
	}
	l.addUnpublished(&s)
	if s.manifest == nil {
		s.newest, err = l.readNewest(ctx, reg, newest)
		if s.newest == nil {
			s.newest = l.localNewest()
		}
		return s, err
	}
	return s, l.checkAMIs(ctx, &s)
}

func unlessMissing(err error) error {
	if errors.Is(err, registry.ErrNotFound) {
		return nil
	}
	return err
}

// readNewest reads the build that this one is compared with, to say what changed. A damaged one stops
// nothing: it only makes the reason less exact.
func (l *lookup) readNewest(ctx context.Context, reg *registry.Registry, ref *registry.Ref) (*manifest.Chain, error) {
	if ref == nil {
		return nil, nil
	}
	stored, err := reg.Manifest(ctx, l.config.Image, ref.Fingerprint)
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

// localNewest is the build of the local manifest, for images whose channels have other names.
func (l *lookup) localNewest() *manifest.Chain {
	local, _, err := localmanifest.Read(l.config.LocalManifest)
	if err != nil || local.Chain == nil || local.Chain.Image != l.config.Image {
		return nil
	}
	return local.Chain
}

// addUnpublished adds what an earlier run built from the same parts and could not publish. It is not wanted for other
// sources than those that make the image now; nor for a revoked image, as its publication would take the revocation off,
// and nothing says that it was built later. A withdrawal says only that another publication failed.
func (l *lookup) addUnpublished(s *seen) {
	local, _, err := localmanifest.Read(l.config.LocalManifest)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			log.Printf("[WARN] read %s: %s", l.config.LocalManifest, err)
		}
		return
	}
	if local.Belongs(l.config.Image, l.id.fingerprint) != nil || !sameSources(local.Chain.Sources, l.config.Sources) {
		return
	}
	if s.manifest != nil && s.manifest.Chain.Revoked != "" && s.manifest.Chain.Revoked != manifest.Withdrawn {
		return
	}
	entries := localmanifest.Unpublished(s.manifest, local)
	s.manifest, s.unpublished = manifest.Merge(s.manifest, entries, *local.Chain, time.Now(), local.Chain.WriteID)
}

// checkAMIs asks EC2, in all regions side by side, which AMIs of the manifest are there. An image
// that is no AMI needs no AWS.
func (l *lookup) checkAMIs(ctx context.Context, s *seen) error {
	ids := map[string][]string{}
	for _, entry := range s.current() {
		for _, image := range entry.AMIs() {
			ids[image.Region] = append(ids[image.Region], image.ID)
		}
	}
	s.regions = l.config.Regions
	if len(ids) == 0 {
		return nil
	}
	ec2, err := l.conn.EC2()
	if err != nil {
		return err
	}
	if len(s.regions) == 0 {
		s.regions = []string{ec2.Region}
	}
	wanted := map[string][]string{}
	for _, region := range s.regions {
		if len(ids[region]) > 0 {
			wanted[region] = ids[region]
		}
	}
	s.images, err = ec2.Lookup(ctx, wanted, nil)
	return err
}
