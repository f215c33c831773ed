// SPDX-License-Identifier: MPL-2.0

package parent

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/packer-chain/packer-plugin-chain/internal/ami"
	"github.com/packer-chain/packer-plugin-chain/internal/awsaccess"
	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
	"github.com/packer-chain/packer-plugin-chain/internal/registry"
)

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
	tagged, err := r.listByTag(ctx, key, value)
	if err != nil {
		return nil, err
	}
	amis := map[string]ami.Image{}
	var build string
	for _, region := range r.regions() {
		// The copies in the other regions must be of this very build, where the tags say which one it is.
		ofBuild := slices.DeleteFunc(tagged[region], func(image ami.Image) bool {
			return build != "" && image.Tags[ami.TagFingerprint] != build
		})
		ours, err := r.published(ctx, ofBuild)
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
		build = image.Tags[ami.TagFingerprint]
	}
	f := fromImage(wayTag, amis[r.region], r.config.GitSHATag)
	f.region, f.amis = r.region, amis
	return f, nil
}

// listByTag answers the available AMIs with that tag, by region. The regions are asked side by side.
func (r *resolver) listByTag(ctx context.Context, key, value string) (map[string][]ami.Image, error) {
	query := ami.Query{
		Owners: r.config.Owners, Tags: map[string]string{key: value}, Architecture: r.config.Architecture}
	var mu sync.Mutex
	listed := map[string][]ami.Image{}
	err := ami.EachRegion(ctx, r.regions(), ami.MaxRegions, func(ctx context.Context, region string) error {
		images, err := r.images.ByTags(ctx, region, query)
		mu.Lock()
		defer mu.Unlock()
		listed[region] = images
		return err
	})
	return listed, err
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
	reg, err := r.openRegistry(ctx)
	if err != nil {
		return false, err
	}
	if uri != reg.ManifestURI(r.config.Image, fingerprint) {
		return false, nil
	}
	return r.isComplete(ctx, reg, fingerprint)
}

// isComplete tells whether a build is in the registry with all its sources. One build has AMIs in several
// regions and architectures, and is asked for once.
func (r *resolver) isComplete(ctx context.Context, reg *registry.Registry, fingerprint string) (bool, error) {
	if complete, known := r.completeBuilds[fingerprint]; known {
		return complete, nil
	}
	stored, err := reg.Manifest(ctx, r.config.Image, fingerprint)
	if err != nil && !errors.Is(err, registry.ErrNotFound) {
		return false, err
	}
	complete := err == nil && len(stored.Manifest.MissingSources()) == 0
	if r.completeBuilds == nil {
		r.completeBuilds = map[string]bool{}
	}
	r.completeBuilds[fingerprint] = complete
	return complete, nil
}
