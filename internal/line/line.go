// SPDX-License-Identifier: MPL-2.0

// Package line finds out which line a run belongs to, and what else says who may move what: CI
// systems say it in their variables, and git knows the rest.
package line

import (
	"cmp"
	"context"
	"sync"

	"github.com/packer-chain/packer-plugin-chain/internal/ci"
	"github.com/packer-chain/packer-plugin-chain/internal/gitrepo"
	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
)

// Place is where a run stands.
type Place struct {
	Line manifest.Line
	// NotOnBranch is why the line is local; otherwise empty.
	NotOnBranch string
	// Branch is the branch, or that of a pull request, whether it counts or not.
	Branch string
	// DefaultBranches has the default branch of the repository, or [Defaults] if nobody names it.
	DefaultBranches []string
	// Repository is the address of the remote without scheme and credentials, empty if git knows
	// none.
	Repository string
}

// Defaults are the names that a default branch usually has.
var Defaults = []string{"main", "master"}

// Find returns the place of a run that builds from a checkout. option is the branch that the user
// says, if any. A checkout without a root is none: then only they and the CI count.
func Find(ctx context.Context, checkout gitrepo.Checkout, build ci.Build, option string) Place {
	place := Place{
		Branch:          cmp.Or(option, build.Branch, build.Head, checkout.Branch),
		DefaultBranches: Defaults,
	}
	if checkout.Root == "" {
		place.Line, place.NotOnBranch = build.Line(ci.Where{NoGit: true}, option)
		if build.DefaultBranch != "" {
			place.DefaultBranches = []string{build.DefaultBranch}
		}
		return place
	}
	defaultBranch := build.DefaultBranch
	var all sync.WaitGroup
	all.Go(func() { place.Repository = gitrepo.Origin(ctx, checkout.Root) })
	all.Go(func() {
		defaultBranch = cmp.Or(defaultBranch, gitrepo.DefaultBranch(ctx, checkout.Root))
	})
	place.Line, place.NotOnBranch = build.Line(ci.Where{
		Head: checkout.Commit, Branch: checkout.Branch,
		Remote: func() (gitrepo.Remote, error) {
			return gitrepo.Upstream(ctx, checkout.Root, checkout.Branch)
		},
	}, option)
	all.Wait()
	if defaultBranch != "" {
		place.DefaultBranches = []string{defaultBranch}
	}
	return place
}

// Here returns the place of a run that builds nothing from a folder. The folder may be in no
// checkout, or in one that git cannot read: then only the option and the CI count.
func Here(ctx context.Context, dir string, build ci.Build, option string) Place {
	checkout, err := gitrepo.Inspect(ctx, nil, dir)
	if err != nil {
		checkout = gitrepo.Checkout{}
	}
	return Find(ctx, checkout, build, option)
}
