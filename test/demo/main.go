// SPDX-License-Identifier: MPL-2.0

// Command demo builds the example chain in an emulated AWS account, so that you can watch it
// without an account, a bucket or any cost. It runs in the root of the repository; "make demo"
// calls it.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"

	"github.com/packer-chain/packer-plugin-chain/test/lab/emulator"
	"github.com/packer-chain/packer-plugin-chain/test/lab/packercli"
	"github.com/packer-chain/packer-plugin-chain/test/lab/workspace"
)

const (
	region = "eu-west-1"
	bucket = "acme-images"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() (err error) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	dir, err := os.MkdirTemp("", "chain-demo-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	heading("Starting an emulated AWS account, and building the plugin")
	aws, err := emulator.Start(io.Discard)
	if err != nil {
		return err
	}
	defer func() {
		if stopErr := aws.Stop(); err == nil {
			err = stopErr
		}
	}()
	d, err := prepare(ctx, aws, dir)
	if err != nil {
		return err
	}
	return d.play(ctx)
}

// prepare makes what a user would have: a git repository with the templates, Packer and a bucket.
func prepare(ctx context.Context, aws *emulator.AWS, dir string) (*demo, error) {
	if err := aws.CreateBucket(ctx, bucket); err != nil {
		return nil, err
	}
	packer, err := packercli.Setup(ctx, ".", dir)
	if err != nil {
		return nil, err
	}
	packer = packer.With(aws.Env(region)...).
		With(packercli.ExampleVariables("s3://" + bucket + "/chain")...)
	repo, err := workspace.New(ctx, filepath.Join(dir, "images"))
	if err != nil {
		return nil, err
	}
	if err := repo.CopyFrom("example"); err != nil {
		return nil, err
	}
	if _, err := repo.Commit(ctx, "base and snowflake"); err != nil {
		return nil, err
	}
	return &demo{aws: aws, packer: packer, repo: repo, ready: map[string]bool{}}, nil
}

// heading prints what comes next.
func heading(format string, args ...any) {
	title := fmt.Sprintf(format, args...)
	fmt.Printf("\n%s\n%s\n", title, strings.Repeat("-", len(title)))
}
