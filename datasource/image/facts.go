// SPDX-License-Identifier: MPL-2.0

package image

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"time"

	"github.com/packer-chain/packer-plugin-chain/internal/ci"
	"github.com/packer-chain/packer-plugin-chain/internal/fingerprint"
	"github.com/packer-chain/packer-plugin-chain/internal/gitrepo"
	"github.com/packer-chain/packer-plugin-chain/internal/line"
	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
	"github.com/packer-chain/packer-plugin-chain/internal/record"
	"github.com/packer-chain/packer-plugin-chain/internal/registry"
)

// identity is what the image is, and where its files come from.
type identity struct {
	facts manifest.Facts
	// checkout is what the post-processor compares the files with.
	checkout record.Checkout
	// defaultBranches and notOnBranch are those of [record.Record].
	defaultBranches []string
	notOnBranch     string
	warnings        []string
}

// identify asks git what the image is built from, and computes the fingerprint.
func identify(ctx context.Context, c Config, getenv func(string) string) (identity, error) {
	paths := append([]string{c.Path}, c.ExtraPaths...)
	build := ci.Detect(getenv)
	checkout, err := inspect(ctx, c, build, paths)
	if err != nil {
		return identity{}, err
	}
	refs, err := decodeParents(c.Parents)
	if err != nil {
		return identity{}, err
	}
	parents := make([]manifest.Parent, len(refs))
	for i, ref := range refs {
		parents[i] = ref.Parent
	}
	place := line.Find(ctx, checkout, build, c.Branch)
	facts := manifest.Facts{
		Image: c.Image, Sources: c.Sources, Architecture: c.Architecture,
		AllowDeprecated: c.AllowDeprecated,
		Git:             gitOf(checkout, place.Line),
		Parents:         parents, Ancestors: manifest.Ancestors(parents),
	}
	facts.Git.Branch = cmp.Or(facts.Git.Branch, place.Branch)
	facts.Git.Origin = origin(checkout, place.Repository)
	facts.Git.Content = content(checkout, refs)
	facts.Fingerprint, facts.Components = fingerprint.Compute(parts(c, checkout, parents))
	return identity{
		facts: facts, checkout: expected(checkout, paths), defaultBranches: place.DefaultBranches,
		notOnBranch: place.NotOnBranch, warnings: unseenVariables(ctx, c),
	}, nil
}

// inspect returns what the image is built from. Without a repository, the commit is the one that
// the CI builds, if it says so, and the time of the run stands for that of the commit.
func inspect(
	ctx context.Context, c Config, build ci.Build, paths []string,
) (gitrepo.Checkout, error) {
	location, err := registry.ParseLocation(c.Registry)
	if err != nil {
		return gitrepo.Checkout{}, fmt.Errorf("registry %w", err)
	}
	isLeft := gitrepo.LeftBehind(location.Dir, c.LocalManifest)
	if c.Git.False() {
		checkout, err := gitrepo.WithoutRepository(ctx, isLeft, paths...)
		if checkout.Commit = build.CommitWithoutGit(); checkout.Commit != "" {
			checkout.CommitTime = time.Now().UTC().Truncate(time.Second)
		}
		return checkout, err
	}
	checkout, err := gitrepo.Inspect(ctx, isLeft, paths...)
	if err == nil && c.Dirty == dirtyError {
		err = checkClean(ctx, checkout)
	}
	return checkout, err
}

// origin returns where the template is kept. Without a repository, that is not known.
func origin(checkout gitrepo.Checkout, repository string) string {
	folder := checkout.Objects[0].Path
	switch {
	case checkout.Root == "":
		return ""
	case folder == ".":
		return repository + "//"
	}
	return repository + "//" + folder
}

// decodeParents decodes the refs of the parents. An empty one belongs to a parent that does not
// exist.
func decodeParents(texts []string) ([]record.Parent, error) {
	var refs []record.Parent
	for i, text := range texts {
		if text == "" {
			continue
		}
		ref, err := record.DecodeParent(text)
		if err != nil {
			return nil, fmt.Errorf("parents[%d] %w", i, err)
		}
		refs = append(refs, ref)
	}
	return refs, nil
}

// content returns the object ids of everything in this checkout that the image is built from: its
// own files, and those of the parents that were found by their paths here. Without a repository,
// nobody knows the paths of the parents.
func content(checkout gitrepo.Checkout, parents []record.Parent) map[string]string {
	all := map[string]string{}
	for _, parent := range parents {
		if parent.Root == checkout.Root && parent.Root != "" {
			maps.Copy(all, parent.Content)
		}
	}
	for _, object := range checkout.Objects {
		all[object.Path] = object.ID()
	}
	return all
}

// expected returns what the post-processor must find again.
func expected(checkout gitrepo.Checkout, paths []string) record.Checkout {
	e := record.Checkout{
		DirtyHash: checkout.DirtyHash(), Untracked: checkout.Untracked, NoGit: checkout.Root == "",
	}
	for i, object := range checkout.Objects {
		path, err := filepath.Abs(paths[i])
		if err != nil {
			path = paths[i]
		}
		e.Paths = append(e.Paths, path)
		e.Content = append(e.Content, object.ID())
	}
	return e
}

// parts returns what the fingerprint is computed from.
func parts(c Config, checkout gitrepo.Checkout, parents []manifest.Parent) fingerprint.Parts {
	all := fingerprint.Parts{
		Image: c.Image, TemplateSHA: checkout.Objects[0].Content, Extra: map[string]string{},
		Architecture: c.Architecture, Inputs: c.Inputs, Parents: parents, Salt: c.Salt,
		DirtyHash: checkout.DirtyHash(),
	}
	for _, object := range checkout.Objects[1:] {
		all.Extra[object.Path] = object.ID()
	}
	return all
}

// gitOf returns what git knows of the image.
func gitOf(checkout gitrepo.Checkout, line manifest.Line) manifest.Git {
	template := checkout.Objects[0]
	files := checkout.DirtyFiles()
	git := manifest.Git{
		SHA: template.SHA, Commit: checkout.Commit, CommitTime: checkout.CommitTime,
		Branch: checkout.Branch, Line: line, Dirty: len(files) > 0,
	}
	// The name is that of the folder alone. Whoever has the same folder finds the image by it, and
	// must not get one with extra files that nobody has committed.
	if len(files) == len(template.Dirty) {
		git.Name = template.Name()
	}
	return git
}
