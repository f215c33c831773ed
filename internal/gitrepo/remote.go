// SPDX-License-Identifier: MPL-2.0

package gitrepo

import (
	"context"
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
)

// Ancestor reports whether the checkout knows that the commit older is an ancestor of newer, or
// newer itself. It is false if the history that a shallow clone has does not reach back to older. A
// clone of depth 1 still knows the parents of its commit.
func Ancestor(ctx context.Context, dir, older, newer string) bool {
	if !manifest.IsGitSHA(older) || !manifest.IsGitSHA(newer) {
		return false
	}
	return isAncestor(ctx, dir, older, newer).err == nil || isParent(ctx, dir, older, newer)
}

// isParent reports whether the commit newer names older as a parent. In a shallow clone, that is
// hidden from all commands but the one that prints the commit itself.
func isParent(ctx context.Context, dir, older, newer string) bool {
	git := command{dir: dir, env: []string{"GIT_NO_LAZY_FETCH=1"}}
	header, _, _ := strings.Cut(git.run(ctx, "cat-file", "commit", newer).out, "\n\n")
	return slices.Contains(strings.Split(header, "\n"), "parent "+older)
}

// isAncestor fails if older is not an ancestor of newer. A partial clone must not go and fetch a
// commit that may not even exist.
func isAncestor(ctx context.Context, dir, older, newer string) result {
	git := command{dir: dir, env: []string{"GIT_NO_LAZY_FETCH=1"}}
	return git.run(ctx, "merge-base", "--is-ancestor", older, newer)
}

// Remote is what a repository knows of a branch in its remote repository.
type Remote struct {
	// Exists is true if the repository has any remote.
	Exists bool
	// Ref is the remote-tracking branch of the same name, such as "origin/main", whether it exists or
	// not. It is empty if there are many remotes, and nothing says which one counts.
	Ref string
	// Pushed is true if Ref contains HEAD, by what the repository knows without a fetch.
	Pushed bool
}

// Upstream returns what the repository of dir knows of the branch in its remote repository: the
// remote that the branch is configured to pull from, else "origin", else the only one.
func Upstream(ctx context.Context, dir, branch string) (Remote, error) {
	git := command{dir: dir}
	remotes := git.run(ctx, "remote")
	if remotes.err != nil {
		return Remote{}, explain(remotes.err, dir, dir)
	}
	names := strings.Fields(remotes.out)
	remote := Remote{Exists: len(names) > 0}
	if !remote.Exists || branch == "" {
		return remote, nil
	}
	// It fails if nothing is set. "." is this repository, and a URL has no remote-tracking branches.
	name := strings.TrimSuffix(git.run(ctx, "config", "branch."+branch+".remote").out, "\n")
	if !slices.Contains(names, name) {
		name = mainRemote(names)
	}
	if name == "" {
		return remote, ctx.Err()
	}
	remote.Ref = name + "/" + branch
	remote.Pushed = isAncestor(ctx, dir, "HEAD", "refs/remotes/"+remote.Ref).err == nil
	return remote, ctx.Err()
}

// mainRemote returns "origin", the only one, or "".
func mainRemote(names []string) string {
	switch {
	case slices.Contains(names, "origin"):
		return "origin"
	case len(names) == 1:
		return names[0]
	}
	return ""
}

// DefaultBranch returns the branch that a clone of the remote "origin" begins with, as far as the
// repository of dir knows, else "". A clone knows it; the checkout of most CI systems does not.
func DefaultBranch(ctx context.Context, dir string) string {
	const prefix = "refs/remotes/origin/"
	got := command{dir: dir}.run(ctx, "symbolic-ref", "--quiet", prefix+"HEAD")
	name, found := strings.CutPrefix(strings.TrimSuffix(got.out, "\n"), prefix)
	if got.err != nil || !found || manifest.CheckBranch(name) != nil {
		return ""
	}
	return name
}

// Origin returns the address of the remote "origin", or of the only one, in a form that all clones
// of one repository share, such as "github.com/acme/images": without scheme, user, password, port,
// query and ".git". It is empty if there is none, if it is a local folder, or if it has other than
// printable ASCII characters, or spaces, quotes, "$" or "\\".
func Origin(ctx context.Context, dir string) string {
	// Unlike "git config", this follows url.*.insteadOf.
	got := command{dir: dir}.run(ctx, "remote", "-v")
	if got.err != nil {
		return ""
	}
	addresses := map[string]string{}
	var names []string
	for line := range strings.Lines(got.out) {
		name, address, _ := strings.Cut(line, "\t")
		// A partial clone has its filter after "(fetch)".
		if address, _, isFetch := strings.Cut(address, " (fetch)"); isFetch {
			addresses[name] = address
			names = append(names, name)
		}
	}
	return normalize(addresses[mainRemote(names)])
}

// maxOrigin is the longest address that [Origin] returns.
const maxOrigin = 255

// normalize returns host and path of an address that git can clone from.
func normalize(address string) string {
	host, folder := split(address)
	folder = strings.TrimSuffix(strings.Trim(path.Clean("/"+folder), "/"), ".git")
	folder = strings.TrimRight(folder, "/")
	origin := strings.ToLower(host) + "/" + folder
	strange := strings.ContainsFunc(origin, func(r rune) bool {
		return r <= ' ' || r >= 0x7f || strings.ContainsRune("\"'`$\\", r)
	})
	if host == "" || folder == "" || strange || len(origin) > maxOrigin {
		return ""
	}
	return origin
}

// schemes are those of addresses that have a host. Others are local, or say nothing about where the
// repository is, because a helper program resolves them.
var schemes = []string{"https", "http", "ssh", "git", "git+ssh", "ssh+git", "ftp", "ftps"}

// split returns the host and the path of an address, or nothing.
func split(address string) (host, folder string) {
	if strings.Contains(address, "://") {
		u, err := url.Parse(address)
		if err != nil || !slices.Contains(schemes, strings.ToLower(u.Scheme)) {
			return "", ""
		}
		return u.Hostname(), u.EscapedPath()
	}
	// As git does it: user@host:path, unless there is a slash before the colon. On Windows, a single
	// letter before it is a drive. Two colons follow the name of a helper program.
	host, folder, found := strings.Cut(address, ":")
	host = host[strings.LastIndex(host, "@")+1:]
	if !found || strings.ContainsAny(host, "/[") || len(host) < 2 || strings.HasPrefix(folder, ":") {
		return "", ""
	}
	return host, folder
}
