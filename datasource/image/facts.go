// SPDX-License-Identifier: MPL-2.0

package image

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"strings"

	"github.com/packer-chain/packer-plugin-chain/internal/ci"
	"github.com/packer-chain/packer-plugin-chain/internal/fingerprint"
	"github.com/packer-chain/packer-plugin-chain/internal/gitrepo"
	"github.com/packer-chain/packer-plugin-chain/internal/line"
	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
	"github.com/packer-chain/packer-plugin-chain/internal/record"
	"github.com/packer-chain/packer-plugin-chain/internal/registry"
	"github.com/packer-chain/packer-plugin-chain/internal/text"
)

// maxNamed is how many uncommitted files an error names.
const maxNamed = 10

// overlookedRemedy is what to do about files that git was told to overlook.
const overlookedRemedy = `Git overlooks changes to the files with a flag in brackets. Take it off:
  git update-index --no-assume-unchanged FILE
  git update-index --no-skip-worktree FILE
Or widen the sparse checkout, if that leaves them out.`

// identity is what the image is, and where its files come from.
type identity struct {
	facts manifest.Facts
	// checkout is what the post-processor compares the files with.
	checkout record.Checkout
	// defaultBranches and notOnBranch are those of [record.Record].
	defaultBranches []string
	notOnBranch     string
}

// identify asks git what the image is built from, and computes the fingerprint.
func identify(ctx context.Context, c Config, getenv func(string) string) (identity, error) {
	location, err := registry.ParseLocation(c.Registry)
	if err != nil {
		return identity{}, fmt.Errorf("registry %w", err)
	}
	paths := append([]string{c.Path}, c.ExtraPaths...)
	isLeft := gitrepo.LeftBehind(location.Dir, c.LocalManifest)
	checkout, err := gitrepo.Inspect(ctx, isLeft, paths...)
	if err != nil {
		return identity{}, err
	}
	if c.Dirty == dirtyError {
		if err := checkClean(checkout); err != nil {
			return identity{}, err
		}
	}
	refs, err := decodeParents(c.Parents)
	if err != nil {
		return identity{}, err
	}
	parents := make([]manifest.Parent, len(refs))
	for i, ref := range refs {
		parents[i] = ref.Parent
	}
	place := line.Find(ctx, checkout, ci.Detect(getenv), c.Branch)
	facts := manifest.Facts{
		Image: c.Image, Sources: c.Sources, Architecture: c.Architecture,
		Git:     gitOf(checkout, place.Line),
		Parents: parents, Ancestors: manifest.Ancestors(parents),
	}
	facts.Git.Branch = cmp.Or(facts.Git.Branch, place.Branch)
	facts.Git.Origin = place.Repository + "//"
	if folder := checkout.Objects[0].Path; folder != "." {
		facts.Git.Origin += folder
	}
	facts.Git.Content = content(checkout, refs)
	facts.Fingerprint, facts.Components = fingerprint.Compute(parts(c, checkout, parents))
	return identity{facts, expected(checkout, paths), place.DefaultBranches, place.NotOnBranch}, nil
}

// decodeParents decodes the refs of the parents. An empty one belongs to a parent that does not
// exist.
func decodeParents(texts []string) ([]record.Parent, error) {
	var refs []record.Parent
	for _, text := range texts {
		if text == "" {
			continue
		}
		ref, err := record.DecodeParent(text)
		if err != nil {
			return nil, fmt.Errorf("parents: %w", err)
		}
		refs = append(refs, ref)
	}
	return refs, nil
}

// content returns the object ids of everything in this checkout that the image is built from: its
// own files, and those of the parents that were found by their paths here.
func content(checkout gitrepo.Checkout, parents []record.Parent) map[string]string {
	all := map[string]string{}
	for _, parent := range parents {
		if parent.Root == checkout.Root {
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
	e := record.Checkout{DirtyHash: checkout.DirtyHash(), Untracked: checkout.Untracked}
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

// checkClean returns an error that names the files that are not committed, and what to do.
func checkClean(checkout gitrepo.Checkout) error {
	files := checkout.DirtyFiles()
	if len(files) == 0 {
		return nil
	}
	what, remedy := "are not committed",
		`Commit them, add them to .gitignore, or set dirty = "include".`
	if len(checkout.Overlooked) > 0 {
		what, remedy = what+" or that git was told to overlook", remedy+"\n\n"+overlookedRemedy
	}
	var named []string
	for _, file := range files[:min(len(files), maxNamed)] {
		line := text.File(file)
		if flag := checkout.Overlooked[file]; flag != "" {
			line += " (" + flag + ")"
		}
		named = append(named, line)
	}
	list := strings.Join(named, "\n  ")
	if more := len(files) - maxNamed; more > 0 {
		list += fmt.Sprintf("\n  and %d more", more)
	}
	return fmt.Errorf("path has files in %s that %s:\n\n  %s\n\n%s", checkout.Root, what, list, remedy)
}
