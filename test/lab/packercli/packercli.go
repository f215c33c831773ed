// SPDX-License-Identifier: MPL-2.0

// Package packercli runs the real packer with the plugin of this repository and the real Amazon
// plugin. It ignores the machine's own configuration of Packer and AWS, and fetches nothing.
package packercli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Packer runs packer with a set of installed plugins. Copies share the plugins.
type Packer struct {
	bin  string
	home string
	env  []string
	// terminal is set by [Packer.InTerminal].
	terminal bool
}

// Result is what one run of packer did.
type Result struct {
	// Args are the arguments, such as build and its options.
	Args []string
	// Code is the exit code, or -1 if packer was killed.
	Code int
	// Output is what packer printed, standard output and error in order.
	Output string
}

// String returns the run as a user sees it in a terminal.
func (r Result) String() string {
	return fmt.Sprintf("$ packer %s\n%s[exit code %d]", strings.Join(r.Args, " "), r.Output, r.Code)
}

// With returns a copy that has more environment variables, as KEY=value. Later ones win.
func (p Packer) With(env ...string) Packer {
	p.env = append(append([]string{}, p.env...), env...)
	return p
}

// InTerminal returns a copy that is interrupted as by Ctrl-C in a terminal when its context ends:
// packer and its plugins all get SIGINT. Without it packer alone gets SIGTERM, as from a CI agent.
func (p Packer) InTerminal() Packer {
	p.terminal = true
	return p
}

// Validate runs packer validate on the template in dir.
func (p Packer) Validate(ctx context.Context, dir string) (Result, error) {
	return p.Run(ctx, dir, "validate", ".")
}

// Build runs packer build on the template in dir.
func (p Packer) Build(ctx context.Context, dir string) (Result, error) {
	return p.Run(ctx, dir, "build", "-color=false", ".")
}

// Run runs packer in dir. An exit code other than 0 is not an error; a packer that cannot run is.
func (p Packer) Run(ctx context.Context, dir string, args ...string) (Result, error) {
	cmd := exec.CommandContext(ctx, p.bin, args...)
	cmd.Dir = dir
	cmd.Env = p.Environ()
	// Packer ends its plugins when it is terminated, but not when it is killed. Its outer process,
	// which is the one that is started here, ignores SIGINT and passes SIGTERM through.
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	if p.terminal {
		inTerminal(cmd)
	}
	cmd.WaitDelay = 20 * time.Second
	out, err := cmd.CombinedOutput()
	result := Result{Args: args, Code: cmd.ProcessState.ExitCode(), Output: string(out)}
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || ctx.Err() != nil) {
		return result, fmt.Errorf("packer %s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return result, nil
}

// Environ is the environment that packer gets, as KEY=value. Later ones win.
func (p Packer) Environ() []string {
	env := []string{
		"PATH=" + os.Getenv("PATH"),
		"TMPDIR=" + os.TempDir(),
		"HOME=" + p.home,
		"PACKER_CONFIG_DIR=" + p.home,
		"PACKER_PLUGIN_PATH=" + filepath.Join(p.home, "plugins"),
		"PACKER_CACHE_DIR=" + filepath.Join(p.home, "cache"),
		"PACKER_NO_COLOR=1",
		"CHECKPOINT_DISABLE=1",
		"GIT_CONFIG_NOSYSTEM=1",
		"AWS_EC2_METADATA_DISABLED=true",
		// Packer and its plugins end before it pays to collect garbage, which takes a fifth of
		// their computing time.
		"GOGC=off", "GOMEMLIMIT=1GiB",
	}
	return append(env, p.env...)
}
