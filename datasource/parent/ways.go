// SPDX-License-Identifier: MPL-2.0

package parent

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log"
	"path/filepath"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/packer-chain/packer-plugin-chain/internal/crash"
	"github.com/packer-chain/packer-plugin-chain/internal/localmanifest"
	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
	"github.com/packer-chain/packer-plugin-chain/internal/registry"
	"github.com/packer-chain/packer-plugin-chain/internal/text"
)

// byManifest looks at a local manifest file.
func (r *resolver) byManifest(ctx context.Context) (*found, error) {
	path, err := filepath.Abs(r.config.LocalManifest)
	if err != nil {
		return nil, fmt.Errorf("manifest %q: %w", r.config.LocalManifest, err)
	}
	m, body, err := localmanifest.Read(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, missingf("%s is not there", path)
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	if why := r.otherThan(m.Chain); why != "" {
		return nil, missingf("%s %s", path, why)
	}
	if why := lacking(m); why != "" {
		return nil, missingf("%s %s", path, why)
	}
	return r.verify(ctx, fromManifest(wayLocal, m, path, text.SHA256(body)), nil)
}

// otherThan says why a local manifest is not the one asked for. The file of Packer's own
// post-processor does not say what it is of, and is taken at its word.
func (r *resolver) otherThan(chain *manifest.Chain) string {
	switch {
	case chain == nil:
		return ""
	case chain.Image != r.config.Image:
		return "is of image " + chain.Image
	case r.config.Fingerprint != "" && r.config.Fingerprint != chain.Fingerprint:
		return "is of fingerprint " + chain.Fingerprint
	case r.gitName != "" && chain.Git.Name == "":
		return "was built from uncommitted files, not from " + r.gitName
	case r.gitName != "" && r.gitName != chain.Git.Name:
		return fmt.Sprintf("was built from %s, not from %s", text.OneLine(chain.Git.Name), r.gitName)
	}
	return ""
}

// byRegistry reads the ref, and then the manifest and the AMIs side by side.
func (r *resolver) byRegistry(ctx context.Context) (*found, error) {
	reg, err := r.conn.Registry()
	if err != nil {
		return nil, err
	}
	if r.config.Fingerprint != "" {
		stored, err := reg.Manifest(ctx, r.config.Image, r.config.Fingerprint)
		if errors.Is(err, registry.ErrNotFound) {
			return nil, missingf("%s is not there", reg.ManifestURI(r.config.Image, r.config.Fingerprint))
		}
		if err != nil {
			return nil, err
		}
		return r.verifyStored(ctx, stored, nil)
	}
	refs, err := r.refs(ctx, reg)
	if err != nil {
		return nil, err
	}
	for i, ref := range refs {
		if ref != nil {
			return r.follow(ctx, reg, ref, i)
		}
	}
	var absent []string
	for _, name := range r.refNames() {
		absent = append(absent, reg.RefURI(r.config.Image, name))
	}
	return nil, missingf("%s is not there", strings.Join(absent, ", nor "))
}

// refs reads the refs that may point at the parent, side by side. One that is not there is nil.
func (r *resolver) refs(ctx context.Context, reg *registry.Registry) ([]*registry.Ref, error) {
	names := r.refNames()
	refs := make([]*registry.Ref, len(names))
	group, groupCtx := errgroup.WithContext(ctx)
	for i, name := range names {
		group.Go(crash.Guard("read ref "+name, func() (err error) {
			refs[i], err = reg.Ref(groupCtx, r.config.Image, name)
			if errors.Is(err, registry.ErrNotFound) {
				return nil
			}
			return err
		}))
	}
	return refs, group.Wait()
}

// refNames are the refs that may point at the parent, best first. A path asks for what the run of this
// very commit left; failing that, for what was built last from the same files, which may have been on
// another parent, with other inputs or extra files.
func (r *resolver) refNames() []string {
	switch {
	case r.commit != "":
		return []string{registry.CommitRef(r.commit), registry.GitRef(r.gitName)}
	case r.gitName != "":
		return []string{registry.GitRef(r.gitName)}
	case r.config.Channel != "":
		return []string{r.config.Channel}
	}
	return []string{defaultChannel}
}

// follow reads what a ref points at; choice is its place in refNames.
func (r *resolver) follow(ctx context.Context, reg *registry.Registry, ref *registry.Ref, choice int) (*found, error) {
	var stored registry.Stored
	var early lookup
	group, groupCtx := errgroup.WithContext(ctx)
	group.Go(crash.Guard("read the parent", func() (err error) {
		stored, err = reg.Follow(groupCtx, ref)
		return err
	}))
	if len(ref.AMIs) > 0 {
		group.Go(crash.Guard("look up the parent", func() (err error) {
			if err := r.connect(); err != nil {
				return err
			}
			early, err = r.images.Lookup(groupCtx, idsByRegion(ref.AMIs, r.regions()), r.config.Owners)
			return err
		}))
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	parent, err := r.verifyStored(ctx, stored, early)
	if err == nil {
		parent.foundBy = "registry: refs/" + ref.Name
	}
	if err == nil && choice > 0 {
		parent.foundBy += fmt.Sprintf(", as no run of commit %.12s has left one", r.commit)
		log.Printf("[WARN] parent %s: %s", r.config.Image, parent.foundBy)
	}
	return parent, err
}

func (r *resolver) verifyStored(ctx context.Context, stored registry.Stored, early lookup) (*found, error) {
	if why := lacking(stored.Manifest); why != "" {
		return nil, missingf("%s %s", stored.URI, why)
	}
	return r.verify(ctx, fromStored(stored), early)
}

// lacking says why a manifest describes no whole image. It is empty for one that does, whether anything may stand on that
// image or not.
func lacking(m *manifest.Manifest) string {
	switch missing := m.MissingSources(); {
	case len(missing) > 0:
		return "is not complete: " + strings.Join(missing, ", ") + " is not built"
	case m.Chain == nil && len(m.LastRun()) == 0:
		return "names no build of its last run"
	case m.Chain == nil:
		return ""
	case m.Chain.Revoked == manifest.Withdrawn:
		return "is " + manifest.Withdrawn
	case len(m.Current()) == 0:
		return "names no build that is not revoked, of the sources that it wants"
	}
	return ""
}
