// SPDX-License-Identifier: MPL-2.0

package acceptance

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/packer-chain/packer-plugin-chain/test/lab/workspace"
)

// gh stands in for GitHub's command: it keeps a log, the state of the draft, and the files. If there
// is a file "broken" in GH, an upload fails after the first bytes of its first file.
const gh = `#!/usr/bin/env bash
set -eu
echo "$*" >>"$GH/log"
case "$1 $2" in
"release view")
	if [[ -e $GH/offline ]]; then echo "no route to host" >&2; exit 1; fi
	if [[ ! -e $GH/draft ]]; then echo "release not found" >&2; exit 1; fi
	cat "$GH/draft"
	ls "$GH" ;;
"release create") echo true >"$GH/draft" ;;
"release delete-asset") rm "$GH/$4" ;;
"release upload")
	shift 4
	if [[ -e $GH/broken ]]; then head -c 1000 "$1" >"$GH/${1##*/}"; exit 1; fi
	cp "$@" "$GH" ;;
esac
`

// publish publishes the release, with a folder in the place of GitHub, and returns what was asked.
func (c *sourceTree) publish(t *testing.T, dir string) (string, error) {
	t.Helper()
	return c.publishAs(t, "v"+c.version, dir)
}

// publishAs runs scripts/publish with a tag.
func (c *sourceTree) publishAs(t *testing.T, tag, dir string) (string, error) {
	t.Helper()
	bin := workspace.Repo{Dir: t.TempDir()}
	if err := bin.Write("gh", gh); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(bin.Dir, "gh"), 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "bash", "scripts/publish", tag)
	cmd.Dir = c.Dir
	cmd.Env = []string{"GH=" + dir, "PATH=" + bin.Dir + ":" + os.Getenv("PATH")}
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w\n%s", err, out)
	}
	log, err := os.ReadFile(filepath.Join(dir, "log"))
	return string(log), err
}

// TestAccRelease_publish checks what is uploaded when: the checksums last, and all into a draft.
func TestAccRelease_publish(t *testing.T) {
	newPacker(t)
	t.Parallel()
	c := releases(t)[0]
	dir := t.TempDir()
	log, err := c.publish(t, dir)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"release view v0.2.0 ", "release create v0.2.0 --draft --verify-tag ",
		"release upload v0.2.0 --clobber dist/" + filepath.Base(c.archive()) + "\n",
		"release upload v0.2.0 --clobber dist/" + filepath.Base(c.sums()) + "\n",
	}
	asked := slices.Collect(strings.Lines(log))
	if !slices.EqualFunc(asked, want, strings.HasPrefix) {
		t.Fatalf("gh was asked:\n%swant lines that begin so:\n%s", log, strings.Join(want, "\n"))
	}
	if log, err = c.publish(t, dir); err != nil || strings.Count(log, "release create") != 1 {
		t.Errorf("a second attempt: %v\n%s", err, log)
	}
	mark(t, dir, "draft", "false")
	if _, err := c.publish(t, dir); err == nil ||
		!strings.Contains(err.Error(), "v0.2.0 is published already") {
		t.Errorf("a published release: %v", err)
	}
}

// TestAccRelease_interrupted checks that an upload that fails leaves no checksums, without which
// packer init takes nothing: the first one, and one that replaces the files of a draft.
func TestAccRelease_interrupted(t *testing.T) {
	newPacker(t)
	t.Parallel()
	c := releases(t)[0]
	first, second := t.TempDir(), t.TempDir()
	if _, err := c.publish(t, second); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{first, second} {
		mark(t, dir, "broken", "")
		if _, err := c.publish(t, dir); err == nil {
			t.Error("an upload has failed, and publish has not")
		}
		if files, _ := filepath.Glob(dir + "/*SUMS"); len(files) != 0 {
			t.Errorf("%v are left beside an archive that is not whole", files)
		}
	}

	offline := t.TempDir()
	mark(t, offline, "offline", "")
	if _, err := c.publish(t, offline); err == nil || !strings.Contains(err.Error(), "no route") {
		t.Errorf("without GitHub: %v", err)
	}
	if log := string(read(t, filepath.Join(offline, "log"))); strings.Contains(log, "create") {
		t.Errorf("it does not know whether the tag has a draft, and makes one:\n%s", log)
	}
}

// TestAccRelease_refused checks what is not uploaded at all.
func TestAccRelease_refused(t *testing.T) {
	newPacker(t)
	t.Parallel()
	released := releases(t)[0]
	const version, changes = "internal/version/version.go", "CHANGELOG.md"
	archive, sums := "dist/"+filepath.Base(released.archive()), "dist/"+filepath.Base(released.sums())
	for name, test := range map[string]struct {
		tag, file, text, want string
	}{
		"another version": {"v0.2.0", version, "\tVersion = \"0.2.1\"\n", "internal/version is 0.2.1"},
		"no changes":      {"v0.2.0", changes, "## Unreleased\n\n## 0.2.01\n", "no section 0.2.0"},
		"a prerelease":    {"v0.2.0-rc1", "", "", "not a tag such as v0.2.0"},
		"no v":            {"0.2.0", "", "", "not a tag such as v0.2.0"},
		"no checksums":    {"v0.2.0", sums, "", "run make release"},
		"no checksum":     {"v0.2.0", "dist/other.zip", "", "run make release"},
		"other bytes":     {"v0.2.0", archive, "x", "run make release"},
	} {
		t.Run(name, func(t *testing.T) {
			c := &sourceTree{Repo: workspace.Repo{Dir: t.TempDir()}, version: "0.2.0"}
			for _, file := range []string{version, changes, "scripts/publish", "scripts/tag-fits",
				archive, sums} {
				text := string(read(t, filepath.Join(released.Dir, file)))
				if err := c.Write(file, text); err != nil {
					t.Fatal(err)
				}
			}
			if test.file != "" {
				if err := c.Write(test.file, test.text); err != nil {
					t.Fatal(err)
				}
			}
			_, err := c.publishAs(t, test.tag, t.TempDir())
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

// mark writes a file from which the stand-in of gh knows how GitHub is.
func mark(t *testing.T, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
}
