// SPDX-License-Identifier: MPL-2.0

package publish

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	packersdk "github.com/hashicorp/packer-plugin-sdk/packer"
	registryimage "github.com/hashicorp/packer-plugin-sdk/packer/registry/image"

	"github.com/packer-chain/packer-plugin-chain/internal/artifact"
	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
)

// builderType is what Packer calls the builder of this plugin.
const builderType = "chain"

// readArtifact learns what the manifest says of the artifact. Files may be large, so it takes as long as it
// takes.
func (j *publication) readArtifact(ctx context.Context) error {
	if j.handedOn() {
		j.entries = j.rec.Entries
		return nil
	}
	files, err := hashFiles(ctx, j.ui, j.source.Files())
	if err != nil {
		return err
	}
	j.entries = []manifest.Entry{{
		Name: j.config.PackerBuildName, BuilderType: j.config.PackerBuilderType, BuilderID: j.source.BuilderId(),
		BuildTime: time.Now().Unix(), ArtifactID: j.source.Id(), Files: files,
		PackerRunUUID: os.Getenv("PACKER_RUN_UUID"), Images: images(j.source),
	}}
	return nil
}

// images reads the machine images of an artifact: from the state that every builder fills that is
// ready for a registry of images, else from the id, as the Amazon plugin writes it.
func images(source packersdk.Artifact) []manifest.Image {
	found := artifact.FromState(source.State(registryimage.ArtifactStateURI))
	if len(found) == 0 {
		found = artifact.FromID(source.Id())
	}
	slices.SortFunc(found, func(a, b manifest.Image) int {
		return cmp.Or(cmp.Compare(a.Region, b.Region), cmp.Compare(a.ID, b.ID))
	})
	return found
}

// hashFiles records the files of an artifact. One that is gone already, as some builders list them,
// is recorded by name.
func hashFiles(ctx context.Context, ui packersdk.Ui, names []string) ([]manifest.File, error) {
	var files []manifest.File
	for _, name := range names {
		file := manifest.File{Name: name}
		info, err := os.Stat(name)
		switch {
		case errors.Is(err, os.ErrNotExist) || (err == nil && !info.Mode().IsRegular()):
		case err != nil:
			return nil, fmt.Errorf("read %s: %w", name, err)
		default:
			if info.Size() > 1<<30 {
				ui.Say(fmt.Sprintf("reading %s (%d MiB) for its SHA-256", name, info.Size()>>20))
			}
			if file.Size, file.SHA256, err = hashFile(ctx, name); err != nil {
				return nil, fmt.Errorf("read %s: %w", name, err)
			}
		}
		files = append(files, file)
	}
	return files, nil
}

func hashFile(ctx context.Context, name string) (size int64, sum string, err error) {
	f, err := os.Open(name)
	if err != nil {
		return 0, "", err
	}
	defer f.Close()
	hash := sha256.New()
	size, err = io.Copy(hash, readerFunc(func(p []byte) (int, error) {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		return f.Read(p)
	}))
	return size, hex.EncodeToString(hash.Sum(nil)), err
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }
