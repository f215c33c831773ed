// SPDX-License-Identifier: MPL-2.0

package main

import (
	"context"
	"fmt"
	"os"
	"time"

	chain "github.com/packer-chain/packer-plugin-chain/internal/registry"
)

// measureReport measures a report of a registry of 200 images with 10 channels each, with many and
// with few builds in it.
func (l *lab) measureReport(ctx context.Context) error {
	ami, err := l.aws.CreateImage(ctx, home, "report")
	if err != nil {
		return err
	}
	images, channels := l.pick(200, 6), []string{"latest"}
	for i := range 9 {
		channels = append(channels, fmt.Sprintf("channel%d", i))
	}
	var commands []command
	for _, builds := range []int{l.pick(500, 20), 1} {
		prefix := fmt.Sprintf("report%d", builds)
		reg, err := l.openRegistry(prefix)
		if err != nil {
			return err
		}
		started := time.Now()
		for i := range images {
			image := fmt.Sprintf("image%d", i)
			if err := l.fillImage(ctx, reg, prefix, image, ami, builds, channels); err != nil {
				return err
			}
		}
		l.logf("   %d builds in %s", images*builds, time.Since(started).Round(time.Millisecond))
		commands = append(commands, l.template("report", "prefix="+prefix))
	}
	got, err := l.turns(ctx, 10, commands...)
	if err != nil {
		return err
	}
	page, err := os.Stat(l.path(fmt.Sprintf("report%d", l.pick(500, 20)), "chain.html"))
	if err != nil {
		return err
	}
	l.logf("   chain.html has %d bytes", page.Size())
	l.compare("report_100k_vs_200_builds", "ratio at most 1.1", got[0], got[1])
	return nil
}

// fillImage publishes a build of an image to all channels, and writes older ones into the folder of
// the registry.
func (l *lab) fillImage(
	ctx context.Context, reg *chain.Registry, prefix, image, ami string, builds int, channels []string,
) error {
	if err := publish(ctx, reg, image, 0, ami, channels...); err != nil {
		return err
	}
	return fillOlder(ctx, reg, l.path("s3", bucket, prefix), image, 1, builds)
}
