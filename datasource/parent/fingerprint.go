// SPDX-License-Identifier: MPL-2.0

package parent

import (
	"context"
	"errors"
	"fmt"
	"log"
	"maps"
	"os"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/packer-chain/packer-plugin-chain/internal/ci"
	"github.com/packer-chain/packer-plugin-chain/internal/crash"
	"github.com/packer-chain/packer-plugin-chain/internal/line"
	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
	"github.com/packer-chain/packer-plugin-chain/internal/record"
	"github.com/packer-chain/packer-plugin-chain/internal/registry"
	"github.com/packer-chain/packer-plugin-chain/internal/text"
)

// findFingerprint returns the newest build with a fingerprint.
func (s search) findFingerprint(
	ctx context.Context, reg *registry.Registry,
) ([]candidate, error) {
	var stored registry.Stored
	var pointers map[registry.Name]*registry.Pointer
	names := s.whereMainMoved()
	group, ctx := errgroup.WithContext(ctx)
	group.Go(crash.Guard("read the build", func() (err error) {
		stored, err = reg.Manifest(ctx, s.config.Image, s.config.Fingerprint)
		return err
	}))
	group.Go(crash.Guard("read the pointers", func() (err error) {
		// They only say who has left the image, for a promotion.
		if pointers, err = reg.Pointers(ctx, s.config.Image, names...); err != nil {
			log.Printf("[WARN] parent %s: %s", s.config.Image, err)
		}
		return nil
	}))
	err := group.Wait()
	if errors.Is(err, registry.ErrNotFound) {
		return nil, missingf("%s does not exist", reg.ManifestURI(s.config.Image, s.config.Fingerprint))
	}
	if err != nil {
		return nil, err
	}
	if why := incomplete(stored.Manifest); why != "" {
		return nil, missingf("%s %s", stored.URI, why)
	}
	found := fromStored(stored)
	found.foundBy = fmt.Sprintf("registry: fingerprint %.12s", s.config.Fingerprint)
	if s.config.AMI != "" {
		run := runOf(stored.Manifest, s.config.AMI)
		if len(run) == 0 {
			return nil, missingf("%s has no build with %s", stored.URI, s.config.AMI)
		}
		found.setEntries(run)
		found.foundBy += ", " + s.config.AMI
	}
	at := leftBy(stored.Manifest.Chain, found.entries)
	for _, name := range names {
		if move, pinned := pointers[name].Of(at); pinned {
			at = move.Target
			break
		}
	}
	found.pointer = &record.Pointer{Target: at}
	if s.config.AMI == "" {
		found.pointer.Others = others(stored.Manifest, found.entries)
	}
	return []candidate{found}, nil
}

// runOf returns the builds of the run that made an AMI.
func runOf(m *manifest.Manifest, id string) []manifest.Entry {
	made := func(e manifest.Entry) bool {
		return slices.ContainsFunc(e.AMIs(), func(i manifest.Image) bool { return i.ID == id })
	}
	first := slices.IndexFunc(m.Builds, made)
	if first < 0 {
		return nil
	}
	run := m.Builds[first].PackerRunUUID
	return slices.DeleteFunc(slices.Clone(m.Builds), func(e manifest.Entry) bool {
		return e.PackerRunUUID != run
	})
}

// maxOthers is how many other builds of a fingerprint a record names.
const maxOthers = 10

// others returns the AMIs, or the artifact, of each build that is not among those that were chosen,
// newest first.
func others(m *manifest.Manifest, chosen []manifest.Entry) []string {
	type build struct{ run, source string }
	known := map[build]bool{}
	for _, entry := range chosen {
		known[build{entry.PackerRunUUID, entry.Source()}] = true
	}
	var names []string
	for _, entry := range slices.Backward(m.Builds) {
		if known[build{entry.PackerRunUUID, entry.Source()}] {
			continue
		}
		if len(names) == maxOthers {
			break
		}
		name := text.OneLine(entry.ArtifactID)
		if target := registry.TargetOf("", []manifest.Entry{entry}); len(target.AMIs()) > 0 {
			var parts []string
			for _, region := range slices.Sorted(maps.Keys(target.AMIs())) {
				parts = append(parts, region+": "+target.AMIs()[region])
			}
			name = strings.Join(parts, ", ")
		}
		names = append(names, name)
	}
	return names
}

// whereMainMoved returns the pointers that the runs of the default branch move, best first.
func (s search) whereMainMoved() []registry.Name {
	names := []registry.Name{{Kind: registry.Channel, Name: s.config.channel()}}
	for _, branch := range append([]string{ci.Detect(os.Getenv).DefaultBranch}, line.Defaults...) {
		of := manifest.Line{Kind: manifest.LineBranch, Name: branch}
		if name := lineOf(line.Place{Line: of}); branch != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// leftBy returns the target that the run has left which wrote a manifest last.
func leftBy(chain *manifest.Chain, entries []manifest.Entry) registry.Target {
	at := registry.TargetOf(chain.Fingerprint, entries)
	at.Content, at.GitSHA = chain.Git.Content, chain.Git.Name
	at.Origin, at.Line = chain.Git.Origin, chain.Git.Line
	at.Position = registry.Position{
		Commit: chain.Git.Commit, CommitTime: chain.Git.CommitTime, DecidedAt: chain.UpdatedAt,
	}
	return at
}
