// SPDX-License-Identifier: MPL-2.0

package image

import (
	"cmp"
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/packer-chain/packer-plugin-chain/internal/gitrepo"
	"github.com/packer-chain/packer-plugin-chain/internal/text"
)

// maxNamed is how many uncommitted files an error names.
const maxNamed = 10

// What to do about files that are not committed, by what differs.
const (
	changedRemedy = `Commit them, or set dirty = "include".`
	newRemedy     = `Add new files that are no part of the image to .gitignore, commit the others, ` +
		`or set dirty = "include".`
	modeRemedy = `Only the mode of some files differs: they are executable here or in git. ` +
		`If somebody meant that, commit it. If the file system keeps no modes, as that of Windows ` +
		`under WSL and some mounts of containers:
  git config core.fileMode false`
	lineEndsRemedy = `Only the line ends of some files differ (CRLF here or in git). ` +
		`Say in .gitattributes which ones they shall have, such as "* text=auto eol=lf". ` +
		`Then commit that, and check the files out again:
  git add --renormalize . && git commit
  git rm -rq --cached . && git reset -q --hard
Or set core.autocrlf as it was set where the files were checked out.`
	storedRemedy = `Some files are the same bytes here and in git, but .gitattributes or ` +
		`core.autocrlf ask git to store others. Store them, and commit:
  git add --renormalize .`
	filterRemedy = `A filter that .gitattributes names is not set up here, so git cannot compare ` +
		`its files. Set it up, such as with "git lfs install".`
	// overlookedRemedy is what to do about files that git was told to overlook.
	overlookedRemedy = `Git overlooks changes to the files with a flag in brackets. Take it off:
  git update-index --no-assume-unchanged FILE
  git update-index --no-skip-worktree FILE
Or widen the sparse checkout, if that leaves them out.`
)

// checkClean returns an error that names the files that are not committed, what differs, and what
// to do.
func checkClean(ctx context.Context, checkout gitrepo.Checkout) error {
	files := checkout.DirtyFiles()
	if len(files) == 0 {
		return nil
	}
	shown := files[:min(len(files), maxNamed)]
	differs := checkout.Differences(ctx, shown)
	var named []string
	for _, file := range shown {
		line := text.File(file)
		if why := cmp.Or(checkout.Overlooked[file], describe(differs[file])); why != "" {
			line += " (" + why + ")"
		}
		named = append(named, line)
	}
	list := strings.Join(named, "\n  ")
	if more := len(files) - maxNamed; more > 0 {
		list += fmt.Sprintf("\n  and %d more", more)
	}
	what := "are not committed"
	if len(checkout.Overlooked) > 0 {
		what += " or that git was told to overlook"
	}
	return fmt.Errorf("path has files in %s that %s:\n\n  %s\n\n%s", checkout.Root, what, list,
		strings.Join(remedies(checkout, shown, differs), "\n\n"))
}

// describe returns in what a file differs, or "" if somebody has changed it.
func describe(d gitrepo.Difference) string {
	var parts []string
	for part, is := range map[string]bool{
		"mode": d.Mode, "line ends": d.LineEnds, "as in git, but to be stored otherwise": d.Stored,
	} {
		if is {
			parts = append(parts, part)
		}
	}
	if d.Filter != "" {
		parts = append(parts, "filter "+text.OneLine(d.Filter))
	}
	return strings.Join(sorted(parts), ", ")
}

// secretFiles are files that CI services and people leave in a checkout, and that nobody must
// commit: google-github-actions/auth writes the first.
var secretFiles = []string{"gha-creds-*.json", ".env", "id_rsa", "id_ed25519", "*.key"}

// secretPattern returns which of [secretFiles] a file is, or "".
func secretPattern(file string) string {
	for _, pattern := range secretFiles {
		if matches, _ := path.Match(pattern, path.Base(file)); matches {
			return pattern
		}
	}
	return ""
}

// secretRemedy returns what to do about new files that look like credentials, or "". To say first
// that files shall be committed would publish them.
func secretRemedy(untracked []string) string {
	var files, patterns []string
	for _, file := range untracked {
		if pattern := secretPattern(file); pattern != "" {
			files, patterns = append(files, file), append(patterns, pattern)
		}
	}
	if len(files) == 0 {
		return ""
	}
	return fmt.Sprintf("Do not commit what looks like credentials: %s. Add to .gitignore: %s",
		text.Names(files, maxNamed), strings.Join(sorted(patterns), ", "))
}

// remedies returns what to do about the files that are shown. To commit a file of which nobody has
// changed the text would only hide it here, and change it for everybody else.
func remedies(
	checkout gitrepo.Checkout, shown []string, differs map[string]gitrepo.Difference,
) (all []string) {
	var changed, added, mode, lineEnds, stored, filter bool
	for _, file := range shown {
		d := differs[file]
		isNew := slices.Contains(checkout.Untracked, file)
		changed = changed || d == (gitrepo.Difference{}) && !isNew
		added = added || isNew && secretPattern(file) == ""
		mode, lineEnds = mode || d.Mode, lineEnds || d.LineEnds
		stored, filter = stored || d.Stored, filter || d.Filter != ""
	}
	if secret := secretRemedy(checkout.Untracked); secret != "" {
		all = append(all, secret)
	}
	for _, remedy := range []struct {
		applies bool
		text    string
	}{
		{changed && !added, changedRemedy}, {added, newRemedy},
		{mode, modeRemedy}, {lineEnds, lineEndsRemedy},
		{stored, storedRemedy}, {filter, filterRemedy},
		{len(checkout.Overlooked) > 0, overlookedRemedy},
	} {
		if remedy.applies {
			all = append(all, remedy.text)
		}
	}
	return all
}
