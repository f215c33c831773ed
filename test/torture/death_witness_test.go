// SPDX-License-Identifier: MPL-2.0

package torture

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/packer-chain/packer-plugin-chain/internal/access"
	"github.com/packer-chain/packer-plugin-chain/internal/localmanifest"
	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
	"github.com/packer-chain/packer-plugin-chain/internal/registry"
	"github.com/packer-chain/packer-plugin-chain/internal/tags"
)

// movedPointers are the pointers of a publication.
var movedPointers = []registry.Name{
	{Kind: registry.Line, Name: "main"},
	{Kind: registry.Channel, Name: "latest"}, {Kind: registry.Channel, Name: "production"},
}

// witness looks at the registry of a process that died, through its own connection.
type witness struct {
	*graveyard
	registry string
	t        *testing.T
	tally    *tally
}

// fault counts what is wrong as lost.
func (w *witness) fault(format string, args ...any) {
	w.t.Helper()
	w.tally.count(0, 1, 0)
	w.t.Errorf(format, args...)
}

func (w *witness) open(ctx context.Context) *registry.Registry {
	w.t.Helper()
	options := &access.Config{AccessKey: "test", SecretKey: "test", Region: bakeRegions[0],
		RegistryAccess: &access.RegistryAccess{Endpoint: w.aws.Endpoint, UsePathStyle: true}}
	reg, err := access.Open(ctx, options, w.registry, nil).Registry()
	if err != nil {
		w.t.Fatal(err)
	}
	return reg
}

// readable checks that what is visible is complete: every manifest names tagged AMIs only, every
// AMI that names its manifest is in it, every pointer leads to AMIs that do, and the local manifest
// exists only if all pointers do. Nothing at all is fine.
func (w *witness) readable(ctx context.Context) {
	reg := w.open(ctx)
	stored, err := reg.Manifest(ctx, "base", w.fingerprint)
	switch {
	case errors.Is(err, registry.ErrNotFound):
		stored = registry.Stored{URI: reg.ManifestURI("base", w.fingerprint)}
	case err != nil:
		w.fault("%v", err)
		return
	}
	pointers := w.pointers(ctx, reg)
	w.tagged(ctx, stored, pointers > 0)
	w.marked(ctx, stored)
	if w.localManifest() != nil && pointers < len(movedPointers) {
		w.fault("there is a local manifest, and only %d pointers", pointers)
	}
}

// pointers counts the pointers. Each must lead to its builds.
func (w *witness) pointers(ctx context.Context, reg *registry.Registry) (n int) {
	for _, name := range movedPointers {
		p, err := reg.Pointer(ctx, "base", name)
		if errors.Is(err, registry.ErrNotFound) {
			continue
		}
		n++
		if err == nil {
			_, err = reg.Follow(ctx, p, p.Moves[0])
		}
		if err != nil {
			w.fault("%s: %v", name, err)
		}
	}
	return n
}

// tagged checks the AMIs of a manifest. If marked is set, they must name it.
func (w *witness) tagged(ctx context.Context, stored registry.Stored, marked bool) {
	var builds []manifest.Entry
	if stored.Manifest != nil {
		builds = stored.Manifest.Builds
	}
	for _, entry := range builds {
		images := entry.AMIs()
		if len(images) != len(bakeRegions) {
			w.fault("the manifest names %d AMIs, not %d", len(images), len(bakeRegions))
		}
		for _, image := range images {
			out, err := w.aws.EC2(image.Region).DescribeImages(ctx,
				&ec2.DescribeImagesInput{ImageIds: []string{image.ID}})
			if err != nil || len(out.Images) != 1 {
				w.fault("the manifest names %s, which does not exist: %v", image.ID, err)
				continue
			}
			have := map[string]string{}
			for _, tag := range out.Images[0].Tags {
				have[aws.ToString(tag.Key)] = aws.ToString(tag.Value)
			}
			mark, isMarked := have[tags.Manifest]
			if have[publishTag] == "" || have[tags.Fingerprint] != w.fingerprint ||
				isMarked && mark != stored.URI || marked && !isMarked {
				w.fault("the manifest names %s, which has the tags %v", image.ID, have)
			}
		}
	}
}

// marked checks that every AMI that names the manifest is in it.
func (w *witness) marked(ctx context.Context, stored registry.Stored) {
	named := map[string]bool{}
	if stored.Manifest != nil {
		for _, entry := range stored.Manifest.Builds {
			for _, image := range entry.AMIs() {
				named[image.ID] = true
			}
		}
	}
	for _, region := range bakeRegions {
		out, err := w.aws.EC2(region).DescribeImages(ctx, &ec2.DescribeImagesInput{
			Filters: []types.Filter{
				{Name: aws.String("tag:" + tags.Manifest), Values: []string{stored.URI}},
			}})
		if err != nil {
			w.t.Fatal(err)
		}
		for i := range out.Images {
			if id := aws.ToString(out.Images[i].ImageId); !named[id] {
				w.fault("%s names the manifest %s, which does not name it", id, stored.URI)
			}
		}
	}
}

// localManifest returns the local manifest, or nil if there is none.
func (w *witness) localManifest() []byte {
	dir := filepath.Join(w.repo.Dir, "base")
	body, err := os.ReadFile(localmanifest.Default(dir, w.registry, "base"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		w.fault("%v", err)
	}
	return body
}

// finished checks that everything exists, once.
func (w *witness) finished(ctx context.Context) {
	reg := w.open(ctx)
	stored, err := reg.Manifest(ctx, "base", w.fingerprint)
	if err != nil {
		w.fault("%v", err)
		return
	}
	w.tally.count(0, 0, len(stored.Manifest.Builds)-1)
	w.tagged(ctx, stored, true)
	w.marked(ctx, stored)
	for _, name := range movedPointers {
		p, err := reg.Pointer(ctx, "base", name)
		if err == nil {
			_, err = reg.Follow(ctx, p, p.Moves[0])
		}
		if err != nil || p.ManifestSHA256 != stored.SHA256 || p.Seq != 1 {
			w.fault("%s is not on the image, or moved more than once: %+v: %v", name, p, err)
		}
	}
	if !bytes.Equal(w.localManifest(), stored.Body) {
		w.fault("the local manifest is not the manifest")
	}
}
