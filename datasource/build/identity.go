// SPDX-License-Identifier: MPL-2.0

package build

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/packer-chain/packer-plugin-chain/internal/ci"
	"github.com/packer-chain/packer-plugin-chain/internal/fingerprint"
	"github.com/packer-chain/packer-plugin-chain/internal/gitrepo"
	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
	"github.com/packer-chain/packer-plugin-chain/internal/record"
	"github.com/packer-chain/packer-plugin-chain/internal/registry"
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
	isLeft := gitrepo.LeftBehind(at.Dir, c.LocalManifest)
	checkout, err := gitrepo.Inspect(ctx, isLeft, append([]string{c.Path}, c.ExtraPaths...)...)
	if err != nil {
		return identity{}, err
	}
	if c.Dirty == dirtyError {
		if err := clean(checkout); err != nil {
			return identity{}, err
		}
	}
	id := identity{git: gitOf(checkout)}
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
		Image: c.Image, TemplateSHA: checkout.Objects[0].Content, Extra: map[string]string{},
		Inputs: c.Inputs, Parents: id.parents, Salt: c.Salt, DirtyHash: checkout.DirtyHash(),
	}
	for _, object := range checkout.Objects[1:] {
		parts.Extra[object.Path] = object.Content
		if object.Executable {
			parts.Extra[object.Path] += " 100755"
		}
	}
	id.fingerprint, id.components = fingerprint.Compute(parts)
	return id, nil
}

func gitOf(checkout gitrepo.Checkout) manifest.Git {
	template := checkout.Objects[0]
	files := checkout.DirtyFiles()
	git := manifest.Git{
		SHA: template.SHA, Commit: checkout.Commit, CommitTime: checkout.CommitTime,
		Branch: checkout.Branch, Dirty: len(files) > 0,
	}
	// The name is of the folder alone. A checkout of the same folder finds the image by it, and must
	// not get one of extra files that nobody has committed.
	if len(files) == len(template.Dirty) {
		git.Name = template.Name()
	}
	return git
}

func clean(checkout gitrepo.Checkout) error {
	files := checkout.DirtyFiles()
	if len(files) == 0 {
		return nil
	}
	what, remedy := "are not committed",
		`Commit them, add them to .gitignore, or set dirty = "include".`
	if len(checkout.Overlooked) > 0 {
		what, remedy = what+" or that git was told to overlook", remedy+"\n\n"+lookAgain
	}
	var named []string
	for _, file := range files[:min(len(files), maxNamed)] {
		line := printable(file)
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

// printable is the name of a file, in quotes if it would not show as it is, or if a CI service
// would take the line for a command, such as "::error::".
func printable(name string) string {
	if quoted := strconv.Quote(name); quoted != `"`+name+`"` || strings.HasPrefix(name, ":") {
		return quoted
	}
	return name
}
