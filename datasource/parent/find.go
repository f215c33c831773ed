// SPDX-License-Identifier: MPL-2.0

package parent

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log"
	"path/filepath"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/packer-chain/packer-plugin-chain/internal/ami"
	"github.com/packer-chain/packer-plugin-chain/internal/crash"
	"github.com/packer-chain/packer-plugin-chain/internal/localmanifest"
	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
	"github.com/packer-chain/packer-plugin-chain/internal/registry"
	"github.com/packer-chain/packer-plugin-chain/internal/text"
)

// findLocal reads a local manifest.
func findLocal(_ context.Context, s search) (candidate, error) {
	path, err := filepath.Abs(s.config.LocalManifest)
	if err != nil {
		return candidate{}, fmt.Errorf("local_manifest %q: %w", s.config.LocalManifest, err)
	}
	m, body, err := localmanifest.Read(path)
	if errors.Is(err, fs.ErrNotExist) {
		return candidate{}, missingf("%s does not exist", path)
	}
	if err != nil {
		return candidate{}, fmt.Errorf("read %s: %w", path, err)
	}
	if why := cmp.Or(s.mismatch(m.Chain), incomplete(m)); why != "" {
		return candidate{}, missingf("%s %s", path, why)
	}
	return fromManifest(wayLocal, m, path, text.SHA256(body)), nil
}

// mismatch returns why a local manifest is not the one that is wanted, or "" if it is. The file
// of Packer's own post-processor does not name its image, and is taken at its word.
func (s search) mismatch(chain *manifest.Chain) string {
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
	case m.Chain != nil && len(m.Current()) == 0:
		return "names only builds that are revoked"
	}
	return ""
}

// findInRegistry reads the manifest of a fingerprint, or follows a ref.
func findInRegistry(ctx context.Context, s search) (candidate, error) {
	reg, err := s.conn.Registry()
	if err != nil {
		return candidate{}, err
	}
	if s.config.Fingerprint == "" {
		return s.findByRef(ctx, reg)
	}
	stored, err := reg.Manifest(ctx, s.config.Image, s.config.Fingerprint)
	if errors.Is(err, registry.ErrNotFound) {
		uri := reg.ManifestURI(s.config.Image, s.config.Fingerprint)
		return candidate{}, missingf("%s does not exist", uri)
	}
	if err != nil {
		return candidate{}, err
	}
	return complete(stored)
}

// complete returns the candidate of a manifest that describes a complete image.
func complete(stored registry.Stored) (candidate, error) {
	if why := incomplete(stored.Manifest); why != "" {
		return candidate{}, missingf("%s %s", stored.URI, why)
	}
	return fromStored(stored), nil
}

// findByRef follows the first ref that exists.
func (s search) findByRef(ctx context.Context, reg *registry.Registry) (candidate, error) {
	names := s.refNames()
	refs, err := s.readRefs(ctx, reg, names)
	if err != nil {
		return candidate{}, err
	}
	var absent []string
	for i, ref := range refs {
		if ref == nil {
			absent = append(absent, reg.RefURI(s.config.Image, names[i]))
			continue
		}
		found, err := s.follow(ctx, reg, ref)
		found.foundBy = "registry: refs/" + ref.Name
		if i > 0 {
			found.foundBy += fmt.Sprintf(", as no run of commit %.12s has left one", s.commit)
			log.Printf("[WARN] parent %s: %s", s.config.Image, found.foundBy)
		}
		return found, err
	}
	if len(absent) == 1 {
		return candidate{}, missingf("%s does not exist", absent[0])
	}
	return candidate{}, missingf("neither %s exists", strings.Join(absent, " nor "))
}

// refNames returns the refs that may point at the parent, best first. A path asks for what the run
// of this very commit left; failing that, for what was built last from the same files, which may
// have another parent, other inputs or other extra files.
func (s search) refNames() []string {
	switch {
	case s.commit != "":
		return []string{registry.CommitRef(s.commit), registry.GitRef(s.gitName)}
	case s.gitName != "":
		return []string{registry.GitRef(s.gitName)}
	case s.config.Channel != "":
		return []string{s.config.Channel}
	}
	return []string{defaultChannel}
}

// readRefs reads refs concurrently. A ref that does not exist is nil.
func (s search) readRefs(
	ctx context.Context, reg *registry.Registry, names []string,
) ([]*registry.Ref, error) {
	refs := make([]*registry.Ref, len(names))
	group, ctx := errgroup.WithContext(ctx)
	for i, name := range names {
		group.Go(crash.Guard("read ref "+name, func() (err error) {
			refs[i], err = reg.Ref(ctx, s.config.Image, name)
			if errors.Is(err, registry.ErrNotFound) {
				return nil
			}
			return err
		}))
	}
	return refs, group.Wait()
}

// follow reads the manifest that a ref points at. Meanwhile it asks EC2 for the AMIs that the ref
// names.
func (s search) follow(
	ctx context.Context, reg *registry.Registry, ref *registry.Ref,
) (candidate, error) {
	var stored registry.Stored
	var seen map[ami.Address]ami.Image
	group, ctx := errgroup.WithContext(ctx)
	group.Go(crash.Guard("read the parent", func() (err error) {
		stored, err = reg.Follow(ctx, ref)
		return err
	}))
	if len(ref.AMIs) > 0 {
		group.Go(crash.Guard("look up the parent", func() error {
			ec2, err := s.conn.EC2()
			if err != nil {
				return err
			}
			seen, err = ec2.Lookup(ctx, idsByRegion(ref.AMIs, s.regions(ec2.Region)), s.config.Owners)
			return err
		}))
	}
	if err := group.Wait(); err != nil {
		return candidate{}, err
	}
	found, err := complete(stored)
	found.seen = seen
	return found, err
}
