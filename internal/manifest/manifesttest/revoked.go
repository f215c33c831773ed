// SPDX-License-Identifier: MPL-2.0

package manifesttest

import (
	"time"

	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
)

// Revoked returns the mark of a build that was revoked at a time.
func Revoked(reason string, at time.Time) *manifest.Revocation {
	return &manifest.Revocation{Change: manifest.Change{Reason: reason, At: at}}
}
