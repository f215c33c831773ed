// SPDX-License-Identifier: MPL-2.0

package image

import (
	"context"
	"errors"
	"io/fs"
	"log"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/packer-chain/packer-plugin-chain/internal/access"
	"github.com/packer-chain/packer-plugin-chain/internal/ami"
	"github.com/packer-chain/packer-plugin-chain/internal/artifact"
	"github.com/packer-chain/packer-plugin-chain/internal/crash"
	"github.com/packer-chain/packer-plugin-chain/internal/localmanifest"
	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
	"github.com/packer-chain/packer-plugin-chain/internal/registry"
	"github.com/packer-chain/packer-plugin-chain/internal/tags"
)

// latest is the channel that a run looks at to find out what exists. Other channels are known to
// the post-processor only.
var latest = registry.Name{Kind: registry.Channel, Name: "latest"}

// abandonedTime limits the search for AMIs that were never published: it only helps to explain.
const abandonedTime = 5 * time.Second

// existing is what exists of an image. The zero value means that nothing does.
type existing struct {
	// published is the manifest of the fingerprint in the registry, nil if there is none.
	published *manifest.Manifest
	// unpublished are entries of the local manifest that the registry lacks.
	unpublished []manifest.Entry
	// preferred are what pointers pin of this fingerprint, best first.
	preferred []registry.Target
	// regions are those in which the AMIs must exist. images are the AMIs that exist and are ours,
	// in any state.
	regions []string
	images  map[ami.Address]ami.Image
	// ancestors are the images below this one that must not be revoked.
	ancestors []manifest.Ancestor
	// otherFiles are files that exist here and are not those that were built, and why.
	otherFiles map[fileName]string
	// amiSources are the sources that are known to make AMIs, and now is the time: [decide] sets
	// both.
	amiSources map[string]bool
	now        time.Time
	// newest is the newest build of the image, if the fingerprint has none; nil if the image has
	// none.
	newest *manifest.Chain
	// abandoned are AMIs with this fingerprint that nobody has published.
	abandoned []string
	// readAt is when the registry was read, by its own clock.
	readAt time.Time
}

// lookUp returns what exists of the image.
func lookUp(
	ctx context.Context, conn *access.Connection, c Config, id identity,
) (existing, error) {
	reg, err := conn.Registry()
	if err != nil {
		return existing{}, err
	}
	published, pointers, err := readRegistry(ctx, reg, id)
	if err != nil {
		return existing{}, err
	}
	local := readLocal(c.LocalManifest)
	e := existing{
		published: published, unpublished: unpublished(published, local, id.facts),
		preferred: preferred(pointers, id.facts.Fingerprint), readAt: reg.Now(),
	}
	if e.none() {
		return e.explained(ctx, conn, reg, c, id.facts, pointers, local)
	}
	e.ancestors = accountable(id.facts.Parents)
	e.otherFiles = otherFiles(c.Path, e.entries())
	e.regions, e.images, err = lookUpAMIs(ctx, conn, c.Regions, e.entries(), e.ancestors)
	return e, err
}

// accountable returns the images below one with these parents, without those below a parent that
// the template takes although it is revoked.
func accountable(parents []manifest.Parent) []manifest.Ancestor {
	return manifest.Ancestors(slices.DeleteFunc(slices.Clone(parents),
		func(p manifest.Parent) bool { return p.AllowRevoked }))
}

// fileName names a file as it was built.
type fileName struct{ name, sha256 string }

// otherFiles returns the files of the entries that exist here, and are not those that were built:
// the image has to be built again, or others would take them for it.
func otherFiles(path string, entries []manifest.Entry) map[fileName]string {
	folder := path
	if info, err := os.Stat(path); err == nil && !info.IsDir() {
		folder = filepath.Dir(path)
	}
	checked := map[fileName]string{}
	for _, entry := range entries {
		for _, file := range entry.Files {
			name := fileName{file.Name, file.SHA256}
			if _, known := checked[name]; known {
				continue
			}
			checked[name] = ""
			if err := artifact.CheckFile(file, folder); errors.Is(err, artifact.ErrOtherFile) {
				checked[name] = err.Error()
			}
		}
	}
	return checked
}

// all returns the entries of the manifest in the registry, and live those that are not revoked.
func (e existing) all() []manifest.Entry {
	if e.published == nil {
		return nil
	}
	return e.published.Builds
}

func (e existing) live() []manifest.Entry {
	if e.published == nil {
		return nil
	}
	return e.published.Live()
}

// entries returns all entries of the image that count.
func (e existing) entries() []manifest.Entry { return append(e.live(), e.unpublished...) }

// none reports whether the image was never built.
func (e existing) none() bool { return e.published == nil && len(e.unpublished) == 0 }

// explained adds what helps to say why an image that does not exist has to be built: the newest
// build of the image, and AMIs that were never published.
func (e existing) explained(
	ctx context.Context, conn *access.Connection, reg *registry.Registry, c Config,
	facts manifest.Facts, pointers []*registry.Pointer, local *manifest.Manifest,
) (existing, error) {
	var newest *registry.Pointer
	for _, pointer := range pointers {
		newest = registry.Later(newest, pointer)
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(crash.Guard("read the newest build", func() (err error) {
		e.newest, err = readNewest(ctx, reg, newest)
		return err
	}))
	group.Go(crash.Guard("look for AMIs that were not published", func() error {
		e.abandoned = abandoned(ctx, conn, c, facts.Fingerprint, nil)
		return nil
	}))
	err := group.Wait()
	if e.newest == nil && local != nil && local.Chain.Image == facts.Image {
		e.newest = local.Chain
	}
	return e, err
}

// abandoned returns the AMIs of this account that carry the fingerprint and were never published:
// a test or a publication failed, or another run is at work. known are the entries of the image.
// What fails here fails silently.
func abandoned(
	ctx context.Context, conn *access.Connection, c Config, fingerprint string,
	known []manifest.Entry,
) []string {
	if at, err := registry.ParseLocation(c.Registry); err != nil || !at.S3() && len(c.Regions) == 0 {
		return nil // Perhaps there is no AWS.
	}
	ctx, cancel := context.WithTimeout(ctx, abandonedTime)
	defer cancel()
	ec2, err := conn.EC2()
	if err != nil {
		return nil
	}
	region := ec2.Region
	if len(c.Regions) > 0 {
		region = c.Regions[0]
	}
	images, err := ec2.ByTags(ctx, region, ami.Query{
		Tags: map[string]string{tags.Fingerprint: fingerprint}})
	if err != nil {
		log.Printf("[WARN] look for AMIs that were not published: %s", err)
		return nil
	}
	published := map[string]bool{}
	for _, entry := range known {
		for _, image := range entry.AMIs() {
			published[image.ID] = true
		}
	}
	var found []string
	for _, image := range images {
		if !published[image.ID] && image.Tags[tags.Manifest] == "" && len(found) < maxNamed {
			found = append(found, image.String())
		}
	}
	return found
}

// readRegistry reads the manifest of the fingerprint, nil if it does not exist, and concurrently
// the pointers that may say what exists of the image: best first, without those that do not exist.
func readRegistry(ctx context.Context, reg *registry.Registry, id identity) (
	published *manifest.Manifest, pointers []*registry.Pointer, err error,
) {
	facts := id.facts
	names := []registry.Name{latest, {Kind: registry.Line, Name: facts.Git.Line.Document()}}
	for _, branch := range id.defaultBranches {
		line := manifest.Line{Kind: manifest.LineBranch, Name: branch}
		name := registry.Name{Kind: registry.Line, Name: line.Document()}
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(crash.Guard("read the build", func() error {
		stored, err := reg.Manifest(ctx, facts.Image, facts.Fingerprint)
		published = stored.Manifest
		return unlessMissing(err)
	}))
	var found map[registry.Name]*registry.Pointer
	group.Go(crash.Guard("read the pointers", func() (err error) {
		found, err = reg.Pointers(ctx, facts.Image, names...)
		return err
	}))
	err = group.Wait()
	for _, name := range names {
		if found[name] != nil {
			pointers = append(pointers, found[name])
		}
	}
	return published, pointers, err
}

// preferred returns where the pointers are, as far as they are on a fingerprint.
func preferred(pointers []*registry.Pointer, fingerprint string) []registry.Target {
	var targets []registry.Target
	for _, pointer := range pointers {
		if to := pointer.Current(); to.Fingerprint == fingerprint {
			targets = append(targets, to)
		}
	}
	return targets
}

func unlessMissing(err error) error {
	if errors.Is(err, registry.ErrNotFound) {
		return nil
	}
	return err
}

// readNewest reads the build that this one is compared with, to say what changed. One that is
// damaged or gone does not fail the run: it only makes the reason less exact.
func readNewest(
	ctx context.Context, reg *registry.Registry, newest *registry.Pointer,
) (*manifest.Chain, error) {
	if newest == nil {
		return nil, nil
	}
	stored, err := reg.Manifest(ctx, newest.Image, newest.Fingerprint)
	var newer *manifest.SchemaError
	switch {
	case errors.Is(err, registry.ErrNotFound) || errors.Is(err, manifest.ErrCorrupt) ||
		errors.As(err, &newer):
		log.Printf("[WARN] compare with the newest build: %s", err)
		return &manifest.Chain{}, nil
	case err != nil:
		return nil, err
	}
	return stored.Manifest.Chain, nil
}

// readLocal returns the local manifest. It is nil if the file does not exist, is damaged, or is not
// by this plugin.
func readLocal(path string) *manifest.Manifest {
	local, _, err := localmanifest.Read(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		log.Printf("[WARN] read %s: %s", path, err)
	}
	if err != nil || local.Chain == nil {
		return nil
	}
	return local
}

// unpublished returns what an earlier run built from the same parts and could not publish.
func unpublished(published, local *manifest.Manifest, facts manifest.Facts) []manifest.Entry {
	if local == nil || local.Belongs(facts.Image, facts.Fingerprint) != nil {
		return nil
	}
	return localmanifest.Unpublished(published, local)
}

// lookUpAMIs asks EC2, in all regions concurrently, which AMIs of the entries exist, and what
// became of the images below them. An image that is not an AMI needs no AWS.
func lookUpAMIs(
	ctx context.Context, conn *access.Connection, regions []string, entries []manifest.Entry,
	ancestors []manifest.Ancestor,
) ([]string, map[ami.Address]ami.Image, error) {
	ids := manifest.AMIsByRegion(entries)
	if len(ids) == 0 {
		return regions, nil, nil
	}
	ec2, err := conn.EC2()
	if err != nil {
		return nil, nil, err
	}
	if len(regions) == 0 {
		regions = []string{ec2.Region}
	}
	for _, ancestor := range ancestors {
		for region, id := range ancestor.AMIs {
			ids[region] = append(ids[region], id)
		}
	}
	wanted := map[string][]string{}
	for _, region := range regions {
		if len(ids[region]) > 0 {
			wanted[region] = ids[region]
		}
	}
	images, err := ec2.Lookup(ctx, wanted, nil, ami.BirthsOf(entries))
	return regions, images, err
}
