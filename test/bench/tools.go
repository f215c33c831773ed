// SPDX-License-Identifier: MPL-2.0

package main

import (
	"bytes"
	"context"
	"debug/buildinfo"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/packer-chain/packer-plugin-chain/test/lab/packercli"
	"github.com/packer-chain/packer-plugin-chain/test/lab/program"
)

// errNoTool means that a program is missing that the machine should have.
var errNoTool = errors.New("a program is missing")

// plugins are the files that are compared: the ones that Packer runs.
type plugins struct{ ours, amazon string }

// requireTools looks for what make does not install.
func (l *lab) requireTools() error {
	packages := map[string]string{"git": "git", "aws": "awscli", "jq": "jq", "bash": "bash", "strip": "binutils"}
	var missing []string
	for _, tool := range []string{"git", "bash", "aws", "jq", "strip"} {
		if _, err := exec.LookPath(tool); err != nil {
			missing = append(missing, fmt.Sprintf("%s (Debian package %s)", tool, packages[tool]))
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("find %s: %w\n\nThey are what the plugin is measured against. Install them, and run it again.",
			strings.Join(missing, ", "), errNoTool)
	}
	return bypassShim()
}

// bypassShim puts the real aws before a shim of pyenv, which would cost the other side a process each time.
func bypassShim() error {
	path, err := exec.LookPath("aws")
	if err != nil || !strings.HasSuffix(filepath.Dir(path), filepath.Join(".pyenv", "shims")) {
		return err
	}
	out, err := exec.Command("pyenv", "which", "aws").Output()
	if err != nil {
		return fmt.Errorf("find aws behind %s: %w", path, err)
	}
	folder := filepath.Dir(strings.TrimSpace(string(out)))
	return os.Setenv("PATH", folder+string(filepath.ListSeparator)+os.Getenv("PATH"))
}

// installPlugins builds the plugin and installs both. A full run measures it as it is released; a quick one
// as the acceptance tests build it, as that is at hand.
func (l *lab) installPlugins(ctx context.Context) error {
	installed, err := packercli.Setup(ctx, l.root, l.dir)
	if err != nil {
		return err
	}
	if l.packer, err = program.Path("packer"); err != nil {
		return err
	}
	if l.binaries.amazon, err = program.Path("packer-plugin-amazon"); err != nil {
		return err
	}
	l.binaries.ours = l.folder("packer-plugin-chain")
	if l.quick {
		return nil
	}
	l.logf("building the plugin as it is released; the first time takes minutes")
	const version = "-X github.com/packer-chain/packer-plugin-chain/internal/version.VersionPrerelease="
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w "+version, "-o", l.binaries.ours, ".")
	build.Dir, build.Env = l.root, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build the plugin: %w\n%s", err, out)
	}
	// A cache may hold one that was installed with symbols and debug information, which a release does not have.
	stripped := l.folder("packer-plugin-amazon")
	if out, err := exec.CommandContext(ctx, "strip", "-o", stripped, l.binaries.amazon).CombinedOutput(); err != nil {
		return fmt.Errorf("strip %s: %w\n%s", l.binaries.amazon, err, out)
	}
	l.binaries.amazon = stripped
	for path, source := range map[string]string{l.binaries.ours: "packer-chain/chain", l.binaries.amazon: "hashicorp/amazon"} {
		result, err := installed.Run(ctx, l.dir, "plugins", "install", "--path", path, "github.com/"+source)
		if err != nil || result.Code != 0 {
			return fmt.Errorf("install %s: %w\n%s", path, err, result)
		}
	}
	return nil
}

// toolVersions asks every program that had a part in the results.
func (l *lab) toolVersions(ctx context.Context) error {
	for _, tool := range [][]string{{"packer", "version"}, {"git", "--version"}, {"aws", "--version"}, {"jq", "--version"}} {
		out, err := exec.CommandContext(ctx, tool[0], tool[1:]...).CombinedOutput()
		if err != nil {
			return fmt.Errorf("ask %s for its version: %w", tool[0], err)
		}
		line, _, _ := strings.Cut(string(out), "\n")
		// aws names the machine's kernel as well.
		line, _, _ = strings.Cut(line, " Linux/")
		l.versions = append(l.versions, [2]string{tool[0], line})
	}
	gateway, err := program.Path("versitygw")
	if err != nil {
		return err
	}
	python, err := program.Moto(ctx)
	if err != nil {
		return err
	}
	moto, err := exec.CommandContext(ctx, python, "-c", "import moto; print(moto.__version__)").Output()
	if err != nil {
		return fmt.Errorf("ask moto for its version: %w", err)
	}
	commit, err := exec.CommandContext(ctx, "git", "-C", l.root, "describe", "--always", "--dirty").Output()
	if err != nil {
		commit = []byte("unknown")
	}
	amazon, err := program.Path("packer-plugin-amazon")
	if err != nil {
		return err
	}
	l.versions = append(l.versions, [][2]string{
		{"packer-plugin-amazon", moduleVersion(amazon)}, {"versitygw", moduleVersion(gateway)},
		{"moto", string(bytes.TrimSpace(moto))}, {"go", runtime.Version()},
		{"this plugin", "commit " + string(bytes.TrimSpace(commit))}}...)
	return nil
}

func moduleVersion(path string) string {
	info, err := buildinfo.ReadFile(path)
	if err != nil {
		return "unknown"
	}
	return info.Main.Version
}

// timed runs a program to its end and answers how many seconds it took. What it prints is kept for when it
// fails.
func (l *lab) timed(ctx context.Context, dir string, command ...string) (float64, error) {
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Dir = dir
	// Packer ends its plugins when it is interrupted, but not when it is killed.
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 20 * time.Second
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	start := time.Now()
	err := cmd.Run()
	took := time.Since(start).Seconds()
	if err != nil {
		return 0, fmt.Errorf("%s: %w\n%s", strings.Join(command, " "), err, &output)
	}
	return took, nil
}

// build is packer build of the template in dir.
func (l *lab) build(ctx context.Context, dir string, args ...string) (float64, error) {
	return l.timed(ctx, dir, append(append([]string{"packer", "build", "-color=false"}, args...), ".")...)
}

// template is packer build of one of the templates in test/bench/templates.
func (l *lab) template(ctx context.Context, name string, args ...string) (float64, error) {
	file := filepath.Join(l.root, "test", "bench", "templates", name+".pkr.hcl")
	return l.timed(ctx, l.dir, append(append([]string{"packer", "build", "-color=false"}, args...), file)...)
}

// glue is a call of test/bench/glue/build.sh for AMIs in the first n regions.
func (l *lab) glue(ctx context.Context, n int, args ...string) (float64, error) {
	return l.glueWith(ctx, n, nil, args...)
}

func (l *lab) glueWith(ctx context.Context, n int, env []string, args ...string) (float64, error) {
	command := []string{"env", "BUCKET=" + bucket, "REGIONS=" + strings.Join(regions[:n], " "), "SOURCE_AMI=" + l.ubuntu}
	command = append(append(command, env...), "bash", filepath.Join(l.root, "test", "bench", "glue", "build.sh"))
	return l.timed(ctx, l.repoFolder("old"), append(command, args...)...)
}
