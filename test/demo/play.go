// SPDX-License-Identifier: MPL-2.0

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/packer-chain/packer-plugin-chain/test/lab/emulator"
	"github.com/packer-chain/packer-plugin-chain/test/lab/packercli"
	"github.com/packer-chain/packer-plugin-chain/test/lab/workspace"
)

// demo is the chain, and the account that it is built in.
type demo struct {
	aws    *emulator.AWS
	packer packercli.Packer
	repo   *workspace.Repo
	// ready are the folders in which packer init has run.
	ready map[string]bool
}

// play builds three times, and checks each time that as many images were built as expected.
func (d *demo) play(ctx context.Context) error {
	heading("The first run builds base, and snowflake on it")
	if err := d.buildBoth(ctx, 2); err != nil {
		return err
	}
	heading("The same again: nothing changed, so no instance is launched")
	if err := d.buildBoth(ctx, 0); err != nil {
		return err
	}
	heading("A commit changes base: both are built, because snowflake is built on base")
	task := "echo 'Authorized use only.' > /etc/motd\n"
	if err := d.repo.Write("base/tasks/motd.sh", task); err != nil {
		return err
	}
	if _, err := d.repo.Commit(ctx, "base: add a message of the day"); err != nil {
		return err
	}
	if err := d.buildBoth(ctx, 2); err != nil {
		return err
	}
	if err := d.showRegistry(ctx); err != nil {
		return err
	}
	if err := d.release(ctx); err != nil {
		return err
	}
	return d.report(ctx)
}

// buildBoth builds in both folders, parents first, as CI would.
func (d *demo) buildBoth(ctx context.Context, wantImages int) error {
	before, err := d.aws.Launched(ctx, region)
	if err != nil {
		return err
	}
	for _, folder := range []string{"base", "snowflake"} {
		if err := d.build(ctx, folder); err != nil {
			return err
		}
	}
	after, err := d.aws.Launched(ctx, region)
	if err != nil {
		return err
	}
	fmt.Printf("Instances launched: %d\n", after-before)
	if after-before != wantImages {
		return fmt.Errorf("%d instances were launched, want %d", after-before, wantImages)
	}
	return nil
}

// build runs packer init and packer build in a folder, with more options for the build. CI would
// run packer init every time, because its checkout is new.
func (d *demo) build(ctx context.Context, folder string, options ...string) error {
	if !d.ready[folder] {
		if err := d.show(ctx, folder, []string{"init", "."}); err != nil {
			return err
		}
		d.ready[folder] = true
	}
	return d.show(ctx, folder, append(append([]string{"build", "-color=false"}, options...), "."))
}

func (d *demo) show(ctx context.Context, folder string, args []string) error {
	fmt.Printf("%s$ packer %s\n", folder, command(args))
	result, err := d.packer.Run(ctx, filepath.Join(d.repo.Dir, folder), args...)
	if err != nil {
		return err
	}
	for line := range strings.Lines(result.Output) {
		if result.Code != 0 || worthShowing(line) {
			fmt.Println("  " + strings.TrimRight(line, "\n"))
		}
	}
	if result.Code != 0 {
		return fmt.Errorf("packer %s in %s: exit code %d", args[0], folder, result.Code)
	}
	fmt.Println()
	return nil
}

// command is a command line to copy: in quotes is what has spaces.
func command(args []string) string {
	var words []string
	for _, arg := range args {
		if strings.Contains(arg, " ") {
			arg = "'" + arg + "'"
		}
		words = append(words, arg)
	}
	return strings.Join(words, " ")
}

// showRegistry lists the bucket, and prints the channel latest and its manifest.
func (d *demo) showRegistry(ctx context.Context) error {
	objects, err := d.aws.Objects(ctx, bucket)
	if err != nil {
		return err
	}
	heading("What the registry s3://%s/chain holds now", bucket)
	for _, key := range slices.Sorted(maps.Keys(objects)) {
		fmt.Printf("  %6d bytes  %s\n", len(objects[key]), key)
	}
	const latest = "chain/snowflake/channels/latest.json"
	heading("%s", latest)
	fmt.Println(shorten(objects[latest], 25))

	var channel struct{ Fingerprint string }
	if err := json.Unmarshal(objects[latest], &channel); err != nil {
		return fmt.Errorf("read s3://%s/%s: %w", bucket, latest, err)
	}
	manifest := "chain/snowflake/builds/" + channel.Fingerprint + ".json"
	heading("%s", manifest)
	fmt.Println(shorten(objects[manifest], 90))
	return nil
}

// worthShowing keeps what this plugin prints, and what shows that something was built.
func worthShowing(line string) bool {
	for _, text := range []string{"chain", "Found Image ID", "Instance ID", "AMI: ", "Build '"} {
		if strings.Contains(line, text) {
			return !strings.Contains(line, "Adding tag") && !strings.Contains(line, "-->")
		}
	}
	return false
}
