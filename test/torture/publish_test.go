// SPDX-License-Identifier: MPL-2.0

package torture

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"github.com/packer-chain/packer-plugin-chain/internal/registry"
	"github.com/packer-chain/packer-plugin-chain/internal/store/dirstore"
)

// publishAll has writers publish in the two ways in which many do so at once: each its own
// fingerprint and the same pointers, then all into one fingerprint. A manifest holds 1 MiB, and
// each entry takes some 450 bytes, so the second way has fewer publishes: 32 writers with 6 each
// make a manifest of 90 kB, which all of them read and write.
func publishAll(ctx context.Context, t *testing.T, n *tally, open opener,
	run func(workload) ([]op, error),
) {
	t.Helper()
	apart := workload{Writers: figure(8, 32), Publishes: figure(6, 50)}
	shared := workload{Writers: figure(8, 32), Publishes: figure(2, 6), Shared: true}
	n.note = fmt.Sprintf("%d writers x %d, and x %d into one fingerprint",
		apart.Writers, apart.Publishes, shared.Publishes)
	for _, w := range []workload{apart, shared} {
		started := time.Now()
		ops, failure := run(w)
		v, err := w.judge(ctx, open, ops, failure)
		n.add(w, v)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%+v: %.1f s", w, time.Since(started).Seconds())
	}
}

func TestPublish_gofakes3(t *testing.T) {
	ctx, n := begin(t)
	open := bucketOpener(t, serve(t, fakeBucket(t)), bucketOptions{})
	publishAll(ctx, t, n, open, func(w workload) ([]op, error) { return w.run(ctx, open) })
}

func TestPublish_versitygw(t *testing.T) {
	ctx, n := begin(t)
	open := bucketOpener(t, startGateway(ctx, t).URL, bucketOptions{})
	publishAll(ctx, t, n, open, func(w workload) ([]op, error) { return w.run(ctx, open) })
}

// TestPublish_race is for the race detector, with which "make torture" runs it. Most of what that
// costs is JSON, and most JSON is in pointers, so they move in some rounds only.
func TestPublish_race(t *testing.T) {
	ctx, n := begin(t)
	w := workload{Writers: figure(8, 32), Publishes: figure(6, 50), MovesEvery: figure(2, 10)}
	n.note = fmt.Sprintf("%d writers x %d on gofakes3", w.Writers, w.Publishes)
	open := bucketOpener(t, serve(t, fakeBucket(t)), bucketOptions{})
	ops, failure := w.run(ctx, open)
	v, err := w.judge(ctx, open, ops, failure)
	n.add(w, v)
	if err != nil {
		t.Error(err)
	}
}

// folderChild is the child that is one writer on a folder.
const folderChild = "folder-writer"

// TestPublish_folder gives each writer its own process.
func TestPublish_folder(t *testing.T) {
	ctx, n := begin(t)
	dir := t.TempDir()
	open := func() *registry.Registry { return registry.New(dirstore.New(dir)) }
	publishAll(ctx, t, n, open, func(w workload) ([]op, error) {
		return runProcesses(ctx, t, w, dir)
	})
	n.note += ", each writer a process"
}

// runProcesses starts all writers, releases them at once by closing what they read, and collects
// what they saw.
func runProcesses(ctx context.Context, t *testing.T, w workload, dir string) ([]op, error) {
	t.Helper()
	plan, err := json.Marshal(w)
	if err != nil {
		return nil, err
	}
	gate, opening, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer gate.Close()
	outputs := make([]bytes.Buffer, w.Writers)
	var running []*exec.Cmd
	for client := range w.Writers {
		cmd := child(ctx, t, folderChild, dir, string(plan), strconv.Itoa(client))
		cmd.Stdin, cmd.Stdout, cmd.Stderr = gate, &outputs[client], os.Stderr
		if err = cmd.Start(); err != nil {
			break
		}
		running = append(running, cmd)
	}
	_ = opening.Close()
	var ops []op
	for client, cmd := range running {
		if ended := cmd.Wait(); ended != nil {
			err = errors.Join(err, fmt.Errorf("writer %d: %w", client, ended))
			continue
		}
		var own []op
		if damaged := json.Unmarshal(outputs[client].Bytes(), &own); damaged != nil {
			err = errors.Join(err, fmt.Errorf("writer %d: %w", client, damaged))
		}
		ops = append(ops, own...)
		err = errors.Join(err, firstError(own))
	}
	return ops, err
}

// writeFolder is the writer of [folderChild]. Its arguments are the folder, the workload and its
// number.
func writeFolder(args []string) error {
	if len(args) != 3 {
		return fmt.Errorf("want a folder, a workload and a number, got %q", args)
	}
	var w workload
	if err := json.Unmarshal([]byte(args[1]), &w); err != nil {
		return err
	}
	client, err := strconv.Atoi(args[2])
	if err != nil {
		return err
	}
	// It ends when the parent opens the gate, or dies.
	if _, err := os.Stdin.Read(make([]byte, 1)); err == nil {
		return errors.New("read something from the gate")
	}
	ctx, cancel := context.WithTimeout(context.Background(), promiseLimit)
	defer cancel()
	ops := w.writer(ctx, registry.New(dirstore.New(args[0])), client)
	return json.NewEncoder(os.Stdout).Encode(ops)
}
