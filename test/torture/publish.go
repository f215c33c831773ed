// SPDX-License-Identifier: MPL-2.0

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"time"

	"github.com/packer-chain/packer-plugin-chain/internal/registry"
	"github.com/packer-chain/packer-plugin-chain/internal/store/dirstore"
)

// workloads are the two ways in which many publish at once: each its own fingerprint and the same refs, and
// all into one fingerprint. A manifest holds 1 MiB, and each entry takes some 450 bytes, so that the second
// has fewer publishes: 32 writers with 6 are a manifest of 90 kB, which all of them read and write.
func workloads(r *Run) []workload {
	return []workload{
		{Writers: r.Pick(8, 32), Publishes: r.Pick(6, 50)},
		{Writers: r.Pick(8, 32), Publishes: r.Pick(2, 6), Shared: true},
	}
}

func promisePublishFake(ctx context.Context, r *Run) (Result, error) {
	handler, err := fakeBucket()
	if err != nil {
		return Result{}, err
	}
	url, stop := serve(handler)
	defer stop()
	return publishAll(ctx, r, bucketOpener(ctx, url, bucketOptions{}))
}

func promisePublishGateway(ctx context.Context, r *Run) (Result, error) {
	gateway, err := startGateway(ctx, r)
	if err != nil {
		return Result{}, err
	}
	defer gateway.Stop()
	return publishAll(ctx, r, bucketOpener(ctx, gateway.URL, bucketOptions{}))
}

// publishAll runs the workloads one after the other on one registry.
func publishAll(ctx context.Context, r *Run, open opener) (Result, error) {
	var result Result
	for _, w := range workloads(r) {
		started := time.Now()
		v, err := w.try(ctx, open)
		result.add(w, v)
		if err != nil {
			return result, err
		}
		r.Logf("%+v: %.1f s", w, time.Since(started).Seconds())
	}
	result.Note = describe(workloads(r))
	return result, nil
}

func describe(all []workload) string {
	return fmt.Sprintf("%d writers x %d, and x %d into one fingerprint", all[0].Writers, all[0].Publishes, all[1].Publishes)
}

// folderChild is the child that is one writer on a folder.
const folderChild = "folder-writer"

// promisePublishFolder gives each writer a process of its own.
func promisePublishFolder(ctx context.Context, r *Run) (Result, error) {
	dir := r.TempDir()
	open := func(int) (*registry.Registry, error) { return registry.New(dirstore.New(dir)), nil }
	var result Result
	for _, w := range workloads(r) {
		started := time.Now()
		ops, failure := runProcesses(ctx, r, w, dir)
		v, err := w.judge(ctx, open, ops, failure)
		result.add(w, v)
		if err != nil {
			return result, err
		}
		r.Logf("%+v: %.1f s", w, time.Since(started).Seconds())
	}
	result.Note = describe(workloads(r)) + ", each writer a process"
	return result, nil
}

// runProcesses starts all writers, lets them loose at once by closing what they read, and collects what
// they saw.
func runProcesses(ctx context.Context, r *Run, w workload, dir string) ([]op, error) {
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
		var cmd *exec.Cmd
		if cmd, err = r.Child(ctx, folderChild, dir, string(plan), strconv.Itoa(client)); err != nil {
			break
		}
		cmd.Stdin, cmd.Stdout = gate, &outputs[client]
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

// writeFolder is the writer of [folderChild]: its arguments are the folder, the workload and its number.
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
		return errors.New("there was something behind the gate")
	}
	ctx, cancel := context.WithTimeout(context.Background(), promiseLimit)
	defer cancel()
	return json.NewEncoder(os.Stdout).Encode(w.writer(ctx, registry.New(dirstore.New(args[0])), client))
}
