// SPDX-License-Identifier: MPL-2.0

package main

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"

	"github.com/packer-chain/packer-plugin-chain/test/lab/workspace"
)

// measureFiles measures whether the size of the repository around the folder of the image matters.
func (l *lab) measureFiles(ctx context.Context) error {
	var commands []command
	for _, size := range []struct{ files, commits int }{
		{l.pick(50_000, 200), l.pick(5_000, 20)},
		{l.pick(500, 20), l.pick(50, 5)},
	} {
		folder := fmt.Sprintf("files%d", size.files)
		repo, err := workspace.New(ctx, l.path(folder))
		if err != nil {
			return err
		}
		cmd := exec.CommandContext(ctx, "git", "fast-import", "--quiet")
		cmd.Dir, cmd.Stdin = repo.Dir, bytes.NewReader(stream(size.files, size.commits))
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("git fast-import: %w\n%s", err, out)
		}
		// Status writes the index once more, with times that need no second look.
		for _, args := range [][]string{{"reset", "--quiet", "--hard", "main"}, {"status", "--short"}} {
			if _, err := repo.Git(ctx, args...); err != nil {
				return err
			}
		}
		commands = append(commands, l.template("needed", "path="+folder+"/image"))
	}
	got, err := l.turns(ctx, 20, commands...)
	if err != nil {
		return err
	}
	l.compare("files_50k_vs_500", "ratio at most 1.1", got[0], got[1])
	return nil
}

// stream returns what git fast-import reads: one commit with the folder image and all other files,
// and more commits that change one file each.
func stream(files, commits int) []byte {
	var b bytes.Buffer
	write := func(name, text string) {
		fmt.Fprintf(&b, "M 100644 inline %s\ndata %d\n%s\n", name, len(text), text)
	}
	for i := range commits {
		fmt.Fprintf(&b, "commit refs/heads/main\ncommitter Acme <images@example.com> %d +0000\n"+
			"data 6\nchange\n", 1767323045+60*i)
		if i > 0 {
			write(fmt.Sprintf("src/%d/%d.txt", i%files/100, i%files), fmt.Sprintf("commit %d", i))
			continue
		}
		for _, name := range []string{"app.pkr.hcl", "tasks/install.sh", "tasks/clean.sh"} {
			write("image/"+name, "# "+name)
		}
		for j := range files {
			write(fmt.Sprintf("src/%d/%d.txt", j/100, j), fmt.Sprintf("file %d", j))
		}
	}
	return b.Bytes()
}
