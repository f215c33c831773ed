// SPDX-License-Identifier: MPL-2.0

package main

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
	chain "github.com/packer-chain/packer-plugin-chain/internal/registry"
	"github.com/packer-chain/packer-plugin-chain/internal/text"
)

// published is the channel that templates/publish.pkr.hcl moves, to a build without an AMI. Others
// resolve by the channel latest.
const published = "published"

// remembered is how many moves a pointer remembers.
const remembered = 100

// measureHistory measures what a user waits for with few and with many builds in the registry: runs
// of Packer that resolve a parent, ask whether an image is needed, and publish another build.
func (l *lab) measureHistory(ctx context.Context) error {
	ami, err := l.aws.CreateImage(ctx, home, "history")
	if err != nil {
		return err
	}
	reg, err := l.openRegistry("chain")
	if err != nil {
		return err
	}
	var images []string
	var commands []command
	for _, size := range []int{l.pick(100_000, 8), l.pick(10, 2)} {
		image := fmt.Sprintf("app%d", size)
		started := time.Now()
		folder := l.path("s3", bucket, "chain")
		if err := fill(ctx, reg, folder, image, ami, size, l.pick(remembered, 4)); err != nil {
			return err
		}
		l.logf("   %d builds in %s", size, time.Since(started).Round(time.Millisecond))
		images = append(images, image)
		commands = append(commands, l.threeRuns(image))
	}
	got, err := l.turns(ctx, 20, commands...)
	if err != nil {
		return err
	}
	if err := checkMoved(ctx, reg, images); err != nil {
		return err
	}
	l.compare("history_100k_vs_10", "ratio at most 1.1", got[0], got[1])
	return nil
}

// checkMoved returns an error if the channel of an image is still where [fill] left it, on no line:
// then the runs of Packer did less than they should.
func checkMoved(ctx context.Context, reg *chain.Registry, images []string) error {
	for _, image := range images {
		p, err := reg.Pointer(ctx, image, chain.Name{Kind: chain.Channel, Name: published})
		if err != nil {
			return err
		}
		if p.Current().Line.Name == "" {
			return fmt.Errorf("publish %s: the channel %s was not moved", image, published)
		}
	}
	return nil
}

func (l *lab) threeRuns(image string) command {
	runs := 0
	variable := "image=" + image
	return command{
		text: "resolve, needed and publish with `-var " + variable + "`",
		run: func(ctx context.Context) error {
			runs++
			for _, c := range []command{
				l.template("resolve", "way=registry", "path=", variable),
				l.template("needed", variable),
				l.template("publish", fmt.Sprintf("run=%d", runs), variable),
			} {
				if err := c.run(ctx); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

// fill publishes the newest builds of an image, and writes older ones into the folder of the
// registry: nobody reads them.
func fill(
	ctx context.Context, reg *chain.Registry, folder, image, ami string, size, newest int,
) error {
	newest = min(size, newest)
	for i := range newest {
		if err := publish(ctx, reg, image, i, ami, "latest", published); err != nil {
			return err
		}
	}
	return fillOlder(ctx, reg, folder, image, newest, size)
}

// fillOlder writes builds of an image that nobody points at into the folder of the registry, from
// one number up to another.
func fillOlder(
	ctx context.Context, reg *chain.Registry, folder, image string, from, to int,
) error {
	stored, err := reg.Manifest(ctx, image, fingerprint(image, 0))
	if err != nil {
		return err
	}
	for i := from; i < to; i++ {
		own := fingerprint(image, -i)
		body := bytes.ReplaceAll(stored.Body, []byte(fingerprint(image, 0)), []byte(own))
		path := filepath.Join(folder, filepath.FromSlash(chain.BuildKey(image, own)))
		if err := os.WriteFile(path, body, 0o644); err != nil {
			return err
		}
	}
	return nil
}

func fingerprint(image string, i int) string {
	return text.SHA256(fmt.Appendf(nil, "%s %d", image, i))
}

// publish does to the registry what the post-processor does for one build: it reads all documents,
// writes the manifest, and then moves the line and the channels.
func publish(
	ctx context.Context, reg *chain.Registry, image string, i int, ami string, channels ...string,
) error {
	return publishIn(ctx, reg, image, i, map[string]string{home: ami}, committed, channels...)
}

// committed is when the commits were made that images of [publish] are built from: before all of
// the repository, so that runs of Packer move the pointers on.
var committed = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// publishIn is [publish] for an image with AMIs in several regions. It also takes the time at which
// the run decided.
func publishIn(
	ctx context.Context, reg *chain.Registry, image string, i int, amis map[string]string,
	decided time.Time, channels ...string,
) error {
	var artifact []string
	var images []manifest.Image
	for _, region := range slices.Sorted(maps.Keys(amis)) {
		artifact = append(artifact, region+":"+amis[region])
		images = append(images,
			manifest.Image{Provider: manifest.ProviderAWS, Region: region, ID: amis[region]})
	}
	own := fingerprint(image, i)
	sha := own[:40]
	names := []chain.Name{{Kind: chain.Line, Name: "main"}}
	for _, channel := range channels {
		names = append(names, chain.Name{Kind: chain.Channel, Name: channel})
	}
	keys := []string{chain.BuildKey(image, own)}
	for _, name := range names {
		keys = append(keys, name.Key(image))
	}
	early := reg.ReadEarly(ctx, keys...)
	stored, err := reg.Publish(ctx, manifest.Facts{
		Image: image, Fingerprint: own,
		Git:        manifest.Git{SHA: sha, Name: sha, Commit: sha, CommitTime: committed, Branch: "main"},
		Components: []manifest.Component{{Name: "image", Value: image}, {Name: "template", Value: sha}},
		Versions:   manifest.Versions{Packer: "1.16.0", Plugin: "0.1.0"},
	}, []manifest.Entry{{
		Name: "app", BuilderType: "amazon-ebs", BuilderID: "mitchellh.amazonebs",
		BuildTime: committed.Unix(), PackerRunUUID: own,
		ArtifactID: strings.Join(artifact, ","), Images: images,
	}}, early)
	if err != nil {
		return err
	}
	to := chain.TargetOf(own, stored.Manifest.Current())
	to.GitSHA, to.Content = sha, map[string]string{"app": sha}
	// No commit is older than another, so the run that decided later moves a channel.
	to.Position = chain.Position{Commit: sha, CommitTime: committed, DecidedAt: decided}
	var all errgroup.Group
	for _, name := range names {
		all.Go(func() error {
			_, err := reg.Move(ctx, chain.Request{
				Image: image, Name: name, To: to, Stored: stored, Change: manifest.Change{By: "local"}}, early)
			return err
		})
	}
	return all.Wait()
}
