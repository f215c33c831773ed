// SPDX-License-Identifier: MPL-2.0

//go:generate packer-sdc struct-markdown
//go:generate packer-sdc mapstructure-to-hcl2 -type Config,DatasourceOutput

package parent

import (
	"time"

	"github.com/hashicorp/packer-plugin-sdk/template/config"

	"github.com/packer-chain/packer-plugin-chain/internal/access"
)

// The `chain` data source resolves the image that another one is built on. It looks in a local
// manifest, in the registry, and at the tags of AMIs, in this order, and returns an AMI that it has
// checked: it is available in the region that you build in, and belongs to you.
type Config struct {
	access.Config `mapstructure:",squash"`
	// The name of the parent image, as in its own `data "chain-image"`.
	Image string `mapstructure:"image" required:"true"`
	// What the parent is: `ami` (default), or `artifact` for anything else, such as a Docker image or
	// files. An AMI is always looked up in EC2, whatever a manifest says. An artifact cannot be
	// looked up: its `id` is no more trustworthy than anyone who can write to the registry or the
	// local manifest.
	Kind string `mapstructure:"kind"`
	// Where builds and channels are kept: `s3://bucket/prefix`, or a local folder as
	// `file:///folder` or a path such as `"${path.root}/../registry"`. Required, unless the parent
	// is found by `local_manifest` or by tag. Default: the environment variable `CHAIN_REGISTRY`.
	Registry string `mapstructure:"registry"`
	// The parent's folder in this git checkout. Finds the image that a run of this very commit left,
	// on the same branch, pull request or tag, or else the newest one that was built from exactly
	// what is checked out here: this folder, its `extra_paths`, and the folders of its own parents.
	// It looks at what the runs of this line left, and then at `channel`, so nothing of another
	// branch or pull request is found. With uncommitted files in the folder, it takes the parent's
	// local manifest. Write it as `"${path.root}/../base"`.
	Path string `mapstructure:"path"`
	// The branch that is built, as in `data "chain-image"`: for systems that do not tell. Set the
	// same there and here.
	Branch string `mapstructure:"branch"`
	// The git object id of the parent's folder, as `git rev-parse HEAD:base` prints it. It looks
	// where `path` looks.
	GitSHA string `mapstructure:"git_sha"`
	// The fingerprint of the parent: 64 hex digits, as its `data "chain-image"` has it. It means the
	// newest build with that fingerprint. For exactly the AMIs of one run, use `channel`.
	Fingerprint string `mapstructure:"fingerprint"`
	// An AMI of the build that is meant, if the image was built several times with the same
	// `fingerprint`. Only together with that. Default: the newest build.
	AMI string `mapstructure:"ami"`
	// A channel of the parent in the registry, such as `production`. It points at the exact AMIs that
	// were moved there. With `path` or `git_sha`, it is where to look after the own line. Not
	// together with `local_manifest`. Default: `latest`.
	Channel string `mapstructure:"channel"`
	// Which image of the `channel` to take: 0 is the one where it is, 1 the one where it was before,
	// and so on. It counts from the newest image that moved the channel forward, whatever was rolled
	// back since, and leaves out what was rolled back before. Default: 0.
	Previous int `mapstructure:"previous"`
	// A local manifest of an earlier run, which is read first: one that this plugin wrote, or one
	// by Packer's own `manifest` post-processor. It is ignored if it does not exist, or describes
	// another image or build than the one wanted.
	LocalManifest string `mapstructure:"local_manifest"`
	// More regions in which the AMI must exist. The `amis` output has an AMI for `region` and for
	// each of them. Default: none.
	Regions []string `mapstructure:"regions"`
	// The architecture of the AMI, such as `x86_64` (or `amd64`) or `arm64`. Required if the parent
	// has AMIs for several.
	Architecture string `mapstructure:"architecture"`
	// The source of the parent whose AMI is meant, such as `amazon-ebs.hardened`. Required if the
	// parent has several AMIs of one architecture. An AMI that is found by tag has no source.
	Source string `mapstructure:"source"`
	// Who may own the AMI: `self`, `amazon`, `aws-marketplace` or account ids. Default: `["self"]`.
	// An AMI of anyone else is never used, whatever a manifest says.
	Owners []string `mapstructure:"owners"`
	// The key of the AMI tag that holds the git object id. Default: `chain:git-sha`. Set it to find
	// images that other tools made, for example to `SHA`.
	GitSHATag string `mapstructure:"git_sha_tag"`
	// Where to look, and in which order: `local_manifest`, `registry`, `tag`. Default: all that are
	// configured, in this order. `tag` needs `path`, `git_sha` or `fingerprint`. If `registry` is
	// set, AMIs that this plugin made are found in the registry only.
	ResolveBy []string `mapstructure:"resolve_by"`
	// What to do if the parent is found nowhere: `error` (default), or `empty`, which sets `found`
	// to false and all other outputs to empty values. Only an image that certainly does not exist
	// counts as missing; denied access and damaged documents are always errors.
	OnMissing string `mapstructure:"on_missing"`
	// An AMI to build on if the parent is found nowhere. It must be available in `region`; it may
	// belong to anyone, and no other check applies to it. Not together with `on_missing = "empty"`.
	FallbackAMI string `mapstructure:"fallback_ami"`
	// How old the parent may be, as a duration such as `"168h"`; its oldest part counts. An older
	// one is an error. Default: no limit.
	MaxAge time.Duration `mapstructure:"max_age"`
	// Accept an AMI whose deprecation time has passed. Default: false: such an AMI is an error.
	AllowDeprecated bool `mapstructure:"allow_deprecated"`
	// Accept an image that was revoked, by the AMI tag `chain:revoked` or in its manifest, or that is
	// built on one that was revoked. It may even be disabled then: nothing starts from it, but it can
	// be restored. Default: false: such an image is an error.
	AllowRevoked bool `mapstructure:"allow_revoked"`
	// Images that the parent must be built on, directly or not, such as `["hardened"]`. Its manifest
	// says what it is built on. Default: none.
	RequireAncestors []string `mapstructure:"require_ancestors"`
	// Set it to false to skip the lookup: no request is made, `found` is false and all other
	// outputs are empty. Packer runs data sources under `-only` too, needed or not. Default: true.
	Enabled config.Trilean `mapstructure:"enabled"`
}
