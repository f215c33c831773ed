// SPDX-License-Identifier: MPL-2.0

package torture

import (
	"bytes"
	"context"
	"errors"
	"os"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"

	"github.com/packer-chain/packer-plugin-chain/internal/access"
	"github.com/packer-chain/packer-plugin-chain/internal/registry"
	"github.com/packer-chain/packer-plugin-chain/internal/tags"
)

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

func (w *witness) refs() []string {
	return []string{registry.GitRef(w.gitSHA), registry.CommitRef(w.commit), "latest", "production"}
}

// readable checks that every ref points at a whole manifest, and that every manifest names tagged
// AMIs only. Nothing at all is fine.
func (w *witness) readable(ctx context.Context) {
	reg := w.open(ctx)
	for _, name := range w.refs() {
		ref, err := reg.Ref(ctx, "base", name)
		if errors.Is(err, registry.ErrNotFound) {
			continue
		}
		if err == nil {
			_, err = reg.Follow(ctx, ref)
		}
		if err != nil {
			w.fault("ref %s: %v", name, err)
		}
	}
	stored, err := reg.Manifest(ctx, "base", w.fingerprint)
	switch {
	case err == nil:
		w.tagged(ctx, stored)
	case !errors.Is(err, registry.ErrNotFound):
		w.fault("%v", err)
	}
}

func (w *witness) tagged(ctx context.Context, stored registry.Stored) {
	for _, entry := range stored.Manifest.Builds {
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
			if have[tags.Manifest] != stored.URI || have[tags.Fingerprint] != w.fingerprint {
				w.fault("the manifest names %s, which has the tags %v", image.ID, have)
			}
		}
	}
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
	w.tagged(ctx, stored)
	for _, name := range w.refs() {
		ref, err := reg.Ref(ctx, "base", name)
		if err == nil {
			_, err = reg.Follow(ctx, ref)
		}
		if err != nil || ref.ManifestSHA256 != stored.SHA256 || ref.Seq != 1 {
			w.fault("ref %s is not on the image, or moved more than once: %+v: %v", name, ref, err)
		}
	}
	local, err := os.ReadFile(w.localManifest())
	if err != nil || !bytes.Equal(local, stored.Body) {
		w.fault("the local manifest is not the manifest: %v", err)
	}
}
