// SPDX-License-Identifier: MPL-2.0

package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// cookie is what Packer sets for the plugins that it starts (packer-plugin-sdk, plugin/server.go).
const cookie = "PACKER_PLUGIN_MAGIC_COOKIE=d602bf8f470bc67ca7faa0386276bbdd4330efaf76d1a219cb4d6991ca9872b2"

// binary measures the program itself: Packer runs describe for every plugin whenever it starts, and a
// process for each component.
func binary(ctx context.Context, l *lab) (findings, error) {
	ours, err := megabytes(l.binaries.ours)
	if err != nil {
		return findings{}, err
	}
	theirs, err := megabytes(l.binaries.amazon)
	if err != nil {
		return findings{}, err
	}
	describe := func(path string) side {
		return func() (float64, error) {
			seconds, err := l.timed(ctx, l.dir, path, "describe")
			return 1000 * seconds, err
		}
	}
	described, err := l.inTurn(40, describe(l.binaries.ours), describe(l.binaries.amazon))
	if err != nil {
		return findings{}, err
	}
	// The first process of a full run does not count.
	us, them := sample{counts: l.quick}, sample{counts: l.quick}
	if _, err := l.inTurn(20,
		func() (float64, error) { return us.take(ctx, l.binaries.ours, "-packer-default-plugin-name-") },
		func() (float64, error) { return them.take(ctx, l.binaries.amazon, "ami") }); err != nil {
		return findings{}, err
	}
	const (
		amazon = "the Amazon plugin, by `strip`"
		start  = "start of a process for `data \"chain\"`"
		starts = "start of a process for `data \"amazon-ami\"`"
	)
	return findings{figures: []figure{
		{name: "binary_vs_amazon", unit: "bytes", ours: []float64{ours * 1e6}, theirs: []float64{theirs * 1e6},
			us: "`go build -trimpath -ldflags '-s -w'`", them: amazon, goal: goal{text: "at most a third", most: 1.0 / 3}},
		{name: "binary_mb", unit: "MB", ours: []float64{ours}, theirs: []float64{theirs}, us: "the same", them: amazon,
			goal: goal{text: "under 30 MB", most: 30, ours: true}},
		{name: "describe_ms", unit: "ms", ours: described[0], theirs: described[1], us: "`packer-plugin-chain describe`",
			them: "`packer-plugin-amazon describe`", goal: goal{text: "under 12 ms", most: 12, ours: true}},
		{name: "start_datasource_ms", unit: "ms", ours: us.ms, theirs: them.ms, us: start, them: starts},
		{name: "start_datasource_mb", unit: "MB of memory", ours: us.mb, theirs: them.mb, us: start, them: starts},
	}}, nil
}

func megabytes(path string) (float64, error) {
	info, err := os.Stat(path)
	if err != nil {
		return 0, err
	}
	return float64(info.Size()) / 1e6, nil
}

// sample is what processes of a data source take until they are ready.
type sample struct {
	ms, mb []float64
	counts bool
}

// take starts a process as Packer does, and waits for the line that says where it listens.
func (s *sample) take(ctx context.Context, path, name string) (float64, error) {
	cmd := exec.CommandContext(ctx, path, "start", "datasource", "--protobuf", name)
	cmd.Env = append(os.Environ(), cookie, "PACKER_PLUGIN_MIN_PORT=10000", "PACKER_PLUGIN_MAX_PORT=25000")
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return 0, err
	}
	start := time.Now()
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	ms := milliseconds(time.Since(start))
	memory := peakMemory(cmd.Process.Pid)
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	if err != nil || !strings.Contains(line, "|unix|") && !strings.Contains(line, "|tcp|") {
		return 0, fmt.Errorf("start %s: it said %q: %w", path, line, err)
	}
	if s.counts {
		s.ms, s.mb = append(s.ms, ms), append(s.mb, memory)
	}
	s.counts = true
	return ms, nil
}

// peakMemory is the most memory that a process had so far, in MB. Only Linux says so; elsewhere it is 0.
func peakMemory(pid int) float64 {
	body, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	for line := range strings.Lines(string(body)) {
		if fields := strings.Fields(line); len(fields) == 3 && fields[0] == "VmHWM:" {
			kilobytes, _ := strconv.ParseFloat(fields[1], 64)
			return kilobytes * 1024 / 1e6
		}
	}
	return 0
}
