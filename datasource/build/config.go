// SPDX-License-Identifier: MPL-2.0

//go:generate packer-sdc struct-markdown
//go:generate packer-sdc mapstructure-to-hcl2 -type Config,DatasourceOutput

package build

import (
	"time"

	"github.com/packer-chain/packer-plugin-chain/internal/awsaccess"
)

// The `chain-build` data source says which image the template builds, and whether it has to be built:
// it computes a fingerprint from the image's files, inputs and parents, and looks whether an image
// with that fingerprint is complete and available in every region.
type Config struct {
	awsaccess.Config `mapstructure:",squash"`
	// The name of the image: lower-case letters, digits, `.`, `_` and `-`, up to 128 characters. It is
	// the image's folder in the registry.
	Image string `mapstructure:"image" required:"true"`
	// Where builds and refs are kept: `s3://bucket/prefix`, or a local folder as `file:///folder` or a
	// path such as `"${path.root}/../registry"`.
	Registry string `mapstructure:"registry" required:"true"`
	// The folder that the image is built from, in a git checkout. Its content, as committed, is part of
	// the fingerprint. Write it as `path.root`.
	Path string `mapstructure:"path" required:"true"`
	// More files or folders of the same git checkout that the image is built from, such as shared
	// scripts.
	ExtraPaths []string `mapstructure:"extra_paths"`
	// Other things that the image depends on, by name: the values of variables, the id of the AMI that
	// `data "amazon-ami"` found, the version of a package. They are stored as hashes only, but a short
	// value can be guessed from its hash: put no secrets here.
	Inputs map[string]string `mapstructure:"inputs"`
	// The `ref` outputs of the `chain` data sources that resolve the parents. A parent that was built
	// again makes this image be built again. Empty refs are passed over.
	Parents []string `mapstructure:"parents"`
	// The regions in which the AMI must exist: those that the builder makes it in or copies it to.
	// Default: the one region of the session.
	Regions []string `mapstructure:"regions"`
	// The sources that make one complete image, such as `["amazon-ebs.amd64", "amazon-ebs.arm64"]`. Another
	// list builds the image again. Default: any one source is a complete image, and what the last run made
	// of it counts.
	Builds []string `mapstructure:"builds"`
	// What to do about uncommitted or untracked files under `path` and `extra_paths`: `error`
	// (default), or `include`, which takes them into the fingerprint as they are on disk. An image of
	// uncommitted files moves no channel. Files that Git ignores do not count, nor do the files that
	// builds leave behind when they are untracked: `local_manifest`, `packer-manifest.json`,
	// `packer_cache`, `crash.log`, and the documents of a `registry` in a folder.
	Dirty string `mapstructure:"dirty"`
	// Build the image in any case. Default: false.
	Force bool `mapstructure:"force"`
	// Build the image again when it is older than this, as a duration such as `"168h"`. Default: no
	// limit.
	MaxAge time.Duration `mapstructure:"max_age"`
	// Any text; changing it changes the fingerprint. Stored as a hash only.
	Salt string `mapstructure:"salt"`
	// The local copy of the manifest, which the post-processor writes. When it says that the image was
	// built and could not be published, it is published now, and not built again, unless `builds` has
	// changed or the image was revoked. Default: `manifest-<image>.json` in the folder `path`.
	LocalManifest string `mapstructure:"local_manifest"`
}
