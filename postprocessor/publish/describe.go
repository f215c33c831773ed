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
	"strings"
	"time"

	packersdk "github.com/hashicorp/packer-plugin-sdk/packer"
	registryimage "github.com/hashicorp/packer-plugin-sdk/packer/registry/image"

	"github.com/packer-chain/packer-plugin-chain/internal/artifact"
	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
	"github.com/packer-chain/packer-plugin-chain/internal/text"
)

// builderType is what Packer calls the builder of this plugin.
const builderType = "chain"

// checkTemplate returns a [*templateError] if the artifact cannot belong to the record.
func (p publication) checkTemplate(source packersdk.Artifact) error {
	if err := p.config.checkRecord(); err != nil {
		return mistakef("%s", err)
	}
	if !p.passedThrough() {
		return nil
	}
	if len(p.rec.Entries) == 0 {
		return mistakef("the record names no image that exists\n\nSet record to the output record " +
			"of data \"chain-image\" or \"chain\", as it is.")
	}
	if missing := p.unnamed(); len(missing) > 0 {
		return mistakef("the record has no build of %s\n\nA channel takes whole images only. Find the "+
			"image without ami, or by a channel.", text.List(missing))
	}
	if why := p.rec.Artifact().Differs(source); why != "" {
		remedy := otherRecord
		if p.promotes() {
			remedy = strings.ReplaceAll(remedy, "data.chain-image.", "data.chain.")
		}
		return mistakef("%s\n\n%s", why, remedy)
	}
	return nil
}

// unnamed returns the sources of which a record to promote has no build.
func (p publication) unnamed() []string {
	if !p.promotes() {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(p.rec.Sources), func(source string) bool {
		return slices.ContainsFunc(p.rec.Entries, func(e manifest.Entry) bool {
			return e.Source() == source
		})
	})
}

// otherRecord is what to do about a build of two images whose post-processors do not know which is
// theirs.
const otherRecord = "If a build has several images, each post-processor needs only = [...], or " +
	"record = { a = data.chain-image.a.record, b = data.chain-image.b.record }[source.name]. " +
	"This post-processor has changed nothing."

// describe returns what the manifest says of the artifact, and of what an earlier run could not
// publish. It has no deadline: files may be large.
func (p publication) describe(
	ctx context.Context, source packersdk.Artifact,
) ([]manifest.Entry, error) {
	if p.passedThrough() {
		return p.rec.Entries, nil
	}
	files, err := hashFiles(ctx, p.ui, source.Files())
	if err != nil {
		return nil, err
	}
	own := manifest.Entry{
		Name: p.config.PackerBuildName, BuilderType: p.config.PackerBuilderType,
		BuilderID: source.BuilderId(), BuildTime: time.Now().Unix(),
		ArtifactID: source.Id(), Files: files, Images: images(source),
		PackerRunUUID: os.Getenv("PACKER_RUN_UUID"),
	}
	if p.rec.Unpublished {
		return append([]manifest.Entry{own}, p.rec.Entries...), nil
	}
	return []manifest.Entry{own}, nil
}

// images returns the machine images of an artifact: from the state that builders fill for a
// registry of images, or else from the id, as the Amazon plugin writes it.
func images(source packersdk.Artifact) []manifest.Image {
	found := artifact.FromState(source.State(registryimage.ArtifactStateURI))
	if len(found) == 0 {
		found = manifest.ImagesFromID(source.Id())
	}
	slices.SortFunc(found, func(a, b manifest.Image) int {
		return cmp.Or(cmp.Compare(a.Region, b.Region), cmp.Compare(a.ID, b.ID))
	})
	return found
}

// hashFiles describes the files of an artifact.
func hashFiles(ctx context.Context, ui packersdk.Ui, names []string) ([]manifest.File, error) {
	var files []manifest.File
	for _, name := range names {
		file, err := hashFile(ctx, ui, name)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", name, err)
		}
		files = append(files, file)
	}
	return files, nil
}

// hashFile describes a file. Some builders list files that they have deleted, and folders: of those
// it returns the name only.
func hashFile(ctx context.Context, ui packersdk.Ui, name string) (manifest.File, error) {
	file := manifest.File{Name: name}
	info, err := os.Stat(name)
	if errors.Is(err, os.ErrNotExist) || (err == nil && !info.Mode().IsRegular()) {
		return file, nil
	}
	if err != nil {
		return file, err
	}
	if info.Size() > 1<<30 {
		ui.Say(fmt.Sprintf("reading %s (%d MiB) for its SHA-256", name, info.Size()>>20))
	}
	file.Size, file.SHA256, err = hashContent(ctx, name)
	return file, err
}

func hashContent(ctx context.Context, name string) (size int64, sha256Sum string, err error) {
	f, err := os.Open(name)
	if err != nil {
		return 0, "", err
	}
	defer f.Close()
	hash := sha256.New()
	size, err = io.Copy(hash, readerFunc(func(buffer []byte) (int, error) {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		return f.Read(buffer)
	}))
	return size, hex.EncodeToString(hash.Sum(nil)), err
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }
