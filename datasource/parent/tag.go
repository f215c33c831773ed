// SPDX-License-Identifier: MPL-2.0

package parent

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"

	"github.com/packer-chain/packer-plugin-chain/internal/access"
	"github.com/packer-chain/packer-plugin-chain/internal/ami"
	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
	"github.com/packer-chain/packer-plugin-chain/internal/registry"
	"github.com/packer-chain/packer-plugin-chain/internal/tags"
)

// maxNamed is how many AMIs an error names that were passed over.
const maxNamed = 3

// byTag looks for the newest AMI that carries the tag. A template that did not change is built again
// on a new parent, so several images may carry it; the order is total, so all find the same one.
func (r *resolver) byTag(ctx context.Context) (*found, error) {
	if r.gitName == "" && r.config.Fingerprint == "" {
		return nil, missingf("channels have no tag")
	}
	err := r.connect()
	if errors.Is(err, access.ErrNoRegion) && len(r.config.ResolveBy) == 0 {
		return nil, missingf("no region is configured to look for an AMI in")
	}
	if err != nil {
		return nil, err
	}
	tagged, err := r.listByTag(ctx)
	if err != nil {
		return nil, err
	}
	amis := map[string]ami.Image{}
	var fingerprint string
	for _, region := range r.regions() {
		image, err := r.pick(ctx, region, tagged[region], fingerprint)
		if err != nil {
			return nil, err
		}
		amis[region] = image
		fingerprint = image.Tags[tags.Fingerprint]
	}
	f := fromImage(wayTag, amis[r.region], r.config.GitSHATag)
	f.region, f.amis, f.revoked = r.region, amis, r.builds[f.fingerprint].revoked
	return f, nil
}

// tag is the one that is looked for.
func (r *resolver) tag() (key, value string) {
	if r.config.Fingerprint != "" {
		return tags.Fingerprint, r.config.Fingerprint
	}
	return r.config.GitSHATag, r.gitName
}

// listByTag answers the available AMIs with the tag, by region. The regions are asked side by side.
func (r *resolver) listByTag(ctx context.Context) (map[string][]ami.Image, error) {
	key, value := r.tag()
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

// pick chooses among the AMIs of a region. Where a fingerprint is known, from the tags in the region before, the image
// must be a copy of that very build.
func (r *resolver) pick(ctx context.Context, region string, tagged []ami.Image, fingerprint string) (ami.Image, error) {
	copies := slices.DeleteFunc(tagged, func(image ami.Image) bool {
		return fingerprint != "" && image.Tags[tags.Fingerprint] != fingerprint
	})
	ours, err := r.published(ctx, copies)
	if err != nil {
		return ami.Image{}, err
	}
	image, err := r.choose(region, ours)
	if err == nil && image.ID == "" {
		key, value := r.tag()
		err = missingf("no available AMI in %s with tag %s = %s that belongs to %s%s",
			region, key, value, joinOwners(r.config.Owners), passedOver(copies))
	}
	return image, err
}

// passedOver names the AMIs that are there and not taken, for those who see them in the console.
func passedOver(images []ami.Image) string {
	if len(images) == 0 {
		return ""
	}
	return "; passed over, as not published, not current or of another source: " +
		strings.Join(idsOf(images[:min(len(images), maxNamed)]), ", ")
}

// published drops AMIs that this plugin tagged and that are not the image, or that were never published:
// a builder tags its AMI before anybody knows whether it will be. AMIs that other tools made have no
// such tags, and are taken at their word, unless a source is asked for. Images come newest first; of each
// architecture the newest that stays is enough, so the registry is not asked for every older build.
func (r *resolver) published(ctx context.Context, images []ami.Image) ([]ami.Image, error) {
	var kept []ami.Image
	found := map[string]bool{}
	for _, image := range images {
		if found[image.Architecture] {
			continue
		}
		if _, tagged := image.Tags[tags.Image]; tagged {
			good, err := r.isPublished(ctx, image)
			if err != nil {
				return nil, err
			}
			if !good {
				continue
			}
		} else if r.config.Source != "" {
			continue
		}
		found[image.Architecture] = true
		kept = append(kept, image)
	}
	return kept, nil
}

// isPublished asks the registry, where there is one: the manifest must be there, in this registry, be
// complete, and name the AMI. Only a manifest knows the source of an AMI.
func (r *resolver) isPublished(ctx context.Context, image ami.Image) (bool, error) {
	uri, fingerprint := image.Tags[tags.Manifest], image.Tags[tags.Fingerprint]
	wellFormed := uri != "" && manifest.CheckFingerprint(fingerprint) == nil
	if image.Tags[tags.Image] != r.config.Image || !wellFormed {
		return false, nil
	}
	if r.config.Registry == "" {
		return r.config.Source == "", nil
	}
	reg, err := r.conn.Registry()
	if err != nil {
		return false, err
	}
	if uri != reg.ManifestURI(r.config.Image, fingerprint) {
		return false, nil
	}
	b, err := r.readBuild(ctx, reg, fingerprint)
	return slices.Contains(b.ids[image.Region], image.ID), err
}

// build is what the registry says of a fingerprint. It is empty for one that is not there, or not complete.
type build struct {
	// ids are the AMIs that make up the image now, by region; revoked says why nothing may stand on it.
	ids     map[string][]string
	revoked string
}

// readBuild asks the registry for a build. One has AMIs in several regions and architectures, and is asked for once.
func (r *resolver) readBuild(ctx context.Context, reg *registry.Registry, fingerprint string) (build, error) {
	if known, asked := r.builds[fingerprint]; asked {
		return known, nil
	}
	stored, err := reg.Manifest(ctx, r.config.Image, fingerprint)
	if err != nil && !errors.Is(err, registry.ErrNotFound) {
		return build{}, err
	}
	var b build
	if err == nil && lacking(stored.Manifest) == "" {
		parent := fromStored(stored)
		b.ids, _ = r.named(parent.entries)
		b.revoked = parent.revoked
	}
	if r.builds == nil {
		r.builds = map[string]build{}
	}
	r.builds[fingerprint] = b
	return b, nil
}
