// SPDX-License-Identifier: MPL-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/packer-chain/packer-plugin-chain/test/lab/workspace"
)

// layOut creates the repository with both chains.
func (l *lab) layOut(ctx context.Context) (err error) {
	if l.repo, err = workspace.New(ctx, l.path("images")); err != nil {
		return err
	}
	if err := l.repo.CopyFrom(filepath.Join(l.root, "example")); err != nil {
		return err
	}
	template, err := os.ReadFile(filepath.Join(l.root, "test", "bench", "glue", "image.pkr.hcl"))
	if err != nil {
		return err
	}
	files := map[string]string{".gitignore": "manifest-*.json\npacker-manifest.json*\npacker_cache/\n"}
	for _, image := range []string{"base", "snowflake"} {
		files["old/"+image+"/image.pkr.hcl"] = string(template)
		files["old/"+image+"/tasks/image.sh"] = "echo " + image + "\n"
	}
	for name, text := range files {
		if err := l.repo.Write(name, text); err != nil {
			return err
		}
	}
	_, err = l.repo.Commit(ctx, "base and snowflake, twice")
	return err
}

// build returns the command packer build in a folder of the repository.
func (l *lab) build(folder string, args ...string) command {
	argv := append(append([]string{"packer", "build"}, args...), ".")
	return command{
		text: "`" + strings.Join(argv, " ") + "` in " + folder,
		run: func(ctx context.Context) error {
			_, err := l.exec(ctx, filepath.Join(l.repo.Dir, folder), argv...)
			return err
		},
	}
}

// template returns the command packer build for a file in test/bench/templates. Variables look like
// "way=registry".
func (l *lab) template(name string, variables ...string) command {
	argv := []string{"packer", "build"}
	for _, variable := range variables {
		argv = append(argv, "-var", variable)
	}
	file := name + ".pkr.hcl"
	return command{
		text: "`" + strings.Join(append(argv, file), " ") + "`",
		run: func(ctx context.Context) error {
			path := filepath.Join(l.root, "test", "bench", "templates", file)
			_, err := l.exec(ctx, l.dir, append(argv, path)...)
			return err
		},
	}
}

// glue returns a run of test/bench/glue/build.sh in a fresh checkout, as in CI.
func (l *lab) glue(images ...string) command {
	script := filepath.Join(l.root, "test", "bench", "glue", "build.sh")
	argv := append([]string{"bash", script, "build"}, images...)
	return command{
		text: "`glue/build.sh " + strings.Join(argv[2:], " ") + "`",
		before: func(context.Context) (err error) {
			for _, image := range images {
				file := filepath.Join(l.repo.Dir, "old", image, "packer-manifest.json")
				err = errors.Join(err, os.RemoveAll(file))
			}
			return err
		},
		run: func(ctx context.Context) error {
			_, err := l.exec(ctx, filepath.Join(l.repo.Dir, "old"), argv...)
			return err
		},
	}
}

// bakeChain builds the images of the plugin's chain, once.
func (l *lab) bakeChain(ctx context.Context) error {
	return l.once(ctx, l.build("base"), l.build("snowflake"))
}

// bakeGlued builds the images of the glue's chain, once.
func (l *lab) bakeGlued(ctx context.Context) error {
	for _, tool := range []string{"aws", "jq", "bash"} {
		if _, err := exec.LookPath(tool); err != nil {
			return fmt.Errorf("find %s: %w\n\nThe plugin is measured against it: install it.", tool, err)
		}
	}
	return l.once(ctx, l.glue("base"), l.glue("snowflake", "base"))
}

// once runs each of the commands that it has not run before.
func (l *lab) once(ctx context.Context, commands ...command) error {
	for _, c := range commands {
		if l.done[c.text] {
			continue
		}
		seconds, err := c.once(ctx)
		if err != nil {
			return fmt.Errorf("%s: %w", c.text, err)
		}
		l.logf("   %.1f s: %s", seconds, c.text)
		l.done[c.text] = true
	}
	return nil
}

// change commits another version of files.
func (l *lab) change(ctx context.Context, names ...string) error {
	for _, name := range names {
		body, err := os.ReadFile(filepath.Join(l.repo.Dir, name))
		if err != nil {
			return err
		}
		if err := l.repo.Write(name, string(body)+"# again\n"); err != nil {
			return err
		}
	}
	_, err := l.repo.Commit(ctx, "again")
	return err
}

// hclList returns a list of words in HCL.
func hclList(words []string) string {
	return strings.ReplaceAll(fmt.Sprintf("%q", words), " ", ",")
}
