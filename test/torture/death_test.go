// SPDX-License-Identifier: MPL-2.0

package torture

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/packer-chain/packer-plugin-chain/test/lab/emulator"
	"github.com/packer-chain/packer-plugin-chain/test/lab/workspace"
)

// point is where a process dies.
type point struct {
	// folder has the registry in a folder instead of a bucket.
	folder bool
	// step and after are those of [reaper]; life is what the process does itself.
	step  string
	after bool
	life  life
}

func (p point) String() string {
	where := map[bool]string{true: "folder", false: "bucket"}[p.folder]
	switch {
	case p.life.DieAfter != "":
		return fmt.Sprintf("%s, after it printed %q", where, p.life.DieAfter)
	case p.life.ParkAfter != "":
		return fmt.Sprintf("%s, in the write after %q", where, p.life.ParkAfter)
	}
	return where + map[bool]string{true: ", after ", false: ", before "}[p.after] + p.step
}

// graveyard is where the processes die: one image in its own account, and a new registry for each.
type graveyard struct {
	aws    *emulator.AWS
	reaper *reaper
	proxy  string
	repo   *workspace.Repo
	plots  int
	// fingerprint is that of the image.
	fingerprint string
}

// TestDeath kills a process before and after each step of a publication. Each time the registry has
// to be readable and true, and the same build again has to finish the work. A short run tries some
// points.
func TestDeath(t *testing.T) {
	ctx, n := begin(t)
	// The same files have the same fingerprint in every graveyard.
	first := openGraveyard(ctx, t)
	points := first.points(ctx, t)
	all := len(points)
	random(t).Shuffle(all, func(i, j int) { points[i], points[j] = points[j], points[i] })
	points = points[:figure(min(all, 8), all)]
	var bakedAgain atomic.Int64
	var diggers sync.WaitGroup
	graveyards := figure(2, 4)
	for some := range slices.Chunk(points, (len(points)+graveyards-1)/graveyards) {
		diggers.Go(func() {
			t.Run("graveyard", func(t *testing.T) {
				g := openGraveyard(ctx, t)
				g.fingerprint = first.fingerprint
				for _, p := range some {
					t.Run(p.String(), func(t *testing.T) {
						n.count(1, 0, 0)
						if g.bury(ctx, t, n, p) {
							bakedAgain.Add(1)
						}
					})
				}
			})
		})
	}
	diggers.Wait()
	n.note = fmt.Sprintf("%d of %d points; %d died before the manifest, and were baked again",
		len(points), all, bakedAgain.Load())
}

func openGraveyard(ctx context.Context, t *testing.T) *graveyard {
	t.Helper()
	g := &graveyard{aws: startAWS(ctx, t)}
	if err := g.prepare(ctx, t.TempDir()); err != nil {
		t.Fatal(err)
	}
	g.proxy = serve(t, g.reaper)
	return g
}

func (g *graveyard) prepare(ctx context.Context, dir string) (err error) {
	if g.reaper, err = newReaper(g.aws.Endpoint); err != nil {
		return err
	}
	if err := g.aws.CreateBucket(ctx, bucket); err != nil {
		return err
	}
	if g.repo, err = workspace.New(ctx, dir); err != nil {
		return err
	}
	if err := g.repo.Write("base/image.sh", "true\n"); err != nil {
		return err
	}
	_, err = g.repo.Commit(ctx, "begin")
	return err
}

// points returns the points of two lives in which nobody dies.
func (g *graveyard) points(ctx context.Context, t *testing.T) []point {
	t.Helper()
	var all []point
	for _, folder := range []bool{false, true} {
		_, said, err := g.live(ctx, t, point{}, g.plot(t, folder), life{})
		if err != nil {
			t.Fatal(err)
		}
		g.fingerprint = said.Fingerprint
		steps := g.reaper.seen()
		if len(steps) < len(bakeRegions) {
			t.Fatalf("only %d steps were seen", len(steps))
		}
		for _, step := range steps {
			if strings.HasPrefix(step, "test of the store #") {
				continue // One stands for all: nothing of the image exists yet.
			}
			all = append(all, point{folder: folder, step: step},
				point{folder: folder, step: step, after: true})
		}
		lines := []string{
			"manifest: ", "line main", "channel latest", "channel production", "local manifest: ",
		}
		for _, line := range lines {
			all = append(all, point{folder: folder, life: life{DieAfter: line}})
		}
		if folder {
			// Pointers move concurrently: any may be the last write, with none left to die in.
			for _, line := range []string{"begin", "manifest: "} {
				all = append(all, point{folder: folder, life: life{ParkAfter: line}})
			}
		}
	}
	return all
}

// plot returns a new registry, and removes what the last one left in the work tree.
func (g *graveyard) plot(t *testing.T, folder bool) (registry string) {
	t.Helper()
	g.plots++
	if err := os.RemoveAll(filepath.Join(g.repo.Dir, "base", ".chain")); err != nil {
		t.Fatal(err)
	}
	if folder {
		return filepath.Join(t.TempDir(), "registry")
	}
	return fmt.Sprintf("s3://%s/plot%d", bucket, g.plots)
}

// live runs a child, and reports whether it was killed.
func (g *graveyard) live(ctx context.Context, t *testing.T, p point, registry string, l life) (
	killed bool, said report, err error,
) {
	t.Helper()
	l.Registry, l.EC2 = registry, g.aws.Endpoint
	arg, err := json.Marshal(l)
	if err != nil {
		return false, report{}, err
	}
	cmd := child(ctx, t, mortalChild, string(arg))
	cmd.Dir = filepath.Join(g.repo.Dir, "base")
	cmd.Env = append(cmd.Env, g.repo.Environ()...)
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

// bury has a process die at a point, looks at what it left, and has another finish. It reports
// whether that one had to bake again.
func (g *graveyard) bury(ctx context.Context, t *testing.T, n *tally, p point) (bakedAgain bool) {
	registry := g.plot(t, p.folder)
	killed, _, err := g.live(ctx, t, p, registry, p.life)
	switch {
	case err != nil:
		t.Fatal(err)
	case !killed:
		t.Fatal("the process did not die")
	}
	w := &witness{graveyard: g, registry: registry, t: t, tally: n}
	w.readable(ctx)

	_, finished, err := g.live(ctx, t, point{}, registry, life{})
	if err != nil {
		w.fault("the same build again: %v", err)
		return false
	}
	for _, text := range finished.Red {
		// An image that is baked again leaves one behind.
		if !finished.Pending || !strings.Contains(text, "never published") {
			w.fault("the same build again: %s", text)
		}
	}
	w.finished(ctx)
	_, looked, err := g.live(ctx, t, point{}, registry, life{LookOnly: true})
	if err != nil || looked.Pending {
		w.fault("the image is pending once more: %v", err)
	}
	return finished.Pending
}
