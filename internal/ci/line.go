// SPDX-License-Identifier: MPL-2.0

package ci

import (
	"fmt"

	"github.com/packer-chain/packer-plugin-chain/internal/gitrepo"
	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
	"github.com/packer-chain/packer-plugin-chain/internal/text"
)

// Where is what git knows of the checkout.
type Where struct {
	// NoGit is true if there is no checkout. All else is empty then.
	NoGit bool
	// Head is the object id of HEAD.
	Head string
	// Branch is empty if HEAD is detached.
	Branch string
	// Remote returns what [gitrepo.Upstream] returns for Branch. It is called at most once, and only
	// if it counts.
	Remote func() (gitrepo.Remote, error)
}

// Line returns the line that a run of this build belongs to, and, if it is local, why. What the CI
// system says counts before what git says, and of all that a pull request, because git would take
// that of a fork for a branch. option is the branch that the user says, if any: it counts before
// the branches of both.
func (b Build) Line(w Where, option string) (line manifest.Line, why string) {
	switch {
	case b.PullRequest != "":
		return manifest.Line{Kind: manifest.LinePullRequest, Name: b.PullRequest}, ""
	case b.Queue != "":
		return manifest.Line{Kind: manifest.LineQueue, Name: b.Queue}, ""
	case b.Tag != "":
		return manifest.Line{Kind: manifest.LineTag, Name: b.Tag}, ""
	case option != "":
		return lineOf(option), ""
	case b.Branch == "":
		return b.lineOfGit(w)
	case w.NoGit && b.IsBase:
		return local, "the CI does not tell whether the files are those of " + text.OneLine(b.Branch) +
			`: set the option "branch"`
	case b.Commit != "" && b.Commit != w.Head && !w.NoGit:
		return local, fmt.Sprintf("the CI builds %.7s of %s, but %.7s is checked out",
			b.Commit, text.OneLine(b.Branch), w.Head)
	}
	return lineOf(b.Branch), ""
}

var local = manifest.Line{Kind: manifest.LineLocal}

// lineOf returns the line of a branch. Systems other than GitHub build a merge queue of GitHub as a
// branch.
func lineOf(branch string) manifest.Line {
	if queue := queueOf(branch); queue != "" {
		return manifest.Line{Kind: manifest.LineQueue, Name: queue}
	}
	return manifest.Line{Kind: manifest.LineBranch, Name: fit(branch)}
}

// lineOfGit returns the line of the branch that is checked out. Its commit must be on the branch of
// the remote too, if there is one: whoever builds what nobody else has does not build that branch.
func (b Build) lineOfGit(w Where) (line manifest.Line, why string) {
	switch {
	case w.NoGit:
		return local, `neither git nor the CI names the branch: set the option "branch"`
	case w.Branch == "" && b.Provider != "":
		return local, `the CI names no branch, and HEAD is detached: set the option "branch"`
	case w.Branch == "":
		return local, "HEAD is detached: check out a branch"
	}
	remote, err := w.Remote()
	switch {
	case err != nil:
		return local, "git cannot tell whether HEAD is on the remote: " + text.OneLine(err.Error())
	case remote.Exists && remote.Ref == "":
		return local, "there are many remotes: name one of them origin, or set the upstream of " +
			text.OneLine(w.Branch)
	case remote.Exists && !remote.Pushed:
		return local, "HEAD is not on " + text.OneLine(remote.Ref) + " yet: push it"
	}
	return lineOf(w.Branch), ""
}
