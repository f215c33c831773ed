// SPDX-License-Identifier: MPL-2.0

package gitrepo

import (
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"strings"
)

// What the user can repair. [Inspect] answers them inside an [*Error].
var (
	// ErrNoGit means that there is no git command.
	ErrNoGit = errors.New("git is not installed, or not on PATH")
	// ErrNoRepository means that the path is in no git repository.
	ErrNoRepository = errors.New("not in a git repository")
	// ErrNoPath means that there is nothing on disk with that name.
	ErrNoPath = errors.New("no such file or folder")
	// ErrOutside means that a path lies in another repository than the first, or in none.
	ErrOutside = errors.New("outside of the git repository")
	// ErrNotCommitted means that the path is on disk but not in HEAD.
	ErrNotCommitted = errors.New("not committed yet")
	// ErrNoCommit means that nothing was committed in the repository yet.
	ErrNoCommit = errors.New("the git repository has no commit yet")
	// ErrNoFiles means that git tracks nothing under the path, and sees nothing it could.
	ErrNoFiles = errors.New("no tracked files")
	// ErrSubmodule means that the folder of a submodule has no files, because it is not checked out.
	ErrSubmodule = errors.New("submodule is not checked out")
	// ErrOwner means that git refuses a repository that belongs to another user.
	ErrOwner = errors.New("git refuses the repository, which belongs to another user")
	// ErrBare means that the path is in a bare repository.
	ErrBare = errors.New("in a bare git repository")
	// ErrInsideGit means that the path is in the .git folder.
	ErrInsideGit = errors.New("inside of a .git folder")
	// ErrMoved means that HEAD changed between two questions.
	ErrMoved = errors.New("the current commit changed while git was asked")
	// ErrAnswer means that git, or what poses as git, printed what git never prints. It is the one
	// sentinel that comes without an [*Error].
	ErrAnswer = errors.New("unexpected answer")
)

// Error is what is wrong with a path, and how to repair it. It wraps one of the sentinels.
type Error struct {
	// Path is the path that was asked for, or a submodule below it, absolute.
	Path string
	// Detail, where set, stands behind the sentinel's text.
	Detail string
	// Remedy is one or two sentences, or a command on a line of its own.
	Remedy string
	Err    error
}

// Error is the path, what is wrong, and after a blank line the remedy.
func (e *Error) Error() string {
	return fmt.Sprintf("inspect %q: %v%s\n\n%s", e.Path, e.Err, e.Detail, e.Remedy)
}

// Unwrap answers the sentinel.
func (e *Error) Unwrap() error { return e.Err }

var remedies = map[error]string{
	ErrNoGit: "The chain plugin asks git which files an image is built from. Install git where Packer " +
		"runs.",
	ErrNoRepository: "Run Packer in a git checkout. An archive of the files is not enough: images are " +
		"named after what git has.",
	ErrNoPath: "Check path and extra_paths. ${path.root} is the folder of the template.",
	ErrOutside: "All paths of an image must lie in one git checkout. Move the files into it, or put " +
		"their version into inputs.",
	ErrNoCommit: "Commit the files of the image first.",
	ErrNoFiles:  "The path is empty, or .gitignore hides all of it. Add files and commit them.",
	ErrBare:     "A bare repository has no files. Run Packer in a checkout of it.",
	ErrInsideGit: "Git does not track its own files. Point path and extra_paths at files of the " +
		"checkout.",
	ErrMoved: "Run Packer again when no other git command is at work in the checkout.",
}

func newError(sentinel error, path string) *Error {
	return &Error{Path: path, Remedy: remedies[sentinel], Err: sentinel}
}

func outside(path, root string) *Error {
	e := newError(ErrOutside, path)
	e.Detail = " " + root
	return e
}

func nested(path, root string) *Error {
	e := newError(ErrOutside, path)
	e.Detail = ", in another one: " + root
	return e
}

func uncommitted(path, root, rel string) *Error {
	e := newError(ErrNotCommitted, path)
	e.Remedy = fmt.Sprintf("Images are named after what git has. Add the files and commit them:\n"+
		"  git -C %s add -- %s", quote(root), quote(rel))
	return e
}

// noSubmodule is for a submodule of the repository at root.
func noSubmodule(path, root string) *Error {
	e := newError(ErrSubmodule, path)
	e.Remedy = "The image would be built without its files. Check it out:\n" +
		"  git -C " + quote(root) + " submodule update --init --recursive"
	return e
}

func unsafeOwner(path, root string) *Error {
	e := newError(ErrOwner, path)
	e.Remedy = "If you trust it, tell git so:\n  git config --global --add safe.directory " + quote(root)
	return e
}

func unexpected(out string) error {
	if len(out) > 80 {
		out = out[:80]
	}
	return fmt.Errorf("%w: %q", ErrAnswer, out)
}

// foreignRepository matches git since 2.35.2, which introduced the check, and since 2.35.3, which
// changed its text.
var foreignRepository = regexp.MustCompile(
	`detected dubious ownership in repository at '([^']+)'|unsafe repository \('([^']+)' is owned`)

// brokenGitFile matches where .git is a file that points at a folder which is not there, as when a linked
// work tree is mounted into a container on its own. Git names that folder, since 2.54 "(null)", and after
// 2.55 the file.
var brokenGitFile = regexp.MustCompile(
	`^fatal: (?:not a git repository|gitfile does not point to a valid repository)(: .*)`)

// explain turns a failed command into what it means for the user. Git has one exit code for all.
func explain(err error, path, dir string) error {
	var failed *commandError
	if !errors.As(err, &failed) {
		return fmt.Errorf("inspect %q: %w", path, err)
	}
	if errors.Is(err, exec.ErrNotFound) {
		return newError(ErrNoGit, path)
	}
	if m := foreignRepository.FindStringSubmatch(failed.stderr); m != nil {
		return unsafeOwner(path, m[1]+m[2])
	}
	if strings.Contains(failed.stderr, "dubious ownership") {
		return unsafeOwner(path, dir)
	}
	if m := brokenGitFile.FindStringSubmatch(failed.stderr); m != nil {
		e := newError(ErrNoRepository, path)
		e.Detail = ": its .git file points at no repository" + strings.TrimSuffix(m[1], ": (null)")
		e.Remedy = "Mount or check out the folder that it names too, or use a clone instead of a linked work tree."
		return e
	}
	if strings.HasPrefix(failed.stderr, "fatal: not a git repository") {
		return newError(ErrNoRepository, path)
	}
	return fmt.Errorf("inspect %q: %w", path, err)
}

var plain = regexp.MustCompile(`^[A-Za-z0-9_@%+:,./-]+$`)

// quote makes a word for a POSIX shell.
func quote(word string) string {
	if plain.MatchString(word) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
