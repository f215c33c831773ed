// SPDX-License-Identifier: MPL-2.0

package gitrepo

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/packer-chain/packer-plugin-chain/internal/text"
)

// DirtyFiles returns the dirty files of all objects together, sorted, each once.
func (c Checkout) DirtyFiles() []string {
	var all []string
	for _, o := range c.Objects {
		all = append(all, o.Dirty...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// DirtyHash returns one hash of what no object id names, for all objects together: "" if there is
// no such content, else hex SHA-256. The order of the objects does not matter.
func (c Checkout) DirtyHash() string {
	var lines []string
	for _, o := range c.Objects {
		if o.DirtyHash != "" {
			lines = append(lines, o.DirtyHash+" "+o.Path+"\x00")
		}
	}
	if len(lines) == 0 {
		return ""
	}
	slices.Sort(lines)
	return text.SHA256(strings.Join(slices.Compact(lines), ""))
}

// Name returns a name for the content on disk: its object id, followed, for what no object id
// names, by the beginning of a hash. Content has the same name before and after its commit.
func (o Object) Name() string {
	if o.DirtyHash == "" {
		return o.Content
	}
	return fmt.Sprintf("%s-dirty-%.12s", o.Content, o.DirtyHash)
}

// readDirty fills in what differs from HEAD. index is the output of listIndex.
func (c *Checkout) readDirty(
	ctx context.Context, base target, index string, files []file,
) error {
	if len(files) == 0 {
		return nil
	}
	c.Overlooked = map[string]string{}
	for _, f := range files {
		if f.overlooked != "" {
			c.Overlooked[f.path] = f.overlooked
		}
	}
	var dirty []*Object
	for i := range c.Objects {
		o := &c.Objects[i]
		for _, f := range (workTree{files: files}).under(o.Path) {
			o.Dirty = append(o.Dirty, f.path)
		}
		if len(o.Dirty) > 0 {
			dirty = append(dirty, o)
		}
	}
	found, err := inspectDisk(c.Root, files)
	if err != nil {
		return err
	}
	if err := (command{dir: c.Root}).nameContent(ctx, index, found, dirty); err != nil {
		return explain(err, base.name, c.Root)
	}
	return hashForeign(ctx, c.Root, found.foreign, dirty)
}
