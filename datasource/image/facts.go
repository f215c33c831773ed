// SPDX-License-Identifier: MPL-2.0

package image

import (
	"context"
	"fmt"
	"strings"

	"github.com/packer-chain/packer-plugin-chain/internal/ci"
	"github.com/packer-chain/packer-plugin-chain/internal/fingerprint"
	"github.com/packer-chain/packer-plugin-chain/internal/gitrepo"
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

// identify asks git what the image is built from, and computes the fingerprint.
func identify(ctx context.Context, c Config, getenv func(string) string) (manifest.Facts, error) {
	location, err := registry.ParseLocation(c.Registry)
	if err != nil {
		return manifest.Facts{}, fmt.Errorf("registry %w", err)
	}
	isLeft := gitrepo.LeftBehind(location.Dir, c.LocalManifest)
	checkout, err := gitrepo.Inspect(ctx, isLeft, append([]string{c.Path}, c.ExtraPaths...)...)
	if err != nil {
		return manifest.Facts{}, err
	}
	if c.Dirty == dirtyError {
		if err := checkClean(checkout); err != nil {
			return manifest.Facts{}, err
		}
	}
	parents, err := decodeParents(c.Parents)
	if err != nil {
		return manifest.Facts{}, err
	}
	facts := manifest.Facts{
		Image: c.Image, Sources: c.Sources, Git: gitOf(checkout),
		Parents: parents, Ancestors: manifest.Ancestors(parents),
	}
	if facts.Git.Branch == "" {
		facts.Git.Branch = ci.Detect(getenv).Branch
	}
	facts.Fingerprint, facts.Components = fingerprint.Compute(parts(c, checkout, parents))
	return facts, nil
}

// decodeParents decodes the refs of the parents. An empty one belongs to a parent that does not
// exist.
func decodeParents(refs []string) ([]manifest.Parent, error) {
	var parents []manifest.Parent
	for _, ref := range refs {
		if ref == "" {
			continue
		}
		parent, err := record.DecodeParent(ref)
		if err != nil {
			return nil, fmt.Errorf("parents: %w", err)
		}
		parents = append(parents, parent)
	}
	return parents, nil
}

// parts returns what the fingerprint is computed from.
func parts(c Config, checkout gitrepo.Checkout, parents []manifest.Parent) fingerprint.Parts {
	all := fingerprint.Parts{
		Image: c.Image, TemplateSHA: checkout.Objects[0].Content, Extra: map[string]string{},
		Inputs: c.Inputs, Parents: parents, Salt: c.Salt, DirtyHash: checkout.DirtyHash(),
	}
	for _, object := range checkout.Objects[1:] {
		all.Extra[object.Path] = object.Content
		if object.Executable {
			all.Extra[object.Path] += " 100755"
		}
	}
	return all
}

// gitOf returns what git knows of the image.
func gitOf(checkout gitrepo.Checkout) manifest.Git {
	template := checkout.Objects[0]
	files := checkout.DirtyFiles()
	git := manifest.Git{
		SHA: template.SHA, Commit: checkout.Commit, CommitTime: checkout.CommitTime,
		Branch: checkout.Branch, Dirty: len(files) > 0,
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
