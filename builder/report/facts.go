// SPDX-License-Identifier: MPL-2.0

package report

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/packer-chain/packer-plugin-chain/internal/access"
	"github.com/packer-chain/packer-plugin-chain/internal/ami"
	"github.com/packer-chain/packer-plugin-chain/internal/crash"
	"github.com/packer-chain/packer-plugin-chain/internal/gitrepo"
	"github.com/packer-chain/packer-plugin-chain/internal/registry"
	"github.com/packer-chain/packer-plugin-chain/internal/report"
	"github.com/packer-chain/packer-plugin-chain/internal/text"
)

const (
	// maxCheckouts is how many folders git looks at concurrently. It has the processors to itself.
	maxCheckouts = 4
	// maxNamed is how many regions and images a progress line names.
	maxNamed = 5
)

// ask asks EC2 and git, concurrently, what they know of the images of a registry.
func (c *Config) ask(
	ctx context.Context, conn *access.Connection, from report.Contents, say func(string),
) (report.Options, error) {
	o := report.Options{Title: c.Title, Images: c.Images, Channels: c.Channels}
	var ids map[string][]string
	if c.CheckAMIs {
		ids = from.AMIs()
	}
	stop := report.Progress(say, func() string { return progress(ids, c.Paths) })
	defer stop()
	group, ctx := errgroup.WithContext(ctx)
	if c.CheckAMIs {
		group.Go(crash.Guard("look up the AMIs", func() (err error) {
			o.Seen, o.Unseen, err = lookUp(ctx, conn, c.Owners, ids)
			return err
		}))
	}
	group.Go(crash.Guard("inspect the checkout", func() (err error) {
		o.Checkouts, err = c.inspect(ctx, from)
		return err
	}))
	err := group.Wait()
	return o, err
}

// progress returns what is asked of EC2 and git.
func progress(ids map[string][]string, paths map[string]string) string {
	var of []string
	if len(ids) > 0 {
		of = append(of, "AMIs in "+text.Names(slices.Sorted(maps.Keys(ids)), maxNamed))
	}
	if len(paths) > 0 {
		of = append(of, "files of "+text.Names(slices.Sorted(maps.Keys(paths)), maxNamed))
	}
	return "looking up " + strings.Join(of, ", and ")
}

// lookUp asks EC2 for all AMIs of a registry, in all regions concurrently. A region that cannot be
// asked is in unseen, with the reason. It returns an error if that is so for all of them.
func lookUp(
	ctx context.Context, conn *access.Connection, owners []string, ids map[string][]string,
) (seen map[ami.Address]ami.Image, unseen map[string]string, err error) {
	seen, unseen = map[ami.Address]ami.Image{}, map[string]string{}
	if len(ids) == 0 {
		return seen, unseen, nil
	}
	ec2, err := conn.EC2()
	if err != nil {
		return nil, nil, err
	}
	var mu sync.Mutex
	regions := slices.Sorted(maps.Keys(ids))
	err = ami.EachRegion(ctx, regions, ami.MaxRegions, func(ctx context.Context, region string) error {
		images, err := ec2.ByID(ctx, region, ids[region], owners)
		mu.Lock()
		defer mu.Unlock()
		for _, image := range images {
			seen[image.Address()] = image
		}
		if err != nil {
			unseen[region] = report.Problem(err)
		}
		return err
	})
	if err != nil && (len(unseen) == len(regions) || ctx.Err() != nil) {
		return nil, nil, err
	}
	return seen, unseen, nil
}

// inspect returns the files of images as they are in this checkout, by image.
func (c *Config) inspect(
	ctx context.Context, from report.Contents,
) (map[string]report.Checkout, error) {
	location, err := registry.ParseLocation(c.Registry)
	if err != nil {
		return nil, err
	}
	isLeft := gitrepo.LeftBehind(location.Dir)
	var mu sync.Mutex
	checkouts := map[string]report.Checkout{}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(maxCheckouts)
	for image, folder := range c.Paths {
		group.Go(crash.Guard("inspect "+folder, func() error {
			checkout, err := inspect(ctx, isLeft, folder, from.ExtraPaths(image))
			if err != nil {
				checkout.Problem = "its files could not be compared: " + report.Problem(err)
			}
			mu.Lock()
			defer mu.Unlock()
			checkouts[image] = checkout
			return ctx.Err()
		}))
	}
	return checkouts, group.Wait()
}

// inspect returns the files of one image. The extra paths are relative to the root of the checkout.
func inspect(
	ctx context.Context, isLeft func(root, name string) bool, folder string, extra []string,
) (report.Checkout, error) {
	checkout, err := gitrepo.Inspect(ctx, isLeft, folder)
	if err != nil {
		return report.Checkout{}, err
	}
	if len(extra) > 0 {
		paths := []string{folder}
		for _, name := range extra {
			if !filepath.IsLocal(name) {
				return report.Checkout{}, fmt.Errorf("its manifest names %s", text.File(name))
			}
			paths = append(paths, filepath.Join(checkout.Root, filepath.FromSlash(name)))
		}
		if checkout, err = gitrepo.Inspect(ctx, isLeft, paths...); err != nil {
			return report.Checkout{}, err
		}
	}
	now := report.Checkout{
		Folder: checkout.Objects[0].Path, TemplateSHA: checkout.Objects[0].Content,
		DirtyHash: checkout.DirtyHash(), Extra: map[string]string{},
	}
	for _, object := range checkout.Objects[1:] {
		now.Extra[object.Path] = object.ID()
	}
	if now.TemplateSHA == "" {
		return report.Checkout{}, errors.New("git names no content")
	}
	return now, nil
}
