// SPDX-License-Identifier: MPL-2.0

package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/packer-chain/packer-plugin-chain/internal/access"
	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
	chain "github.com/packer-chain/packer-plugin-chain/internal/registry"
)

// past is one image with a history of builds.
type past struct {
	lab      *lab
	registry *chain.Registry
	image    string
	ami      string
	// next is the number of the next build.
	next int
	// milliseconds of each run
	resolve, needed, publish []float64
}

// history measures the same calls with few and with many builds in the registry.
func history(ctx context.Context, l *lab) (findings, error) {
	if err := l.buildChains(ctx); err != nil {
		return findings{}, err
	}
	sizes := []int{l.pick(10, 2), l.pick(1000, 3), l.pick(100_000, 200)}
	var pasts []*past
	for _, size := range sizes {
		p, err := l.makePast(ctx, size)
		if err != nil {
			return findings{}, err
		}
		pasts = append(pasts, p)
	}
	for turn := range l.pick(20, 1) + 1 {
		for _, p := range pasts {
			if err := p.measure(ctx, turn > 0); err != nil {
				return findings{}, err
			}
		}
	}
	found := findings{tables: []table{pastTable(sizes, pasts)}}
	whole, err := l.wholeHistory(ctx, sizes, pasts)
	if err != nil {
		return found, err
	}
	beside, err := l.besideHistory(ctx, sizes, pasts)
	found.figures = slices.Concat(whole, beside)
	return found, err
}

// connect opens a registry as a process of its own would.
func (l *lab) connect(ctx context.Context) (*chain.Registry, error) {
	return access.Open(ctx, &access.Config{Region: home}, registry, nil).Registry()
}

// makePast publishes the newest hundred builds, as many as a ref remembers, and lays the older ones into
// the folder of the bucket: nobody reads them.
func (l *lab) makePast(ctx context.Context, size int) (*past, error) {
	reg, err := l.connect(ctx)
	if err != nil {
		return nil, err
	}
	p := &past{lab: l, registry: reg, image: fmt.Sprintf("app%d", size)}
	if p.ami, err = l.register(ctx, p.image, "", ""); err != nil {
		return nil, err
	}
	started := time.Now()
	published := min(size, l.pick(100, 5))
	for range published {
		if err := p.publishNext(ctx); err != nil {
			return nil, err
		}
	}
	stored, err := reg.Manifest(ctx, p.image, p.fingerprint(0))
	if err != nil {
		return nil, err
	}
	folder := l.folder("s3", bucket, "chain", p.image)
	for i := published; i < size; i++ {
		own := p.fingerprint(-i)
		body := bytes.ReplaceAll(stored.Body, []byte(p.fingerprint(0)), []byte(own))
		for _, name := range []string{"builds/" + own + ".json", "refs/git-" + own[:40] + ".json"} {
			if err := os.WriteFile(filepath.Join(folder, filepath.FromSlash(name)), body, 0o644); err != nil {
				return nil, err
			}
		}
	}
	l.logf("   %d builds of %s in %s", size, p.image, time.Since(started).Round(time.Millisecond))
	return p, nil
}

func (p *past) fingerprint(i int) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %d", p.image, i))
	return hex.EncodeToString(sum[:])
}

// publishNext does what the post-processor does with the registry.
func (p *past) publishNext(ctx context.Context) error {
	fingerprint := p.fingerprint(p.next)
	p.next++
	return publishBuild(ctx, p.registry, p.image, fingerprint, p.ami, "latest", published)
}

// publishBuild takes the steps of the post-processor: the manifest and the refs are read side by side, which
// it does while EC2 tags, then the manifest is written, then all refs.
func publishBuild(ctx context.Context, reg *chain.Registry, image, fingerprint, ami string, channels ...string) error {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	sha := fingerprint[:40]
	facts := manifest.Chain{Image: image, Fingerprint: fingerprint,
		Git: manifest.Git{SHA: sha, Name: sha, Commit: sha, CommitTime: at, Branch: "main"},
		Components: []manifest.Component{{Name: "image", Value: image}, {Name: "template", Value: sha},
			{Name: "input docker", Value: fingerprint}},
		Versions: manifest.Versions{Packer: "1.16.0", Plugin: "0.1.0"}}
	moves := map[string]chain.Rule{chain.GitRef(sha): chain.Always, chain.CommitRef(sha): chain.Always}
	for _, channel := range channels {
		moves[channel] = chain.NotBack
	}
	reg.ReadAhead(ctx, image, fingerprint, slices.Collect(maps.Keys(moves))...)
	stored, err := reg.Publish(ctx, []manifest.Entry{entryOf("app", fingerprint, ami)}, facts)
	if err != nil {
		return err
	}
	to := chain.Target{Fingerprint: fingerprint, AMIs: stored.Manifest.Chain.AMIs, ManifestSeq: stored.Manifest.Chain.Seq,
		ManifestSHA256: stored.SHA256, Commit: sha, CommitTime: at}
	var refs errgroup.Group
	for name, rule := range moves {
		refs.Go(func() error {
			_, err := reg.Move(ctx, image, name, to, rule, "local")
			return err
		})
	}
	return refs.Wait()
}

func entryOf(source, run, ami string) manifest.Entry {
	return manifest.Entry{Name: source, BuilderType: "amazon-ebs", BuilderID: "mitchellh.amazonebs", BuildTime: 1767323045,
		ArtifactID: home + ":" + ami, PackerRunUUID: run,
		Images: []manifest.Image{{Provider: manifest.ProviderAWS, Region: home, ID: ami}}}
}

func (p *past) measure(ctx context.Context, counts bool) error {
	newest := p.fingerprint(p.next - 1)
	start := time.Now()
	ref, err := p.registry.Ref(ctx, p.image, "latest")
	if err != nil {
		return err
	}
	if _, err := p.registry.Follow(ctx, ref); err != nil {
		return err
	}
	resolved := time.Now()
	if ref.Fingerprint != newest {
		return fmt.Errorf("latest of %s is %s, want %s", p.image, ref.Fingerprint, newest)
	}
	if _, err := p.registry.Manifest(ctx, p.image, newest); err != nil {
		return err
	}
	if _, err := p.registry.Ref(ctx, p.image, "latest"); err != nil {
		return err
	}
	asked := time.Now()
	if err := p.publishNext(ctx); err != nil {
		return err
	}
	if counts {
		p.resolve = append(p.resolve, milliseconds(resolved.Sub(start)))
		p.needed = append(p.needed, milliseconds(asked.Sub(resolved)))
		p.publish = append(p.publish, milliseconds(time.Since(asked)))
	}
	return nil
}

func pastTable(sizes []int, pasts []*past) table {
	t := table{title: "History: milliseconds by the number of builds, by the plugin's packages alone",
		head: []string{"builds", "resolve", "needed", "publish"},
		note: "Resolve reads a ref and a manifest, needed a manifest and a ref, publish writes a manifest, two refs and two " +
			"channels. A ref remembers its last 100 moves: it grows up to 100 builds, and no more. EC2 is not asked here: it " +
			"has no history."}
	for i, p := range pasts {
		row := []string{fmt.Sprint(sizes[i])}
		for _, values := range [][]float64{p.resolve, p.needed, p.publish} {
			row = append(row, fmt.Sprintf("%.2f", median(values)))
		}
		t.rows = append(t.rows, row)
	}
	return t
}
