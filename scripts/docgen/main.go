// SPDX-License-Identifier: MPL-2.0

//go:build unix

// Command docgen generates what is committed but not written by hand: the code and the partial
// pages that packer-sdc makes of the components' config structs, and the pages under .web-docs. It
// runs in the root of the repository, with packer-sdc as its argument; "make generate" calls it.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

// limit ends a generator that hangs, as packer-sdc does in a folder whose name it does not accept.
const limit = 10 * time.Minute

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: docgen path/to/packer-sdc")
		os.Exit(2)
	}
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(sdc string) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	root, err := os.Getwd()
	if err != nil {
		return err
	}
	temp, err := os.MkdirTemp("", "docgen-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp)
	if err := generate(ctx, root, temp, sdc); err != nil {
		return err
	}
	pages := filepath.Join(temp, "pages")
	render := exec.CommandContext(ctx, sdc, "renderdocs", "-src", filepath.Join(root, "docs"),
		"-partials", filepath.Join(root, "docs-partials"), "-dst", pages)
	if out, err := render.CombinedOutput(); err != nil {
		return fmt.Errorf("packer-sdc renderdocs: %w\n%s", errors.Join(ctx.Err(), err), out)
	}
	return convert(pages, filepath.Join(root, ".web-docs"))
}

// generate runs go generate in a folder called packer-plugin-chain, the only name packer-sdc
// accepts, whatever the checkout is called. It starts with no partials: packer-sdc never deletes
// old ones.
func generate(ctx context.Context, root, temp, sdc string) error {
	if err := os.RemoveAll(filepath.Join(root, "docs-partials")); err != nil {
		return err
	}
	link := filepath.Join(temp, "packer-plugin-chain")
	if err := os.Symlink(root, link); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, "go", "generate", "./...")
	cmd.Dir = link
	// Environ sets PWD, without which go generate would use the real name of the folder.
	path := filepath.Dir(sdc) + string(os.PathListSeparator) + os.Getenv("PATH")
	cmd.Env = append(cmd.Environ(), "PATH="+path)
	// The generators are children of go generate, and would outlive it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go generate: %w\n%s\nTo get the old partials back: git checkout docs-partials",
			errors.Join(ctx.Err(), err), out)
	}
	return nil
}
