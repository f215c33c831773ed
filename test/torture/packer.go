// SPDX-License-Identifier: MPL-2.0

package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

func promisePackerConcurrent(ctx context.Context, r *Run) (Result, error) {
	result, err := goTest(ctx, r, "./test/acceptance", "^TestAccConcurrent")
	result.Note = fmt.Sprintf("%d packer processes at once, and 16 sources in one", r.Pick(4, 16))
	return result, err
}

func promiseInterrupt(ctx context.Context, r *Run) (Result, error) {
	return goTest(ctx, r, "./test/acceptance", "^TestAccInterrupt")
}

func promiseSurvive(ctx context.Context, r *Run) (Result, error) {
	return goTest(ctx, r, "./test/acceptance", "^TestAccScripts$/^failure-")
}

var (
	// tallyLine is what a test logs that counts for itself; see tally in package acceptance.
	tallyLine = regexp.MustCompile(`torture: tried=(\d+) lost=(\d+) duplicated=(\d+)`)
	// testLine is how a test ended. Those with tests below them are counted by these alone.
	testLine = regexp.MustCompile(`(?m)^\s*--- (PASS|FAIL|SKIP): (\S+)`)
)

// goTest runs tests of a package in a process of their own, and counts what they tried. A test of this package
// passes them over, because the same go test runs them where they are.
func goTest(ctx context.Context, r *Run, pkg, pattern string, flags ...string) (Result, error) {
	if testing.Testing() {
		return Result{Note: "go test " + pkg + " runs it"}, nil
	}
	root, err := repository()
	if err != nil {
		return Result{}, err
	}
	args := append([]string{"test", "-v", "-count=1", "-timeout=8m", "-run", pattern}, flags...)
	cmd := exec.CommandContext(ctx, "go", append(args, pkg)...)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "PACKER_ACC=1", "CHAIN_REQUIRE_TOOLS=1")
	if r.Long {
		cmd.Env = append(cmd.Env, "CHAIN_LONG=1")
	}
	if slices.Contains(flags, "-race") {
		cmd.Env = append(cmd.Env, "CGO_ENABLED=1")
	}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err = cmd.Run()
	result := readTests(out.String())
	switch {
	case err != nil:
		r.Logf("%s", out.String())
		return result, fmt.Errorf("go test -run %s %s: %w", pattern, pkg, err)
	case result.Tried == 0:
		return result, fmt.Errorf("no test of %s ran", pkg)
	}
	return result, nil
}

// readTests counts what go test -v printed: the figures that tests log, else the tests themselves.
func readTests(output string) Result {
	var result Result
	for _, figures := range tallyLine.FindAllStringSubmatch(output, -1) {
		for i, into := range []*int{&result.Tried, &result.Lost, &result.Duplicated} {
			n, _ := strconv.Atoi(figures[i+1])
			*into += n
		}
	}
	if result.Tried > 0 {
		return result
	}
	tests := testLine.FindAllStringSubmatch(output, -1)
	for i, test := range tests {
		if i+1 < len(tests) && strings.HasPrefix(tests[i+1][2], test[2]+"/") {
			continue
		}
		switch test[1] {
		case "PASS":
			result.Tried++
		case "FAIL":
			result.Tried++
			result.Lost++
		}
	}
	return result
}
