// SPDX-License-Identifier: MPL-2.0

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// wanted is in how many regions the images of the chain are, where nothing else is said.
const wanted = 3

// buildChains builds the two images of example/ with the plugin, and the same two with glue, once. The
// repository has them side by side: base and snowflake, old/base and old/snowflake.
func (l *lab) buildChains(ctx context.Context) error {
	if l.chain {
		return nil
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
	if _, err := l.repo.Commit(ctx, "base and snowflake, twice"); err != nil {
		return err
	}
	for _, step := range []side{
		func() (float64, error) { return l.build(ctx, l.repoFolder("base"), copyTo(wanted)...) },
		func() (float64, error) { return l.build(ctx, l.repoFolder("snowflake"), copyTo(wanted)...) },
		func() (float64, error) { return l.glue(ctx, wanted, "build", "base") },
		func() (float64, error) { return l.gluedSnowflake(ctx, wanted) },
	} {
		took, err := step()
		if err != nil {
			return err
		}
		l.logf("   baked in %.1f s", took)
	}
	l.chain = true
	l.proxy.take()
	return l.readUbuntu()
}

// readUbuntu reads which AMI the example's base was built on.
func (l *lab) readUbuntu() error {
	var document struct {
		Builds []struct {
			Images []struct {
				SourceID string `json:"source_id"`
			} `json:"images"`
		} `json:"builds"`
	}
	body, err := os.ReadFile(l.repoFolder("base", "manifest-baseline-ubuntu.json"))
	if err != nil {
		return err
	}
	if err := json.Unmarshal(body, &document); err != nil {
		return err
	}
	if len(document.Builds) == 0 || len(document.Builds[0].Images) == 0 {
		return fmt.Errorf("read manifest-baseline-ubuntu.json: it names no image\n%s", body)
	}
	l.ubuntu = document.Builds[0].Images[0].SourceID
	return nil
}

// change commits another version of both snowflakes.
func (l *lab) change(ctx context.Context) error {
	for _, name := range []string{"snowflake/tasks/docker.sh", "old/snowflake/tasks/image.sh"} {
		body, err := os.ReadFile(l.repoFolder(name))
		if err != nil {
			return err
		}
		if err := l.repo.Write(name, string(body)+"# again\n"); err != nil {
			return err
		}
	}
	_, err := l.repo.Commit(ctx, "snowflake: again")
	return err
}

func (l *lab) repoFolder(parts ...string) string {
	return filepath.Join(append([]string{l.repo.Dir}, parts...)...)
}

// gluedSnowflake runs the glue in a fresh checkout, as CI does: there is no manifest of an earlier run.
func (l *lab) gluedSnowflake(ctx context.Context, n int, env ...string) (float64, error) {
	for _, image := range []string{"base", "snowflake"} {
		if err := os.RemoveAll(l.repoFolder("old", image, "packer-manifest.json")); err != nil {
			return 0, err
		}
	}
	return l.glueWith(ctx, n, env, "build", "snowflake", "base")
}

// copyTo is the option of the example for AMIs in the first n regions.
func copyTo(n int) []string { return []string{"-var", "copy_to=" + hclList(regions[1:n])} }

// hclList writes a list of words as HCL.
func hclList(words []string) string {
	if len(words) == 0 {
		return "[]"
	}
	return `["` + strings.Join(words, `","`) + `"]`
}

// gitName is the git object id of a folder of the repository.
func (l *lab) gitName(ctx context.Context, folder string) (string, error) {
	return l.repo.Git(ctx, "rev-parse", "HEAD:"+folder)
}
