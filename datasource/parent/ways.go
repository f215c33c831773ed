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

	"github.com/packer-chain/packer-plugin-chain/internal/ami"
	"github.com/packer-chain/packer-plugin-chain/internal/awsaccess"
	"github.com/packer-chain/packer-plugin-chain/internal/connect"
	"github.com/packer-chain/packer-plugin-chain/internal/crash"
	"github.com/packer-chain/packer-plugin-chain/internal/localcopy"
	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
	"github.com/packer-chain/packer-plugin-chain/internal/registry"
)

// byManifest looks at a local manifest file.
func (r *resolver) byManifest(ctx context.Context) (*found, error) {
	path, err := filepath.Abs(r.config.Manifest)
	if err != nil {
		return nil, fmt.Errorf("manifest %q: %w", r.config.Manifest, err)
	}
	m, body, err := localcopy.Read(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, missingf("%s is not there", path)
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	if why := r.otherThan(m.Chain); why != "" {
		return nil, missingf("%s %s", path, why)
	}
	parent := fromManifest(wayManifest, m, path, manifest.Digest(body))
	if len(parent.entries) == 0 {
		return nil, missingf("%s names no build of its last run, or of the sources that it wants", path)
	}
	if missing := m.MissingSources(); len(missing) > 0 {
		return nil, missingf("%s is not complete: %s is not built", path, strings.Join(missing, ", "))
	}
	return r.verify(ctx, parent, nil)
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
		return fmt.Sprintf("was built from %s, not from %s", manifest.OneLine(chain.Git.Name), r.gitName)
	}
	return ""
}

// byRegistry reads the ref, and then the manifest and the AMIs side by side.
func (r *resolver) byRegistry(ctx context.Context) (*found, error) {
	reg, err := connect.Registry(ctx, r.config.Registry, &r.config.Config)
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
			if err := r.connect(ctx); err != nil {
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
	parent := fromStored(stored)
	if missing := stored.Manifest.MissingSources(); len(missing) > 0 || len(parent.entries) == 0 {
		return nil, missingf("%s is not complete: %s is not built", stored.URI, strings.Join(missing, ", "))
	}
	return r.verify(ctx, parent, early)
}

// byTag looks for the newest AMI that carries the tag. A template that did not change is built again
// on a new parent, so several images may carry it; the order is total, so all find the same one.
func (r *resolver) byTag(ctx context.Context) (*found, error) {
	if r.gitName == "" && r.config.Fingerprint == "" {
		return nil, missingf("channels have no tag")
	}
	err := r.connect(ctx)
	if errors.Is(err, awsaccess.ErrNoRegion) && len(r.config.ResolveBy) == 0 {
		return nil, missingf("no region is configured to look for an AMI in")
	}
	if err != nil {
		return nil, err
	}
	key, value := r.config.GitSHATag, r.gitName
	if r.config.Fingerprint != "" {
		key, value = ami.TagFingerprint, r.config.Fingerprint
	}
	query := ami.Query{
		Owners: r.config.Owners, Tags: map[string]string{key: value}, Architecture: r.config.Architecture}
	amis := map[string]ami.Image{}
	for _, region := range r.regions() {
		images, err := r.images.ByTags(ctx, region, query)
		if err != nil {
			return nil, err
		}
		ours, err := r.published(ctx, images)
		if err != nil {
			return nil, err
		}
		image, err := r.choose(region, ours)
		if err != nil {
			return nil, err
		}
		if image.ID == "" {
			return nil, missingf("no available AMI in %s with tag %s = %s that belongs to %s",
				region, key, value, joinOwners(r.config.Owners))
		}
		amis[region] = image
		// The copies in the other regions must be of this very build, where the tags say which one it is.
		if fingerprint, tagged := image.Tags[ami.TagFingerprint]; tagged {
			query.Tags[ami.TagFingerprint] = fingerprint
		}
	}
	f := fromImage(wayTag, amis[r.region], r.config.GitSHATag)
	f.region, f.amis = r.region, amis
	return f, nil
}

// published drops AMIs that this plugin tagged and that are not the image, or that were never published:
// a builder tags its AMI before anybody knows whether it will be. AMIs that other tools made have no
// such tags, and are taken at their word. Images come newest first; of each architecture the newest that
// stays is enough, so the registry is not asked for every older build.
func (r *resolver) published(ctx context.Context, images []ami.Image) ([]ami.Image, error) {
	var kept []ami.Image
	found := map[string]bool{}
	for _, image := range images {
		if found[image.Architecture] {
			continue
		}
		if _, tagged := image.Tags[ami.TagImage]; tagged {
			good, err := r.isPublished(ctx, image)
			if err != nil {
				return nil, err
			}
			if !good {
				continue
			}
		}
		found[image.Architecture] = true
		kept = append(kept, image)
	}
	return kept, nil
}

// isPublished asks the registry, where there is one: the manifest must be there, in this registry, and
// complete.
func (r *resolver) isPublished(ctx context.Context, image ami.Image) (bool, error) {
	uri, fingerprint := image.Tags[ami.TagManifest], image.Tags[ami.TagFingerprint]
	wellFormed := uri != "" && manifest.CheckFingerprint(fingerprint) == nil
	if image.Tags[ami.TagImage] != r.config.Image || !wellFormed {
		return false, nil
	}
	if r.config.Registry == "" {
		return true, nil
	}
	reg, err := connect.Registry(ctx, r.config.Registry, &r.config.Config)
	if err != nil {
		return false, err
	}
	if uri != reg.ManifestURI(r.config.Image, fingerprint) {
		return false, nil
	}
	stored, err := reg.Manifest(ctx, r.config.Image, fingerprint)
	if errors.Is(err, registry.ErrNotFound) {
		return false, nil
	}
	return err == nil && len(stored.Manifest.MissingSources()) == 0, err
}
