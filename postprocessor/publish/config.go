// SPDX-License-Identifier: MPL-2.0

//go:generate packer-sdc struct-markdown
//go:generate packer-sdc mapstructure-to-hcl2 -type Config

package publish

import (
	"time"

	"github.com/hashicorp/packer-plugin-sdk/common"
	"github.com/hashicorp/packer-plugin-sdk/template/config"

	"github.com/packer-chain/packer-plugin-chain/internal/access"
)

// The `chain` post-processor publishes the image: it tags the AMIs and their snapshots in every
// region, writes the manifest to the registry, moves the channels, and writes a local manifest. Any
// builder's image can be published; only AMIs are tagged. The artifact is passed through unchanged,
// so other post-processors can follow.
type Config struct {
	common.PackerConfig `mapstructure:",squash"`
	access.Config       `mapstructure:",squash"`
	// The `record` output of the `chain-image` data source. It says which image this is, and where
	// its registry is.
	Record string `mapstructure:"record" required:"true"`
	// More tags for the AMIs and snapshots, at most 42. Keys that begin with `chain:` are reserved
	// for the plugin.
	Tags map[string]string `mapstructure:"tags"`
	// Tag the snapshots of the AMIs too. Default: true.
	TagSnapshots config.Trilean `mapstructure:"tag_snapshots"`
	// Channels to point at this image. A channel is not moved if a newer commit already moved it,
	// if the image contains uncommitted files, or until all of its sources are built. Default:
	// `["latest"]`; `[]` moves none.
	Channels []string `mapstructure:"channels"`
	// Free keys and values for the manifest, at most 100. They are stored as they are: no secrets.
	Labels map[string]string `mapstructure:"labels"`
	// The local manifest to write. Default: the `local_manifest` of the `chain-image` data source,
	// which is `.chain/manifest-<image>.json` in the folder of the image.
	LocalManifest string `mapstructure:"local_manifest"`
	// What to do if publishing fails: `keep` (default) prints in red what is missing and how to
	// finish, and lets the build succeed, so that Packer keeps the AMI; `fail` fails the build, and
	// Packer deregisters the AMI unless another post-processor succeeded. What is published already
	// stays.
	OnFailure string `mapstructure:"on_failure"`
	// How long publishing may take, as a duration. Until then throttling, conflicts and lost
	// responses are retried, however often. Default: `"5m"`.
	PublishTimeout time.Duration `mapstructure:"publish_timeout"`
}
