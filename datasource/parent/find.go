// SPDX-License-Identifier: MPL-2.0

package parent

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/packer-chain/packer-plugin-chain/internal/ami"
	"github.com/packer-chain/packer-plugin-chain/internal/crash"
	"github.com/packer-chain/packer-plugin-chain/internal/gitrepo"
	"github.com/packer-chain/packer-plugin-chain/internal/localmanifest"
	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
	"github.com/packer-chain/packer-plugin-chain/internal/record"
	"github.com/packer-chain/packer-plugin-chain/internal/registry"
	"github.com/packer-chain/packer-plugin-chain/internal/text"
)

// findLocal reads the local manifest that the template names.
func findLocal(ctx context.Context, s search) ([]candidate, error) {
	path, err := filepath.Abs(s.config.LocalManifest)
	if err != nil {
		return nil, fmt.Errorf("local_manifest %q: %w", s.config.LocalManifest, err)
	}
	return s.readLocal(ctx, path)
}

func (s search) readLocal(ctx context.Context, path string) ([]candidate, error) {
	m, body, err := localmanifest.Read(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, missingf("%s does not exist", path)
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	if why := cmp.Or(s.mismatch(ctx, m.Chain), incomplete(m)); why != "" {
		return nil, missingf("%s %s", path, why)
	}
	found := fromManifest(wayLocal, m, path, text.SHA256(body))
	if s.folder != nil && m.Chain != nil {
		found.root, found.content = s.folder.root, m.Chain.Git.Content
	}
	return []candidate{found}, nil
}

// mismatch returns why a local manifest is not the one that is wanted, or "" if it is. The file
// of Packer's own post-processor does not name its image, and is taken at its word.
func (s search) mismatch(ctx context.Context, chain *manifest.Chain) string {
	switch {
	case chain == nil:
		return ""
	case chain.Image != s.config.Image:
		return "is of image " + chain.Image
	case s.config.Fingerprint != "" && s.config.Fingerprint != chain.Fingerprint:
		return "is of fingerprint " + chain.Fingerprint
	case s.gitName != "" && chain.Git.Name == "":
		return "was built from uncommitted files, not from " + s.gitName
	case s.gitName != "" && s.gitName != chain.Git.Name:
		return fmt.Sprintf("was built from %s, not from %s", text.OneLine(chain.Git.Name), s.gitName)
	case s.folder != nil:
		return s.folder.mismatch(ctx, chain.Git.Content)
	}
	return ""
}

// mismatch returns which of the paths that an image was built from is another one in this checkout,
// as it is on disk, or "".
func (f *folder) mismatch(ctx context.Context, content map[string]string) string {
	for _, path := range slices.Sorted(maps.Keys(content)) {
		if path == f.path {
			continue // Its name was compared already.
		}
		checkout, err := gitrepo.Inspect(ctx, f.isLeft, filepath.Join(f.root, filepath.FromSlash(path)))
		if err != nil || checkout.Objects[0].ID() != content[path] {
			return fmt.Sprintf("was built from another version of %s", text.File(path))
		}
	}
	return ""
}

// incomplete returns why m does not describe a complete image, or "" if it does. It does not check
// whether the image may be used as a parent.
func incomplete(m *manifest.Manifest) string {
	switch missing := m.MissingSources(); {
	case len(missing) > 0:
		return fmt.Sprintf("is incomplete: %s not built", strings.Join(missing, ", "))
	case m.Chain == nil && len(m.LastRun()) == 0:
		return "names no build of its last run"
	}
	return ""
}

// findInRegistry reads the manifest of a fingerprint, or follows pointers.
func findInRegistry(ctx context.Context, s search) ([]candidate, error) {
	reg, err := s.conn.Registry()
	if err != nil {
		return nil, err
	}
	switch {
	case s.config.Fingerprint != "":
		return s.findFingerprint(ctx, reg)
	case s.folder != nil && len(s.folder.dirty) > 0:
		return s.findDirty(ctx)
	case s.gitName != "":
		return s.findContent(ctx, reg)
	}
	return s.findChannel(ctx, reg)
}

// findDirty reads the local manifest of the parent's own template: what is not committed, no run of
// CI has built.
func (s search) findDirty(ctx context.Context) ([]candidate, error) {
	found, err := s.readLocal(ctx, s.localPath())
	var none *missing
	if errors.As(err, &none) {
		return nil, missingf("%s, and not committed are: %s",
			none.why, text.Names(s.folder.dirty, maxNamed))
	}
	return found, err
}

// findContent looks for what a run of this commit left, and else for the newest image of this very
// content: on the own line, and then in the channel. Both are read concurrently.
func (s search) findContent(ctx context.Context, reg *registry.Registry) ([]candidate, error) {
	channel := registry.Name{Kind: registry.Channel, Name: s.config.channel()}
	names := []registry.Name{s.line, channel}
	pointers, err := reg.Pointers(ctx, s.config.Image, names...)
	if err != nil {
		return nil, err
	}
	have, err := s.contents(ctx, pointers)
	if err != nil {
		return nil, err
	}
	var found []candidate
	var why []string
	seen := []registry.Target{}
	for _, name := range names {
		uri := reg.PointerURI(s.config.Image, name)
		pointer := pointers[name]
		if pointer == nil {
			why = append(why, uri+" does not exist")
			continue
		}
		moves := s.moves(ctx, pointer, have)
		if len(moves) == 0 {
			why = append(why, uri+" knows no image of what is checked out here")
		}
		for _, move := range moves {
			if !slices.ContainsFunc(seen, move.Same) {
				seen = append(seen, move.Target)
				found = append(found, s.atMove(reg, pointer, move))
			}
		}
	}
	if len(found) == 0 {
		return nil, missingf("%s", strings.Join(why, "; "))
	}
	return found, nil
}

// moves returns the moves of a pointer that may be the parent, best first. On the own line, what
// this very commit left comes first.
func (s search) moves(
	ctx context.Context, p *registry.Pointer, have map[string]string,
) []registry.Move {
	if s.folder == nil {
		if move, ok := p.OfGitSHA(s.gitName); ok {
			return []registry.Move{move}
		}
		return nil
	}
	var moves []registry.Move
	byContent, ok := p.OfContent(s.folder.path, have, func(older, newer string) bool {
		return gitrepo.Ancestor(ctx, s.folder.root, older, newer)
	})
	if p.Kind == registry.Line {
		move, known := p.OfCommit(s.folder.commit)
		if known && move.IsContent(s.folder.path, have) {
			moves = append(moves, move)
		}
	}
	if ok {
		moves = append(moves, byContent)
	}
	return moves
}

// contents returns the object ids that this checkout has at the paths that pointers name.
func (s search) contents(
	ctx context.Context, pointers map[registry.Name]*registry.Pointer,
) (map[string]string, error) {
	if s.folder == nil {
		return nil, nil
	}
	paths := map[string]bool{s.folder.path: true}
	for _, pointer := range pointers {
		if pointer == nil {
			continue
		}
		for _, move := range pointer.Moves {
			for path := range move.Content {
				if len(paths) < maxPaths {
					paths[path] = true
				}
			}
		}
	}
	have, err := gitrepo.Contents(
		ctx, s.folder.root, s.folder.isLeft, slices.Sorted(maps.Keys(paths)))
	if err != nil {
		return nil, fmt.Errorf("path: %w", err)
	}
	return have, nil
}

// maxPaths limits what git is asked: the paths come from documents that others can write.
const maxPaths = 300

// atMove returns the candidate that a move of a pointer leads to. Its manifest is read later.
func (s search) atMove(
	reg *registry.Registry, pointer *registry.Pointer, move registry.Move,
) candidate {
	return candidate{read: func(ctx context.Context) (candidate, error) {
		return s.follow(ctx, reg, pointer, move)
	}}
}

// follow reads the manifest that a move leads to. Meanwhile it asks EC2 for the AMIs that the move
// pins.
func (s search) follow(
	ctx context.Context, reg *registry.Registry, pointer *registry.Pointer, move registry.Move,
) (candidate, error) {
	var stored registry.Stored
	var seen map[ami.Address]ami.Image
	var more ancestry
	ancestors := s.ancestorsAt(pointer, move)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(crash.Guard("read the parent", func() (err error) {
		stored, err = reg.Follow(ctx, pointer, move)
		return err
	}))
	group.Go(crash.Guard("read the ancestors", func() (err error) {
		more, err = s.readAncestors(ctx, ancestors)
		return err
	}))
	group.Go(crash.Guard("look up the parent", func() (err error) {
		seen, err = s.lookAhead(ctx, move, s.suspects(ancestors))
		return err
	}))
	if err := group.Wait(); err != nil {
		return candidate{}, err
	}
	found := fromStored(stored)
	pinned, _ := move.Entries(stored.Manifest)
	found.setEntries(pinned)
	found.asked = ancestors
	found.learn(s.suspects(ancestors), seen, more)
	found.foundBy, found.seen = "registry: "+pointer.ID().String(), seen
	found.facts.Git.Commit = cmp.Or(move.Commit, found.facts.Git.Commit)
	if s.folder != nil {
		found.root, found.content = s.folder.root, move.Content
	}
	found.pointer = &record.Pointer{Target: move.Target}
	if pointer.Kind == registry.Channel {
		found.pointer.Channel, found.pointer.Seq = pointer.Name, pointer.Seq
		found.pointer.Back = s.config.Previous > 0
	}
	return found, nil
}

// lookAhead asks EC2 for the AMIs that a move pins, and for those of the ancestors.
func (s search) lookAhead(
	ctx context.Context, move registry.Move, ancestors []manifest.Ancestor,
) (map[ami.Address]ami.Image, error) {
	pinned := s.config.Kind == kindAMI && len(move.AMIs()) > 0
	if !pinned && !hasAMIs(ancestors) {
		return nil, nil
	}
	ec2, err := s.conn.EC2()
	if err != nil {
		return nil, err
	}
	regions := s.regions(ec2.Region)
	ask := below(ancestors, regions)
	if pinned {
		ask = merge(ask, pinnedIn(move, regions))
	}
	return ec2.Lookup(ctx, ask, s.config.Owners)
}

// pinnedIn returns the AMIs that a move pins in some regions.
func pinnedIn(move registry.Move, regions []string) map[string][]string {
	ids := map[string][]string{}
	for _, build := range move.Builds {
		for region, id := range build.AMIs {
			if slices.Contains(regions, region) {
				ids[region] = append(ids[region], id)
			}
		}
	}
	return ids
}
