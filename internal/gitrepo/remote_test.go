// SPDX-License-Identifier: MPL-2.0

package gitrepo

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// cloneOf clones a repository without hard links to it.
func cloneOf(t *testing.T, origin string, args ...string) string {
	t.Helper()
	root := filepath.Join(tempDir(t), "clone")
	git(t, origin, append(append([]string{"clone", "-q"}, args...), "file://"+origin, root)...)
	return root
}

func TestAncestor(t *testing.T) {
	root := newRepo(t, map[string]string{"f": "1"})
	commits := []string{git(t, root, "rev-parse", "HEAD")}
	for _, content := range []string{"2", "3"} {
		write(t, root, map[string]string{"f": content})
		commit(t, root)
		commits = append(commits, git(t, root, "rev-parse", "HEAD"))
	}
	git(t, root, "checkout", "-q", "-b", "other", commits[0])
	write(t, root, map[string]string{"f": "4"})
	commit(t, root)
	other, blob := git(t, root, "rev-parse", "HEAD"), git(t, root, "rev-parse", "HEAD:f")
	shallow := cloneOf(t, root, "--depth=1", "-b", "main")
	deeper := cloneOf(t, root, "--depth=2", "-b", "main")
	git(t, root, "config", "uploadpack.allowFilter", "true")
	partial := cloneOf(t, root, "--filter=tree:0", "-b", "main", "--single-branch")
	tests := []struct {
		name              string
		dir, older, newer string
		want              bool
	}{
		{"parent", root, commits[1], commits[2], true},
		{"grandparent", root, commits[0], commits[2], true},
		{"itself", root, commits[2], commits[2], true},
		{"child", root, commits[2], commits[1], false},
		{"from another branch", root, other, commits[2], false},
		{"to another branch", root, commits[1], other, false},
		{"unknown", root, id, commits[2], false},
		{"no commit", root, blob, commits[2], false},
		{"name of a branch", root, "main", commits[2], false},
		{"option", root, "--all", commits[2], false},
		{"short", root, commits[0][:12], commits[2], false},
		{"empty", root, "", "", false},
		{"shallow, parent", shallow, commits[1], commits[2], true},
		{"shallow, grandparent", shallow, commits[0], commits[2], false},
		{"shallow, itself", shallow, commits[2], commits[2], true},
		{"deep enough", deeper, commits[1], commits[2], true},
		{"not deep enough", deeper, commits[0], commits[2], false},
		{"partial", partial, commits[0], commits[2], true},
		{"no repository", tempDir(t), commits[0], commits[2], false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := Ancestor(t.Context(), tt.dir, tt.older, tt.newer); got != tt.want {
				t.Errorf("got %v", got)
			}
		})
	}
}

func TestUpstream(t *testing.T) {
	origin := newRepo(t, map[string]string{"f": "1"})
	git(t, origin, "branch", "feature/x")
	tests := []struct {
		name   string
		branch string
		change func(t *testing.T, root string)
		want   Remote
	}{
		{"pushed", "main", nil, Remote{true, "origin/main", true}},
		{"behind", "main", func(t *testing.T, r string) {
			write(t, r, map[string]string{"f": "2"})
			commit(t, r)
			git(t, r, "update-ref", "refs/remotes/origin/main", "HEAD")
			git(t, r, "reset", "-q", "--hard", "HEAD^")
		}, Remote{true, "origin/main", true}},
		{"not pushed", "main", func(t *testing.T, r string) {
			write(t, r, map[string]string{"f": "2"})
			commit(t, r)
		}, Remote{true, "origin/main", false}},
		{"pushed to another branch only", "main", func(t *testing.T, r string) {
			write(t, r, map[string]string{"f": "2"})
			commit(t, r)
			git(t, r, "update-ref", "refs/remotes/origin/feature/x", "HEAD")
		}, Remote{true, "origin/main", false}},
		{"with a slash", "feature/x", nil, Remote{true, "origin/feature/x", true}},
		{"branch of this repository only", "mine", nil, Remote{true, "origin/mine", false}},
		{"detached", "", nil, Remote{Exists: true}},
		{"no remote", "main", func(t *testing.T, r string) { git(t, r, "remote", "remove", "origin") }, Remote{}},
		{"only remote", "main", func(t *testing.T, r string) { git(t, r, "remote", "rename", "origin", "acme") },
			Remote{true, "acme/main", true}},
		{"many remotes, one configured", "main", func(t *testing.T, r string) {
			git(t, r, "remote", "add", "fork", "/none")
			git(t, r, "update-ref", "refs/remotes/fork/main", "HEAD")
			git(t, r, "config", "branch.main.remote", "fork")
			git(t, r, "update-ref", "-d", "refs/remotes/origin/main")
		}, Remote{true, "fork/main", true}},
		{"many remotes, none configured", "main", func(t *testing.T, r string) {
			git(t, r, "remote", "add", "fork", "/none")
			git(t, r, "config", "--unset", "branch.main.remote")
		}, Remote{true, "origin/main", true}},
		{"many remotes, none of them origin", "main", func(t *testing.T, r string) {
			git(t, r, "remote", "rename", "origin", "acme")
			git(t, r, "remote", "add", "fork", "/none")
			git(t, r, "config", "--unset", "branch.main.remote")
		}, Remote{Exists: true}},
		{"tracks a branch of this repository", "main", func(t *testing.T, r string) {
			git(t, r, "config", "branch.main.remote", ".")
		}, Remote{true, "origin/main", true}},
		{"tracks a URL", "main", func(t *testing.T, r string) {
			git(t, r, "config", "branch.main.remote", "https://example.com/x")
		}, Remote{true, "origin/main", true}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			root := cloneOf(t, origin)
			if tt.change != nil {
				tt.change(t, root)
			}
			got, err := Upstream(t.Context(), root, tt.branch)
			must(t, err)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestUpstream_failure(t *testing.T) {
	isolate(t)
	var known *Error
	if got, err := Upstream(t.Context(), tempDir(t), "main"); !errors.As(err, &known) {
		t.Errorf("no repository: got %+v, %v", got, err)
	}
	root := newRepo(t, map[string]string{"f": "1"})
	git(t, root, "remote", "add", "origin", "/none")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if got, err := Upstream(ctx, root, "main"); !errors.Is(err, context.Canceled) {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestDefaultBranch(t *testing.T) {
	origin := newRepo(t, map[string]string{"f": "1"})
	git(t, origin, "branch", "-m", "release/1")
	clone := cloneOf(t, origin)
	git(t, clone, "checkout", "-q", "-b", "mine")
	for dir, want := range map[string]string{clone: "release/1", origin: "", tempDir(t): ""} {
		if got := DefaultBranch(t.Context(), dir); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestOrigin(t *testing.T) {
	root := newRepo(t, map[string]string{"f": "1"})
	check := func(want string) {
		t.Helper()
		if got := Origin(t.Context(), root); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	check("")
	git(t, root, "remote", "add", "acme", "git@github.com:acme/images.git")
	check("github.com/acme/images")
	git(t, root, "remote", "add", "fork", "git@github.com:jane/images.git")
	check("")
	git(t, root, "remote", "add", "origin", "gh:acme/base")
	git(t, root, "config", "remote.origin.pushurl", "https://github.com/jane/base")
	check("gh/acme/base")
	git(t, root, "config", "url.https://x:hunter2@github.com/.insteadOf", "gh:")
	check("github.com/acme/base")
	if got := Origin(t.Context(), tempDir(t)); got != "" {
		t.Errorf("no repository: got %q", got)
	}
}

func TestNormalize(t *testing.T) {
	const want = "github.com/acme/images"
	tests := []struct{ name, in, want string }{
		{"scp", "git@github.com:acme/images.git", want},
		{"scp without user", "github.com:acme/images", want},
		{"scp, absolute", "git@github.com:/acme/images.git", want},
		{"https", "https://github.com/acme/images", want},
		{"https, user and password", "https://x:hunter2@github.com/acme/images.git", want},
		{"https, slash at the end", "https://github.com/acme/images.git/", want},
		{"https, slashes inside", "https://github.com//acme//images", want},
		{"https, query and fragment", "https://github.com/acme/images?token=hunter2#x", want},
		{"https, port", "https://GitHub.com:443/acme/images", want},
		{"ssh, port", "ssh://git@github.com:22/acme/images.git", want},
		{"git", "git://github.com/acme/images", want},
		{"dots", "https://github.com/x/../acme/images", want},
		{"case of the path", "https://github.com/Acme/Images", "github.com/Acme/Images"},
		{"CodeCommit", "https://git-codecommit.eu-west-1.amazonaws.com/v1/repos/images",
			"git-codecommit.eu-west-1.amazonaws.com/v1/repos/images"},
		{"escaped", "https://dev.azure.com/acme/my%20images/_git/x", "dev.azure.com/acme/my%20images/_git/x"},
		{"IPv6", "ssh://git@[::1]:22/x", "::1/x"},
		{"password with an at", "https://x:a@b@github.com/acme/images", want},
		{"space", "git@github.com:acme/my images", ""},
		{"shell", "git@github.com:acme/$(id)", ""},
		{"backtick", "git@github.com:acme/`id`", ""},
		{"quote", `git@github.com:acme/"x`, ""},
		{"apostrophe", "https://github.com/acme/it's", ""},
		{"backslash", `git@github.com:acme\images`, ""},
		{"control character", "git@github.com:acme/\x1b[31m", ""},
		{"not ASCII", "git@github.com:acme/bäse", ""},
		{"long", "git@github.com:" + strings.Repeat("a", 250), ""},
		{"folder", "/srv/git/images.git", ""},
		{"folder with a colon", "./a:b", ""},
		{"file", "file:///srv/git/images.git", ""},
		{"file on a host", "file://host/images.git", ""},
		{"drive", `C:\git\images`, ""},
		{"drive, slashes", "C:/git/images", ""},
		{"helper program", "codecommit::eu-west-1://images", ""},
		{"helper program, no scheme", "ext::sh -c x", ""},
		{"unknown scheme", "s3://bucket/images", ""},
		{"host only", "https://github.com/", ""},
		{"no host", "https:///acme/images", ""},
		{"only a suffix", "git@github.com:.git", ""},
		{"empty", "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := normalize(tt.in); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// FuzzNormalize takes whatever a repository may have as the address of its remote: what comes out
// holds no user, and comes out again if it is cloned from there.
func FuzzNormalize(f *testing.F) {
	for _, seed := range []string{
		"git@github.com:acme/images.git", "https://x:y@github.com/acme/images?a=b#c", "ssh://git@[::1]:22/x",
		"C:/x", "a@b@c:d@e", "https://a/b.git.git", "x:../..", "https://a/%2e%2e/%00",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, address string) {
		got := normalize(address)
		if got == "" {
			return
		}
		host, folder, found := strings.Cut(got, "/")
		if !found || host == "" || folder == "" || strings.Contains(host, "@") ||
			strings.ContainsAny(got, " \"'`$\\\n\x00") || strings.Contains(got, "//") || strings.HasSuffix(got, "/") {
			t.Errorf("%q became %q", address, got)
		}
	})
}
