// SPDX-License-Identifier: MPL-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/packer-chain/packer-plugin-chain/test/lab/emulator"
	"github.com/packer-chain/packer-plugin-chain/test/lab/program"
	"github.com/packer-chain/packer-plugin-chain/test/lab/workspace"
)

// point is where a process dies.
type point struct {
	// folder has the registry in a folder; else it is in a bucket.
	folder bool
	// step and after are those of [reaper]; life says what the process does itself.
	step  string
	after bool
	life  life
}

func (p point) String() string {
	where := map[bool]string{true: "folder", false: "bucket"}[p.folder]
	switch {
	case p.life.DieAfter != "":
		return fmt.Sprintf("%s, after it said %q", where, p.life.DieAfter)
	case p.life.ParkAfter != "":
		return fmt.Sprintf("%s, in the write after %q", where, p.life.ParkAfter)
	}
	return where + map[bool]string{true: ", after ", false: ", before "}[p.after] + p.step
}

// graveyard is where the processes die: one image in one account, and a new registry for each.
type graveyard struct {
	run    *Run
	aws    *emulator.AWS
	reaper *reaper
	proxy  string
	repo   *workspace.Repo
	plots  int
	// These are those of the image.
	gitSHA, commit, fingerprint string
}

// promiseDeath kills a process before and after each step of a publication. Each time the registry has to
// be readable and true, and the same build again has to finish the work. The tests try some of the points.
func promiseDeath(ctx context.Context, r *Run) (Result, error) {
	if _, err := program.Moto(ctx); err != nil {
		return Result{}, fmt.Errorf("%w: %w", errNoTool, err)
	}
	g, stop, err := openGraveyard(ctx, r)
	if err != nil {
		return Result{}, err
	}
	defer stop()
	points, err := g.points(ctx)
	if err != nil {
		return Result{}, err
	}
	all := len(points)
	r.Random(0).Shuffle(all, func(i, j int) { points[i], points[j] = points[j], points[i] })
	if testing.Testing() && !r.Long {
		points = points[:min(all, 8)]
	}
	var t toll
	diggers, ctx := errgroup.WithContext(ctx)
	// Each graveyard has an account of its own.
	graveyards := r.Pick(2, 4)
	for some := range slices.Chunk(points, (len(points)+graveyards-1)/graveyards) {
		diggers.Go(func() error { return t.buryAll(ctx, r, g.fingerprint, some) })
	}
	err = diggers.Wait()
	t.Note = fmt.Sprintf("%d of %d points; %d died before the manifest, and were baked again", len(points), all, t.bakedAgain)
	return t.Result, err
}

// toll is what all deaths have come to.
type toll struct {
	mu sync.Mutex
	Result
	bakedAgain int
}

// buryAll tries points one after the other. The same files have the same fingerprint in every graveyard.
func (t *toll) buryAll(ctx context.Context, r *Run, fingerprint string, points []point) error {
	g, stop, err := openGraveyard(ctx, r)
	if err != nil {
		return err
	}
	defer stop()
	g.fingerprint = fingerprint
	for _, p := range points {
		b, err := g.bury(ctx, p)
		if err != nil {
			return fmt.Errorf("%s: %w", p, err)
		}
		t.add(r, p, b)
	}
	return nil
}

func (t *toll) add(r *Run, p point, b burial) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.Tried++
	t.Lost += len(b.faults)
	t.Duplicated += b.duplicated
	if b.bakedAgain {
		t.bakedAgain++
	}
	for _, fault := range b.faults {
		r.Logf("%s: %v", p, fault)
	}
}

func openGraveyard(ctx context.Context, r *Run) (*graveyard, func(), error) {
	account, err := emulator.Start(io.Discard)
	if err != nil {
		return nil, nil, err
	}
	g := &graveyard{run: r, aws: account}
	stop := func() { _ = account.Stop() }
	if err := g.prepare(ctx); err != nil {
		stop()
		return nil, nil, err
	}
	proxy, stopProxy := serve(g.reaper)
	g.proxy = proxy
	return g, func() { stopProxy(); stop() }, nil
}

func (g *graveyard) prepare(ctx context.Context) (err error) {
	if g.reaper, err = newReaper(g.aws.Endpoint); err != nil {
		return err
	}
	if err := g.aws.CreateBucket(ctx, bucket); err != nil {
		return err
	}
	if g.repo, err = workspace.New(ctx, filepath.Join(g.run.TempDir(), "repo")); err != nil {
		return err
	}
	if err := g.repo.Write("base/image.sh", "true\n"); err != nil {
		return err
	}
	if g.commit, err = g.repo.Commit(ctx, "begin"); err != nil {
		return err
	}
	g.gitSHA, err = g.repo.Git(ctx, "rev-parse", "HEAD:base")
	return err
}

// points are found out by two lives in which nobody dies.
func (g *graveyard) points(ctx context.Context) ([]point, error) {
	var all []point
	for _, folder := range []bool{false, true} {
		registry := g.plot(folder)
		_, said, err := g.live(ctx, point{}, registry, life{})
		if err != nil {
			return nil, err
		}
		g.fingerprint = said.Fingerprint
		steps := g.reaper.seen()
		if len(steps) < len(bakeRegions) {
			return nil, fmt.Errorf("only %d steps were seen", len(steps))
		}
		for _, step := range steps {
			if strings.HasPrefix(step, "test of the store #") {
				continue // one stands for all: nothing of the image is there yet
			}
			all = append(all, point{folder: folder, step: step}, point{folder: folder, step: step, after: true})
		}
		lines := []string{"manifest: ", "ref git-", "ref latest", "ref production", "local manifest: "}
		for _, line := range lines {
			all = append(all, point{folder: folder, life: life{DieAfter: line}})
		}
		if folder {
			// Refs move side by side, so that after any of them there may be no other write to die in.
			for _, line := range []string{"begin", "manifest: "} {
				all = append(all, point{folder: folder, life: life{ParkAfter: line}})
			}
		}
	}
	return all, nil
}

// plot is a new registry. The local manifest of the last one is taken away.
func (g *graveyard) plot(folder bool) (registry string) {
	g.plots++
	_ = os.Remove(g.localManifest())
	if folder {
		return filepath.Join(g.run.TempDir(), "registry")
	}
	return fmt.Sprintf("s3://%s/plot%d", bucket, g.plots)
}

func (g *graveyard) localManifest() string {
	return filepath.Join(g.repo.Dir, "base", "manifest-base.json")
}

// live runs a child, and tells whether it was killed.
func (g *graveyard) live(ctx context.Context, p point, registry string, l life) (killed bool, said report, err error) {
	l.Registry, l.EC2 = registry, g.aws.Endpoint
	arg, err := json.Marshal(l)
	if err != nil {
		return false, report{}, err
	}
	cmd, err := g.run.Child(ctx, mortalChild, string(arg))
	if err != nil {
		return false, report{}, err
	}
	cmd.Dir = filepath.Join(g.repo.Dir, "base")
	cmd.Env = append(cmd.Env, (&emulator.AWS{Endpoint: g.proxy}).Env(bakeRegions[0])...)
	var out, errors strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errors
	strike, gone := g.reaper.arm(p.step, p.after)
	if err := cmd.Start(); err != nil {
		return false, report{}, err
	}
	ended := make(chan struct{})
	go func() {
		select {
		case <-strike:
			_ = cmd.Process.Kill()
		case <-ended:
		}
	}()
	err = cmd.Wait()
	close(ended)
	close(gone)
	if err != nil && cmd.ProcessState.ExitCode() == -1 {
		return true, report{}, ctx.Err()
	}
	if err != nil {
		return false, report{}, fmt.Errorf("%w: %s", err, errors.String())
	}
	return false, said, json.Unmarshal([]byte(out.String()), &said)
}

// burial is what came of a death.
type burial struct {
	faults     []error
	duplicated int
	bakedAgain bool
}

// bury has a process die at a point, looks at what it left, and has another finish.
func (g *graveyard) bury(ctx context.Context, p point) (burial, error) {
	registry := g.plot(p.folder)
	var b burial
	killed, _, err := g.live(ctx, p, registry, p.life)
	switch {
	case err != nil:
		return b, err
	case !killed:
		return b, errors.New("the process did not die")
	}
	w := &witness{graveyard: g, registry: registry}
	b.faults = append(b.faults, w.readable(ctx)...)

	_, finished, err := g.live(ctx, point{}, registry, life{})
	if err != nil {
		b.faults = append(b.faults, fmt.Errorf("the same build again: %w", err))
		return b, nil
	}
	b.bakedAgain = finished.Needed
	for _, text := range finished.Red {
		b.faults = append(b.faults, fmt.Errorf("the same build again: %s", text))
	}
	duplicated, faults := w.finished(ctx)
	b.faults, b.duplicated = append(b.faults, faults...), duplicated
	_, looked, err := g.live(ctx, point{}, registry, life{LookOnly: true})
	if err != nil || looked.Needed {
		b.faults = append(b.faults, fmt.Errorf("the image is needed once more: %v", err)) //nolint:errorlint // err may be nil
	}
	return b, nil
}
