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

// lookAgain is what to do about files that git was told to overlook.
const lookAgain = `Git does not say whether the files with a flag in brackets are as committed. Take the flag off:
  git update-index --no-assume-unchanged FILE
  git update-index --no-skip-worktree FILE
Or widen the sparse checkout, where that leaves them out.`

// identity is what the image is, whether it exists or not.
type identity struct {
	fingerprint string
	components  []manifest.Component
	parents     []manifest.Parent
	git         manifest.Git
}

// identify asks git and computes the fingerprint.
func identify(ctx context.Context, c Config, getenv func(string) string) (identity, error) {
	at, err := registry.ParseLocation(c.Registry)
	if err != nil {
		return identity{}, fmt.Errorf("registry %w", err)
	}
	git := gitrepo.Inspector{LeftBehind: gitrepo.LeftBehind(c.Image, at.Dir, c.LocalManifest)}
	facts, err := git.Inspect(ctx, append([]string{c.Path}, c.ExtraPaths...)...)
	if err != nil {
		return identity{}, err
	}
	if c.Dirty == dirtyError {
		if err := clean(facts); err != nil {
			return identity{}, err
		}
	}
	id := identity{git: gitOf(facts)}
	if id.git.Branch == "" {
		id.git.Branch = ci.Detect(getenv).Branch
	}
	for _, text := range c.Parents {
		if text == "" {
			continue
		}
		parent, err := record.DecodeParent(text)
		if err != nil {
			return identity{}, fmt.Errorf("parents: %w", err)
		}
		id.parents = append(id.parents, parent)
	}
	parts := fingerprint.Parts{
		Image: c.Image, TemplateSHA: facts.Objects[0].SHA, Extra: map[string]string{},
		Inputs: c.Inputs, Parents: id.parents, Salt: c.Salt, DirtyHash: facts.DirtyHash(),
	}
	for _, object := range facts.Objects[1:] {
		parts.Extra[object.Path] = object.SHA
		if object.Executable {
			parts.Extra[object.Path] += " 100755"
		}
	}
	id.fingerprint, id.components = fingerprint.Compute(parts)
	return id, nil
}

func gitOf(facts gitrepo.Facts) manifest.Git {
	template := facts.Objects[0]
	git := manifest.Git{
		SHA: template.SHA, Commit: facts.Commit, CommitTime: facts.CommitTime, Branch: facts.Branch,
		Dirty: len(facts.DirtyFiles()) > 0,
	}
	// With a clean folder and uncommitted extra files, the folder's object id would name an image that
	// it does not describe.
	if !git.Dirty || template.DirtyHash != "" {
		git.Name = registry.GitName(template.SHA, template.DirtyHash)
	}
	return git
}

func clean(facts gitrepo.Facts) error {
	files := facts.DirtyFiles()
	if len(files) == 0 {
		return nil
	}
	what, remedy := "are not committed", `Commit them, add them to .gitignore, or set dirty = "include".`
	if len(facts.Overlooked) > 0 {
		what, remedy = what+" or that git was told to overlook", remedy+"\n\n"+lookAgain
	}
	var named []string
	for _, file := range files[:min(len(files), maxNamed)] {
		line := text.File(file)
		if flag := facts.Overlooked[file]; flag != "" {
			line += " (" + flag + ")"
		}
		named = append(named, line)
	}
	list := strings.Join(named, "\n  ")
	if more := len(files) - maxNamed; more > 0 {
		list += fmt.Sprintf("\n  and %d more", more)
	}
	return fmt.Errorf("path has files in %s that %s:\n\n  %s\n\n%s", facts.Root, what, list, remedy)
}
