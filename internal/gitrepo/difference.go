// SPDX-License-Identifier: MPL-2.0

package gitrepo

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Difference is in what a file on disk differs from HEAD, if nobody has changed its text. The zero
// value is any other difference.
type Difference struct {
	// Mode is true if the file is executable in one of them only.
	Mode bool
	// LineEnds is true if the lines end with CRLF in one of them only.
	LineEnds bool
	// Stored is true if the bytes are the same, and git would store others: HEAD has them as they are
	// before the attributes or the settings for line ends apply.
	Stored bool
	// Filter is the filter that .gitattributes names for the file and that is not set up here.
	Filter string
}

// Differences tells for files of the checkout, by their paths in it, in what they differ from HEAD.
// What it cannot find out, it leaves out. It reads each file: ask for a few.
func (c Checkout) Differences(ctx context.Context, files []string) map[string]Difference {
	git := command{dir: c.Root}
	committed := map[string]Object{}
	files = slices.DeleteFunc(slices.Clone(files), func(name string) bool {
		info, err := os.Lstat(filepath.Join(c.Root, filepath.FromSlash(name)))
		return err != nil || !info.Mode().IsRegular() || info.Size() > maxOutput ||
			strings.Contains(name, "\n")
	})
	if git.listTree(ctx, c.Commit, files, committed) != nil {
		return nil
	}
	files = slices.DeleteFunc(files, func(name string) bool { return committed[name].SHA == "" })
	git.in = strings.Join(files, "\n") + "\n"
	ids := strings.Fields(git.run(ctx, "hash-object", "--stdin-paths").out)
	if len(files) == 0 || len(ids) != len(files) {
		return nil
	}
	filters, modes := git.missingFilters(ctx, files), git.countsModes(ctx)
	found := map[string]Difference{}
	for i, name := range files {
		var d Difference
		if ids[i] != committed[name].SHA {
			if d = git.compare(ctx, committed[name]); filters[name] != "" {
				d = Difference{Filter: filters[name]}
			}
			if d == (Difference{}) {
				continue // Somebody has changed it, whatever its mode is.
			}
		}
		info, err := os.Stat(filepath.Join(c.Root, filepath.FromSlash(name)))
		d.Mode = modes && err == nil && (info.Mode().Perm()&0o100 != 0) != committed[name].Executable
		if d != (Difference{}) {
			found[name] = d
		}
	}
	return found
}

// compare returns in what a file on disk differs from the one in HEAD, byte by byte.
func (c command) compare(ctx context.Context, was Object) (d Difference) {
	now, err := os.ReadFile(filepath.Join(c.dir, filepath.FromSlash(was.Path)))
	before := c.run(ctx, "cat-file", "blob", was.SHA)
	if err != nil || before.err != nil {
		return d
	}
	lines := func(b []byte) []byte { return bytes.ReplaceAll(b, []byte("\r\n"), []byte("\n")) }
	d.Stored = string(now) == before.out
	d.LineEnds = !d.Stored && bytes.Equal(lines(now), lines([]byte(before.out)))
	return d
}

// countsModes reports whether git compares the modes of files.
func (c command) countsModes(ctx context.Context) bool {
	got := c.run(ctx, "config", "--type=bool", "core.fileMode")
	return strings.TrimSpace(got.out) != "false"
}

// missingFilters returns the filter of each file that has one which is not set up.
func (c command) missingFilters(ctx context.Context, files []string) map[string]string {
	args := append([]string{"check-attr", "-z", "filter", "--"}, files...)
	fields := strings.Split(c.run(ctx, args...).out, "\x00")
	missing := map[string]string{}
	for ; len(fields) >= 3; fields = fields[3:] {
		name, filter := fields[0], fields[2]
		switch filter {
		case "unspecified", "unset", "set", "":
			continue
		}
		clean := c.run(ctx, "config", "filter."+filter+".clean").out
		process := c.run(ctx, "config", "filter."+filter+".process").out
		if clean+process == "" {
			missing[name] = filter
		}
	}
	return missing
}
