// SPDX-License-Identifier: MPL-2.0

//go:generate packer-sdc struct-markdown
//go:generate packer-sdc mapstructure-to-hcl2 -type Config

package revoke

import (
	"time"

	"github.com/hashicorp/packer-plugin-sdk/common"

	"github.com/packer-chain/packer-plugin-chain/internal/access"
)

// The `chain-revoke` post-processor revokes an image: nothing is built on it any more, and its own
// template builds it again. It marks the build in the registry, tags its AMIs in every region, and
// can deprecate or disable them. `restore` takes all of that back. Only the build that was found is
// revoked, not others with the same fingerprint.
//
// It is safe to repeat: if a run was cut off, the same run again finishes it.
type Config struct {
	common.PackerConfig `mapstructure:",squash"`
	access.Config       `mapstructure:",squash"`
	// The `record` output of the `chain` data source that found the image. That data source needs
	// `allow_revoked = true` and `allow_deprecated = true`, or a repeated run does not find it.
	Record string `mapstructure:"record" required:"true"`
	// Why the image is revoked, such as `"CVE-2026-0001"`: for the manifest, and for the tag
	// `chain:revoked` of the AMIs. Required, unless `restore` is set.
	Reason string `mapstructure:"reason"`
	// What happens to the AMIs besides: `none` (default), `deprecate`, or `disable`. Nothing can be
	// started from a disabled AMI. EC2 takes all launch permissions from it, and `restore` does not
	// bring them back: the next run that moves or finds a channel shares it again. `restore` undoes
	// what was done, whatever is set here.
	EC2 string `mapstructure:"ec2"`
	// Restore the image: the mark, the tags, and what `ec2` did. Default: `false`.
	Restore bool `mapstructure:"restore"`
	// Revoke the image although a channel points at it. Whoever reads that channel gets an error
	// then. Default: `false`: that is an error which names the channels.
	Force bool `mapstructure:"force"`
	// How long it may take, as a duration. Default: `"5m"`.
	Timeout time.Duration `mapstructure:"timeout"`
}
