// SPDX-License-Identifier: MPL-2.0

package toolbox

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// Moto is the name under which [Install] knows the AWS emulator.
const Moto = "moto"

// Names are the programs that [Install] can install.
func Names() []string {
	names := []string{Moto}
	for _, t := range tools {
		names = append(names, t.name)
	}
	return names
}

// Install brings a program into the cache unless the wanted version is there. It writes one line
// to log about what it did. Root is the folder of the repository.
func Install(ctx context.Context, root, name string, log io.Writer) error {
	if name == Moto {
		return installMoto(ctx, log)
	}
	for _, t := range tools {
		if t.name == name {
			return t.install(ctx, root, log)
		}
	}
	return fmt.Errorf("install %q: unknown, only %q are known", name, Names())
}

func (t tool) install(ctx context.Context, root string, log io.Writer) error {
	if t.name == "packer" {
		if path, ok := packerOnPath(ctx); ok {
			fmt.Fprintf(log, "%-22s %s\n", t.name, path)
			return nil
		}
	}
	want, err := t.wanted(root)
	if err != nil {
		return err
	}
	dir, err := Dir()
	if err != nil {
		return err
	}
	path := filepath.Join(dir, "bin", t.name)
	if installed(path) == want {
		fmt.Fprintf(log, "%-22s %s %s\n", t.name, want, path)
		return nil
	}
	fmt.Fprintf(log, "%-22s %s is being built, this can take minutes\n", t.name, want)
	start := time.Now()
	if err := t.build(ctx, root, want, path, log); err != nil {
		return fmt.Errorf("install %s %s: %w", t.name, want, err)
	}
	fmt.Fprintf(log, "%-22s %s %s (%s)\n", t.name, want, path, time.Since(start).Round(time.Second))
	return nil
}

// build compiles in a folder of its own and renames, so that a build that is cut off leaves nothing.
func (t tool) build(ctx context.Context, root, version, path string, log io.Writer) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	temp, err := os.MkdirTemp(filepath.Dir(path), ".build-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp)

	pkg := t.pkg + "@" + version
	if t.gomod != "" {
		pkg = t.pkg
	}
	// As they are released, without cgo: Packer reads each plugin twice in a run, symbols and debug information
	// included.
	cmd := exec.CommandContext(ctx, "go", "install", "-ldflags=-s -w", pkg)
	cmd.Dir = filepath.Join(root, t.gomod)
	cmd.Env = append(os.Environ(), "GOBIN="+temp, "CGO_ENABLED=0")
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("go install %s: %w", pkg, err)
	}
	return os.Rename(filepath.Join(temp, filepath.Base(path)), path)
}
