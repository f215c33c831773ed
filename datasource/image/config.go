// SPDX-License-Identifier: MPL-2.0

//go:generate packer-sdc struct-markdown
//go:generate packer-sdc mapstructure-to-hcl2 -type Config,DatasourceOutput

package image

import (
	"time"

	"github.com/hashicorp/packer-plugin-sdk/template/config"

	"github.com/packer-chain/packer-plugin-chain/internal/access"
)

// The `chain-image` data source describes the image that the template builds, and finds out which
// of its sources have to be built. It computes a fingerprint from the image's files, inputs and
// parents, and looks up whether an image with that fingerprint is available in every region.
type Config struct {
	access.Config `mapstructure:",squash"`
	// The name of the image: lower-case letters, digits, `.`, `_` and `-`, up to 128 characters. It
	// is the image's folder in the registry.
	Image string `mapstructure:"image" required:"true"`
	// Where builds and channels are kept: `s3://bucket/prefix`, or a local folder as
	// `file:///folder` or a path such as `"${path.root}/../registry"`. Required, unless the
	// environment variable `CHAIN_REGISTRY` names it.
	Registry string `mapstructure:"registry"`
	// The folder that the image is built from, in a git checkout. Its content is part of the
	// fingerprint. Write it as `path.root`. With several templates in one folder, name the file of
	// each: `"${path.root}/app.pkr.hcl"`.
	Path string `mapstructure:"path" required:"true"`
	// More files or folders of the same checkout that the image is built from, such as shared
	// scripts.
	ExtraPaths []string `mapstructure:"extra_paths"`
	// Set it to false if `path` is in no git checkout, such as in an archive that a pipeline unpacks.
	// The `git` command is needed all the same: it names the files as it would after a commit of all
	// that it does not ignore. `extra_paths` are named by their place relative to `path`, `dirty`
	// has no effect, and the commit is the one that the CI service names, if any. Default: true.
	Git config.Trilean `mapstructure:"git"`
	// Other things that the image depends on, by name: values of variables, the id of the AMI that
	// `data "amazon-ami"` found, the version of a package. Only hashes of them are stored, but a
	// short value can be guessed from its hash: put no secrets here.
	Inputs map[string]string `mapstructure:"inputs"`
	// The `ref` outputs of the `chain` data sources that resolve the parents. If a parent is built
	// again, this image is built again. Empty refs are ignored.
	Parents []string `mapstructure:"parents"`
	// The regions in which the AMI must exist: those in which the builder makes it or to which it
	// copies it. Default: the region of the session.
	Regions []string `mapstructure:"regions"`
	// The sources that make one complete image, such as `["amazon-ebs.amd64", "amazon-ebs.arm64"]`.
	// Only those that are missing are built. Default: the image has exactly one source, and a second
	// one that publishes into it is an error.
	Sources []string `mapstructure:"sources"`
	// The architecture of the image's AMIs, such as `x86_64` (or `amd64`) or `arm64`. It is part of
	// the fingerprint, and every AMI must have it. Set it if jobs build the template for one
	// architecture each, and give each architecture an its own image name. Default: any.
	Architecture string `mapstructure:"architecture"`
	// The branch that is built, for systems that do not tell: CodePipeline, or a build that was
	// started by hand. It never takes the place of a pull request, a merge queue or a tag. Default:
	// what the CI service says, or git.
	Branch string `mapstructure:"branch"`
	// What to do if `path` or `extra_paths` contain uncommitted or untracked files: `error`
	// (default), or `include`, which makes them part of the fingerprint. An image with uncommitted
	// files moves neither a channel nor its line. Ignored files do not count, nor do untracked files
	// that a build leaves behind: the folder `.chain`, `packer-manifest.json`, `packer_cache`,
	// `crash.log`, the file of `PACKER_LOG_PATH`, the files of a report in a folder `chain-report`,
	// and the documents of a `registry` in a folder.
	Dirty string `mapstructure:"dirty"`
	// Build the image in any case. Default: false.
	Force bool `mapstructure:"force"`
	// Build the image again if it is older than this duration, such as `"168h"`. Default: no limit.
	MaxAge time.Duration `mapstructure:"max_age"`
	// Do not build the image again because the deprecation time of its AMI has passed. Set it where
	// `data "chain"` of the images built on it has `allow_deprecated`. Default: false.
	AllowDeprecated bool `mapstructure:"allow_deprecated"`
	// Any text. Changing it changes the fingerprint. Only its hash is stored.
	Salt string `mapstructure:"salt"`
	// The local manifest, which the post-processor writes. If it says that the image was built and
	// could not be published, the image is published now instead of being built again, whatever
	// `force` says, unless the image was revoked. Default: `.chain/<registry>/manifest-<image>.json`
	// in the folder `path`, or beside it if it is a file.
	LocalManifest string `mapstructure:"local_manifest"`
}
