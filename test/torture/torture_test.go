// SPDX-License-Identifier: MPL-2.0

// Package torture tries to break what the plugin promises: many writers at once, responses that get
// lost, processes that die, stores and services that misbehave. Each promise is a test. "go test"
// runs it in short, "go test -long" in full, and "make torture" prints a table of all of them.
package torture

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"hash/fnv"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/packer-chain/packer-plugin-chain/test/lab/emulator"
	"github.com/packer-chain/packer-plugin-chain/test/lab/program"
)

var (
	long = flag.Bool("long", false, "run with the full figures")
	seed = flag.Uint64("seed", rand.Uint64(), "repeat a run that printed this `seed`")
)

// promiseLimit ends a promise that hangs.
const promiseLimit = 8 * time.Minute

// childVariable names what a process of this program does instead of running tests.
const childVariable = "CHAIN_TORTURE_CHILD"

var children = map[string]func(args []string) error{
	folderChild:   writeFolder,
	mortalChild:   liveAndDie,
	promoterChild: promoteAndDie,
}

func TestMain(m *testing.M) {
	if do := children[os.Getenv(childVariable)]; do != nil {
		if err := do(os.Args[1:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	cleanEnvironment()
	os.Exit(m.Run())
}

// cleanEnvironment removes this machine's settings for AWS and Packer from the environment.
func cleanEnvironment() {
	for _, pair := range os.Environ() {
		name, _, _ := strings.Cut(pair, "=")
		for _, prefix := range []string{"AWS_", "PACKER_", "PKR_VAR_"} {
			if strings.HasPrefix(name, prefix) {
				_ = os.Unsetenv(name)
			}
		}
	}
	_ = os.Setenv("AWS_CONFIG_FILE", os.DevNull)
	_ = os.Setenv("AWS_SHARED_CREDENTIALS_FILE", os.DevNull)
	_ = os.Setenv("AWS_EC2_METADATA_DISABLED", "true")
}

// kept are the variables that a child inherits. Those of a CI system are not among them: they would
// say on which branch the child is.
var kept = []string{"PATH", "HOME", "TMPDIR", "GORACE", "GOCOVERDIR"}

// child returns a process of this program that runs one of [children] instead of the tests.
func child(ctx context.Context, t *testing.T, name string, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(ctx, self, args...)
	cmd.Env = []string{childVariable + "=" + name}
	for _, variable := range kept {
		if value, set := os.LookupEnv(variable); set {
			cmd.Env = append(cmd.Env, variable+"="+value)
		}
	}
	return cmd
}

// tally counts what a promise tried: publishes, deaths, documents, depending on the promise.
// The promise is broken if anything was lost or duplicated.
type tally struct {
	mu                      sync.Mutex
	tried, lost, duplicated int
	// note is one line for the table: figures, and what the promise does not show.
	note string
}

// begin starts a promise. When the test and its subtests have ended, the tally becomes attributes
// of the test, from which "make torture" makes its table. The context ends after [promiseLimit].
func begin(t *testing.T) (context.Context, *tally) {
	t.Helper()
	t.Logf("repeat with -seed %d", *seed)
	ctx, cancel := context.WithTimeout(t.Context(), promiseLimit)
	n := &tally{}
	t.Cleanup(func() {
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			t.Errorf("still not finished after %s", promiseLimit)
		}
		cancel()
		t.Attr("tried", strconv.Itoa(n.tried))
		t.Attr("lost", strconv.Itoa(n.lost))
		t.Attr("duplicated", strconv.Itoa(n.duplicated))
		t.Attr("note", n.note)
		if n.lost > 0 || n.duplicated > 0 {
			t.Errorf("%d lost and %d duplicated of %d", n.lost, n.duplicated, n.tried)
		}
	})
	return ctx, n
}

func (n *tally) count(tried, lost, duplicated int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.tried += tried
	n.lost += lost
	n.duplicated += duplicated
}

// try runs a subtest. One that fails counts as lost.
func (n *tally) try(t *testing.T, name string, test func(t *testing.T)) {
	t.Helper()
	lost := 0
	if !t.Run(name, test) {
		lost = 1
	}
	n.count(1, lost, 0)
}

// random returns a source of chance for one goroutine: the same for the same seed and test.
func random(t *testing.T) *rand.Rand {
	name := fnv.New64a()
	_, _ = name.Write([]byte(t.Name()))
	return rand.New(rand.NewPCG(*seed, name.Sum64()))
}

// figure returns short, or full in a long run.
func figure(short, full int) int {
	if *long {
		return full
	}
	return short
}

// missing skips a test that needs a tool, or fails it if all tools are required.
func missing(t *testing.T, err error) {
	t.Helper()
	if os.Getenv("CI") != "" || os.Getenv("CHAIN_REQUIRE_TOOLS") != "" {
		t.Fatal(err)
	}
	t.Skip(err)
}

// startAWS starts an emulated account, which is stopped when the test ends.
func startAWS(ctx context.Context, t *testing.T) *emulator.AWS {
	t.Helper()
	if _, err := program.Moto(ctx); err != nil {
		missing(t, err)
	}
	account, err := emulator.Start(io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = account.Stop() })
	return account
}
