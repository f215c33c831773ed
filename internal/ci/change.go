// SPDX-License-Identifier: MPL-2.0

package ci

import (
	"os/user"

	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
)

// Facts returns the build as a manifest has it, or nil outside of CI.
func (b Build) Facts() *manifest.CI {
	if b.Provider == "" {
		return nil
	}
	return &manifest.CI{Provider: b.Provider, BuildID: b.BuildID, BuildURL: b.BuildURL}
}

// Change returns who makes a change now, and why: the build, or outside of CI the user of this
// machine. It does not say when.
func (b Build) Change(reason string) manifest.Change {
	by := b.By
	if b.Provider == "" {
		if local, err := user.Current(); err == nil {
			by = clean(local.Username)
		}
	}
	return manifest.Change{By: by, CI: b.Facts(), Reason: clean(reason)}
}
