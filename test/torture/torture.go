// SPDX-License-Identifier: MPL-2.0

// Torture tries to break what the plugin promises: many writers at once, answers that get lost, processes
// that die, stores and services that misbehave. It ends with a table of the promises, and with exit status
// 1 when one of them is broken. "make torture" runs it in full; the tests of this package run it in short.
package main

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// promiseLimit ends a promise that hangs.
const promiseLimit = 8 * time.Minute

// errNoTool means that a program is missing that a promise needs. The tests skip such a promise, unless
// CI or CHAIN_REQUIRE_TOOLS is set.
var errNoTool = errors.New("a tool is missing")

// Result is what became of a promise. It is broken when something was lost or duplicated.
type Result struct {
	// Tried counts what was tried: publishes, deaths, documents, as the promise has it.
	Tried, Lost, Duplicated int
	// Note is one line for the table: figures, and what the promise does not show.
	Note string
}

// Promise is one thing that the plugin promises, and how to try to break it.
type Promise struct {
	Name string
	// Run answers an error when the promise is broken, or could not be tried.
	Run func(ctx context.Context, r *Run) (Result, error)
}

// Run is what a promise gets to run with.
type Run struct {
	// Name is that of the promise.
	Name string
	// Seed is what all chance of the run comes from. See [Run.Random].
	Seed uint64
	// Long asks for the full figures; else a promise is to end within seconds.
	Long bool
	// Logf tells what goes on. It may be called from several goroutines.
	Logf func(format string, args ...any)
	// TempDir makes a new folder, which is deleted at the end.
	TempDir func() string
}

// Random is a source of chance: the same for the same seed, promise and stream. It is for one goroutine.
func (r *Run) Random(stream uint64) *rand.Rand {
	name := fnv.New64a()
	_, _ = name.Write([]byte(r.Name))
	return rand.New(rand.NewPCG(r.Seed, name.Sum64()+stream))
}

// Pick is the short figure, or the one of a long run.
func (r *Run) Pick(short, long int) int {
	if r.Long {
		return long
	}
	return short
}

// Child is a process of this program that runs one of [children], with arguments of its own. Its error
// output goes to ours.
func (r *Run) Child(ctx context.Context, name string, args ...string) (*exec.Cmd, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self, args...)
	cmd.Env = append(os.Environ(), childVariable+"="+name)
	cmd.Stderr = os.Stderr
	return cmd, nil
}

// childVariable names what a process is to do instead of what its program does else.
const childVariable = "CHAIN_TORTURE_CHILD"

// runChild does the work of a child, and ends the process. In any other process it does nothing. It comes
// first in main and in TestMain.
func runChild() {
	name := os.Getenv(childVariable)
	if name == "" {
		return
	}
	do, known := children[name]
	if !known {
		fmt.Fprintf(os.Stderr, "%s: there is no child %q\n", childVariable, name)
		os.Exit(2)
	}
	if err := do(os.Args[1:]); err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// cleanEnvironment takes what this machine says about AWS and Packer out of the environment.
func cleanEnvironment() error {
	for _, pair := range os.Environ() {
		name, _, _ := strings.Cut(pair, "=")
		if strings.HasPrefix(name, "AWS_") || strings.HasPrefix(name, "PACKER_") || strings.HasPrefix(name, "PKR_VAR_") {
			if err := os.Unsetenv(name); err != nil {
				return err
			}
		}
	}
	for name, value := range map[string]string{
		"AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull, "AWS_EC2_METADATA_DISABLED": "true",
	} {
		if err := os.Setenv(name, value); err != nil {
			return err
		}
	}
	return nil
}

// repository is the root of the checkout: the next folder upwards that holds go.mod.
func repository() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", errors.New("find the repository: no go.mod in this folder or above")
		}
		dir = filepath.Dir(dir)
	}
}
