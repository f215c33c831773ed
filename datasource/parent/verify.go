// SPDX-License-Identifier: MPL-2.0

package parent

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/packer-chain/packer-plugin-chain/internal/ami"
	"github.com/packer-chain/packer-plugin-chain/internal/artifact"
	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
)

// lookup is what EC2 says of AMIs.
type lookup map[ami.Address]ami.Image

// verify checks the AMIs that a manifest names: they must be available, in each region, and belong
// to owners. A manifest is never trusted blindly. early is what is known of them already.
func (r *resolver) verify(ctx context.Context, f *found, early lookup) (*found, error) {
	ids, isAMI := r.named(f.entries)
	if !isAMI {
		return f, nil
	}
	if err := r.connect(); err != nil {
		return nil, err
	}
	seen, err := r.complete(ctx, ids, early)
	if err != nil {
		return nil, err
	}
	f.region, f.amis = r.region, map[string]ami.Image{}
	for _, region := range r.regions() {
		var there []ami.Image
		for _, id := range ids[region] {
			image, ok := seen[ami.Address{Region: region, ID: id}]
			if ok && ami.Problem(image) == "" && r.fits(image) {
				there = append(there, image)
			}
		}
		image, err := r.choose(region, there)
		if err != nil {
			return nil, err
		}
		if len(there) > 1 {
			return nil, fmt.Errorf("%s has several AMIs in %s: %s\n\nSet source to the one of its sources that is meant.",
				f.uri, region, strings.Join(idsOf(there), ", "))
		}
		if image.ID == "" {
			return nil, r.gone(ctx, f, region, ids[region])
		}
		f.amis[region] = image
	}
	return f, nil
}

// named are the AMIs that entries name, by region, sorted, each once. It reports false for an image that is no AMI.
func (r *resolver) named(entries []manifest.Entry) (ids map[string][]string, isAMI bool) {
	ids = map[string][]string{}
	for _, entry := range entries {
		for _, image := range entryAMIs(entry) {
			isAMI = true
			if r.config.Source == "" || entry.Source() == r.config.Source {
				ids[image.Region] = append(ids[image.Region], image.ID)
			}
		}
	}
	for region := range ids {
		slices.Sort(ids[region])
		ids[region] = slices.Compact(ids[region])
	}
	return ids, isAMI
}

func idsOf(images []ami.Image) []string {
	ids := make([]string, len(images))
	for i, image := range images {
		ids[i] = image.ID
	}
	return ids
}

// entryAMIs are the AMIs of an entry, also of one that Packer's own post-processor wrote: that has
// them in its artifact id only.
func entryAMIs(entry manifest.Entry) []manifest.Image {
	if amis := entry.AMIs(); len(amis) > 0 {
		return amis
	}
	return artifact.FromID(entry.ArtifactID)
}

func (r *resolver) fits(image ami.Image) bool {
	return r.config.Architecture == "" || image.Architecture == r.config.Architecture
}

// complete asks for the AMIs of the wanted regions that early does not have.
func (r *resolver) complete(ctx context.Context, ids map[string][]string, early lookup) (lookup, error) {
	ask := map[string][]string{}
	for _, region := range r.regions() {
		for _, id := range ids[region] {
			if _, known := early[ami.Address{Region: region, ID: id}]; !known {
				ask[region] = append(ask[region], id)
			}
		}
	}
	late, err := r.images.Lookup(ctx, ask, r.config.Owners)
	maps.Copy(late, early)
	return late, err
}

// idsByRegion reads the AMI map of a ref, whose keys are "region" or "region/source".
func idsByRegion(amis map[string]string, regions []string) map[string][]string {
	ids := map[string][]string{}
	for key, id := range amis {
		region, _, _ := strings.Cut(key, "/")
		if slices.Contains(regions, region) && manifest.IsAMI(id) {
			ids[region] = append(ids[region], id)
		}
	}
	return ids
}

// choose takes the newest of the images, if they are of one architecture. It answers the zero image
// when there is none.
func (r *resolver) choose(region string, images []ami.Image) (ami.Image, error) {
	architectures := map[string]bool{}
	var texts []string
	for _, image := range images {
		architectures[image.Architecture] = true
		texts = append(texts, image.ID+" "+image.Architecture)
	}
	if len(architectures) > 1 {
		slices.Sort(texts)
		return ami.Image{}, fmt.Errorf("found AMIs for several architectures in %s: %s\n\nSet architecture.",
			region, strings.Join(texts, ", "))
	}
	newest, _ := ami.Newest(images)
	return newest, nil
}

// gone says why none of the AMIs that a manifest names in a region can be used.
func (r *resolver) gone(ctx context.Context, f *found, region string, ids []string) error {
	if len(ids) == 0 {
		return missingf("%s has no AMI in %s", f.uri, region)
	}
	var why []string
	for _, id := range ids {
		why = append(why, id+" "+r.images.Explain(ctx, region, id, r.config.Owners))
	}
	text := fmt.Sprintf("%s names AMIs in %s of which none can be used: %s", f.uri, region, strings.Join(why, "; "))
	if r.config.Architecture != "" {
		text += " (wanted: " + r.config.Architecture + ")"
	}
	return missingf("%s", text)
}
