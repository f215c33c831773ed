// SPDX-License-Identifier: MPL-2.0

package publish

import (
	"cmp"
	"context"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/packer-chain/packer-plugin-chain/internal/gitrepo"
	"github.com/packer-chain/packer-plugin-chain/internal/registry"
	"github.com/packer-chain/packer-plugin-chain/internal/text"
)

// maxNamed is how many files a warning names.
const maxNamed = 10

// checkFiles asks git again. It returns a [*templateError] if the files are not those that the
// fingerprint names: then nobody knows from which the image was built. New files that git does not
// know are only a warning, because a test may have left a report. Without a repository, nobody can
// tell them from the others.
func (p publication) checkFiles(ctx context.Context) error {
	expected := p.rec.Checkout
	if expected == nil || p.passedThrough() {
		return nil
	}
	// Only a location in S3 has no folder, and only a wrong one has an error.
	location, _ := registry.ParseLocation(p.rec.Registry)
	wasLeft := gitrepo.LeftBehind(location.Dir, p.rec.LocalManifest, p.config.LocalManifest)
	var added []string
	isLeft := func(root, name string) bool {
		if expected.NoGit || wasLeft(root, name) {
			return wasLeft(root, name)
		}
		isNew := !slices.Contains(expected.Untracked, name)
		if isNew {
			added = append(added, name)
		}
		return isNew
	}
	inspect := gitrepo.Inspect
	if expected.NoGit {
		inspect = gitrepo.WithoutRepository
	}
	now, err := inspect(ctx, isLeft, expected.Paths...)
	if err != nil {
		return fmt.Errorf("compare the files with those that the image was built from: %w", err)
	}
	if len(added) > 0 {
		p.warn("new files appeared during the build, which are not part of the image's fingerprint: " +
			names(added) + ". Add them to .gitignore, or write them elsewhere")
	}
	var changed []string
	for i, object := range now.Objects {
		if i < len(expected.Content) && object.ID() != expected.Content[i] {
			changed = append(changed, filepath.ToSlash(expected.Paths[i]))
		}
	}
	if len(changed) == 0 && now.DirtyHash() == expected.DirtyHash {
		return nil
	}
	what, remedy := names(now.DirtyFiles()), "Build it again."
	if expected.NoGit {
		what, remedy = "files", "Without git, a new file counts too: write reports elsewhere, or name "+
			"them in a .gitignore there. "+remedy
	}
	return mistakef("files changed while the image was built, so it may not be what its fingerprint "+
		"says: %s in %s\n\n%s Nothing was tagged or published.", what, text.List(changed), remedy)
}

// names returns the names of some files on one line.
func names(files []string) string {
	return cmp.Or(text.Names(files, maxNamed), "committed files")
}
