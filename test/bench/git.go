// SPDX-License-Identifier: MPL-2.0

package main

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/packer-chain/packer-plugin-chain/internal/gitrepo"
	"github.com/packer-chain/packer-plugin-chain/test/lab/workspace"
)

// git measures whether the size of the repository matters beside the folder of the image.
func git(ctx context.Context, l *lab) (findings, error) {
	small, err := l.bigRepo(ctx, l.pick(500, 20), l.pick(50, 5))
	if err != nil {
		return findings{}, err
	}
	big, err := l.bigRepo(ctx, l.pick(50_000, 200), l.pick(5_000, 20))
	if err != nil {
		return findings{}, err
	}
	needed := func(repo *workspace.Repo) side {
		return func() (float64, error) {
			seconds, err := l.template(ctx, "needed", "-var", "image=app", "-var", "path="+appFolder(repo))
			return 1000 * seconds, err
		}
	}
	inspect := func(repo *workspace.Repo) side {
		return func() (float64, error) {
			start := time.Now()
			_, err := gitrepo.Inspect(ctx, nil, appFolder(repo))
			return milliseconds(time.Since(start)), err
		}
	}
	values, err := l.inTurn(20, needed(big), needed(small), inspect(big), inspect(small))
	if err != nil {
		return findings{}, err
	}
	in := func(full, quick string) string {
		if l.quick {
			return quick
		}
		return full
	}
	many := in("50,000 files and 5,000 commits", "200 files and 20 commits")
	few := in("500 files and 50 commits", "20 files and 5 commits")
	return findings{figures: []figure{
		{name: "needed_50k_files_vs_500", unit: "ms", ours: values[0], theirs: values[1],
			us: "`packer build templates/needed.pkr.hcl` for a folder of 3 files, " + many, them: "the same, " + few,
			goal: goal{text: "flat: within 10 %", most: 1.1}},
		{name: "git_50k_files_vs_500", unit: "ms", ours: values[2], theirs: values[3],
			us: "the git part of it alone, " + many, them: "the same, " + few},
	}}, nil
}

func appFolder(repo *workspace.Repo) string { return filepath.Join(repo.Dir, "images", "app") }

// bigRepo makes a repository with a small folder images/app, and many other files and commits.
func (l *lab) bigRepo(ctx context.Context, files, commits int) (*workspace.Repo, error) {
	started := time.Now()
	repo, err := workspace.New(ctx, l.folder(fmt.Sprintf("repo%d", files)))
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, "git", "fast-import", "--quiet")
	cmd.Dir, cmd.Stdin = repo.Dir, bytes.NewReader(stream(files, commits))
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("git fast-import: %w\n%s", err, out)
	}
	// Status writes the index once more, with times that need no second look.
	for _, args := range [][]string{{"reset", "--quiet", "--hard", "main"}, {"status", "--short"}} {
		if _, err := repo.Git(ctx, args...); err != nil {
			return nil, err
		}
	}
	l.logf("   a repository of %d files and %d commits in %s", files, commits, time.Since(started).Round(time.Millisecond))
	return repo, nil
}

// stream is what git fast-import reads: a commit with all files, and more that change one file each.
func stream(files, commits int) []byte {
	var b bytes.Buffer
	write := func(name, text string) { fmt.Fprintf(&b, "M 100644 inline %s\ndata %d\n%s\n", name, len(text), text) }
	begin := func(i int) {
		fmt.Fprintf(&b, "commit refs/heads/main\ncommitter Acme <images@example.com> %d +0000\ndata 6\nchange\n", 1767323045+60*i)
	}
	begin(0)
	for _, name := range []string{"app.pkr.hcl", "tasks/install.sh", "tasks/clean.sh"} {
		write("images/app/"+name, "# "+name)
	}
	for i := range files {
		write(fmt.Sprintf("src/%03d/%03d.txt", i/100, i%100), fmt.Sprintf("file %d", i))
	}
	for i := 1; i < commits; i++ {
		begin(i)
		file := i % files
		write(fmt.Sprintf("src/%03d/%03d.txt", file/100, file%100), fmt.Sprintf("file %d, commit %d", file, i))
	}
	return b.Bytes()
}
