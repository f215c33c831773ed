// SPDX-License-Identifier: MPL-2.0

package acceptance

import (
	"context"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/packer-chain/packer-plugin-chain/test/lab/workspace"
)

// startBlock is a block of the five-minute start.
var startBlock = regexp.MustCompile("(?ms)^```(\\w+)\n(.*?)^```$")

// fileName is how the text before a template names its file.
var fileName = regexp.MustCompile("`(\\w+/\\w+\\.pkr\\.hcl)`")

// ids are hashes, which differ from run to run. A page may cut them off.
var ids = regexp.MustCompile(`\b[0-9a-f]{7,64}\b…?`)

// TestAccStart does what docs/start.md says, in its order: it writes the templates, runs the
// commands, and wants the lines that the page shows.
func TestAccStart(t *testing.T) {
	packer := newPacker(t)
	t.Parallel()
	repo, err := workspace.New(t.Context(), filepath.Join(t.TempDir(), "start"))
	if err != nil {
		t.Fatal(err)
	}
	env := append(repo.Environ(), packer.With(withoutAmazon()).Environ()...)
	text := string(read(t, root+"/docs/start.md"))
	output, shown := "", 0
	var templates []string
	for _, match := range startBlock.FindAllStringSubmatch(text, -1) {
		block := match[2]
		switch match[1] {
		case "hcl":
			templates = append(templates, block)
			if err := repo.Write(fileOf(t, text, block), block); err != nil {
				t.Fatal(err)
			}
		case "sh":
			output = runShell(t.Context(), t, repo.Dir, env, block)
		case "text":
			for line := range strings.Lines(block) {
				line = ids.ReplaceAllString(strings.TrimSpace(line), "ID")
				shown++
				if !strings.Contains(output, line) {
					t.Errorf("the page shows %q, and this was printed:\n%s", line, output)
				}
			}
		}
	}
	if len(templates) != 4 || shown < 15 {
		t.Errorf("the page has %d templates and %d lines of output", len(templates), shown)
	}
}

// fileOf returns the name of a template: the last one that the page has named before it.
func fileOf(t *testing.T, text, block string) string {
	t.Helper()
	upTo, _, _ := strings.Cut(text, "```hcl\n"+block)
	names := fileName.FindAllStringSubmatch(upTo, -1)
	if len(names) == 0 {
		t.Fatalf("the page does not name the file of the template\n%s", block)
	}
	return names[len(names)-1][1]
}

// runShell runs commands of a page, of which each has to succeed, and returns what they print, with
// ID for each hash.
func runShell(
	ctx context.Context, t *testing.T, dir string, env []string, commands string,
) string {
	t.Helper()
	cmd := exec.CommandContext(ctx, "sh", "-e", "-c", commands)
	cmd.Dir, cmd.Env = dir, env
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v, from:\n%s\n%s", err, commands, out)
	}
	return ids.ReplaceAllString(string(out), "ID")
}
