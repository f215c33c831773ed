// SPDX-License-Identifier: MPL-2.0

package gitrepo

import (
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"strings"
)

// Error is what is wrong with a path, and how to repair it.
type Error struct {
	// Path is the inspected path, or a submodule below it, absolute.
	Path    string
	Problem string
	// Remedy is one or two sentences, or a command on a line by itself.
	Remedy string
}

// Error returns the path, what is wrong, and after a blank line the remedy.
func (e *Error) Error() string {
	return fmt.Sprintf("inspect %q: %s\n\n%s", e.Path, e.Problem, e.Remedy)
}

// at returns the problem at a path.
func (e Error) at(path string) error {
	e.Path = path
	return &e
}

var (
	noGit = Error{
		Problem: "git is not installed, or not on PATH",
		Remedy: "The chain plugin reads from git which files an image is built from. " +
			"Install git where Packer runs.",
	}
	noRepository = Error{
		Problem: "not in a git repository",
		Remedy: "Run Packer in a git checkout. For files without one, such as an archive, " +
			"set git = false in data \"chain-image\", and in data \"chain\" set channel, fingerprint or " +
			"git_sha in place of path.",
	}
	noPath = Error{
		Problem: "no such file or folder",
		Remedy:  "Check path and extra_paths. ${path.root} is the folder of the template.",
	}
	noCommit = Error{
		Problem: "the git repository has no commit yet",
		Remedy:  "Commit the files of the image first.",
	}
	onlyIgnored = Error{
		Problem: "no files",
		Remedy:  "The path is empty, or .gitignore hides all of it.",
	}
	noFiles = Error{
		Problem: "no tracked files",
		Remedy:  "The path is empty, or .gitignore hides all of it. Add files and commit them.",
	}
	bare = Error{
		Problem: "in a bare git repository",
		Remedy:  "A bare repository has no files. Run Packer in a checkout of it.",
	}
	insideGit = Error{
		Problem: "inside a .git folder",
		Remedy: "Git does not track its own files. " +
			"Point path and extra_paths at files of the checkout.",
	}
	moved = Error{
		Problem: "the current commit changed during the inspection",
		Remedy:  "Run Packer again when no other git command runs in the checkout.",
	}
)

// brokenGitFile returns the problem of a .git file. folder is a colon and the folder that the file
// names, or "".
func brokenGitFile(path, folder string) error {
	return &Error{path, noRepository.Problem + ": its .git file points at no repository" + folder,
		"Mount or check out the folder that it names too, " +
			"or use a clone instead of a linked work tree."}
}

const oneCheckout = "All paths of an image must lie in one git checkout. " +
	"Move the files into it, or put their version into inputs."

func outside(path, root string) error {
	return &Error{path, "outside of the git repository " + root, oneCheckout}
}

func nested(path, root string) error {
	return &Error{path, "outside of the git repository, in another one: " + root, oneCheckout}
}

func uncommitted(path, root, rel string) error {
	return &Error{path, "not committed yet",
		"Images are named after what git has. Add the files and commit them:\n" +
			"  git -C " + quote(root) + " add -- " + quote(rel)}
}

// noSubmodule returns the problem of a submodule of the repository at root.
func noSubmodule(path, root string) error {
	return &Error{path, "submodule is not checked out",
		"The image would be built without its files. Check it out:\n" +
			"  git -C " + quote(root) + " submodule update --init --recursive"}
}

func unsafeOwner(path, root string) error {
	return &Error{path, "git refuses the repository, which belongs to another user",
		"If you trust it, tell git so:\n  git config --global --add safe.directory " + quote(root)}
}

// errUnexpected means that git, or what poses as git, printed what git never prints.
var errUnexpected = errors.New("unexpected output")

func unexpected(out string) error {
	if len(out) > 80 {
		out = out[:80]
	}
	return fmt.Errorf("%w: %q", errUnexpected, out)
}

// foreignRepository matches git since 2.35.2, which introduced the check, and since 2.35.3, which
// changed its text.
var foreignRepository = regexp.MustCompile(
	`detected dubious ownership in repository at '([^']+)'|unsafe repository \('([^']+)' is owned`)

// lostGitFolder matches if .git is a file that points at a folder that does not exist, such as in a
// container into which only a linked work tree is mounted. Git names that folder, since 2.54
// "(null)", and after 2.55 the file.
var lostGitFolder = regexp.MustCompile(
	`^fatal: (?:not a git repository|gitfile does not point to a valid repository)(: .*)`)

// explain turns a failed command into what it means for the user. Git has one exit code for
// everything.
func explain(err error, path, dir string) error {
	var known *Error
	if errors.As(err, &known) {
		return err
	}
	var failed *commandError
	if !errors.As(err, &failed) {
		return fmt.Errorf("inspect %q: %w", path, err)
	}
	if errors.Is(err, exec.ErrNotFound) {
		return noGit.at(path)
	}
	if m := foreignRepository.FindStringSubmatch(failed.stderr); m != nil {
		return unsafeOwner(path, m[1]+m[2])
	}
	if strings.Contains(failed.stderr, "dubious ownership") {
		return unsafeOwner(path, dir)
	}
	if m := lostGitFolder.FindStringSubmatch(failed.stderr); m != nil {
		return brokenGitFile(path, strings.TrimSuffix(m[1], ": (null)"))
	}
	if strings.HasPrefix(failed.stderr, "fatal: not a git repository") {
		return noRepository.at(path)
	}
	return fmt.Errorf("inspect %q: %w", path, err)
}

var plain = regexp.MustCompile(`^[A-Za-z0-9_@%+:,./-]+$`)

// quote returns word as a POSIX shell needs it.
func quote(word string) string {
	if plain.MatchString(word) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
