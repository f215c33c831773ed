// SPDX-License-Identifier: MPL-2.0

//go:generate packer-sdc struct-markdown
//go:generate packer-sdc mapstructure-to-hcl2 -type Config,DatasourceOutput

package parent

import (
	"time"

	"github.com/hashicorp/packer-plugin-sdk/template/config"

	"github.com/packer-chain/packer-plugin-chain/internal/access"
)

// The `chain` data source resolves the image that another one stands on. It asks, in this order, a
// local manifest file, the registry, and the tags of the AMIs, and answers with an AMI that it has
// checked: it is available, in the region that you build in, and belongs to you.
type Config struct {
	access.Config `mapstructure:",squash"`
	// The name of the parent image, as its own template has it in `data "chain-image"`.
	Image string `mapstructure:"image" required:"true"`
	// Where builds and refs are kept: `s3://bucket/prefix`, or a local folder as `file:///folder` or a
	// path such as `"${path.root}/../registry"`. Required, unless the parent is found by `local_manifest` or
	// by tag.
	Registry string `mapstructure:"registry"`
	// The parent's folder in this git checkout. Finds the image that was built last from exactly
	// these files, uncommitted changes included. Write it as `"${path.root}/../base"`.
	Path string `mapstructure:"path"`
	// The git object id of the parent's folder, as `git rev-parse HEAD:base` prints it.
	GitSHA string `mapstructure:"git_sha"`
	// The fingerprint of the parent: 64 hex digits, as its `data "chain-image"` has it.
	Fingerprint string `mapstructure:"fingerprint"`
	// A channel of the parent in the registry, such as `production`. Not together with `local_manifest`.
	// Default: `latest`.
	Channel string `mapstructure:"channel"`
	// A local manifest file of an earlier run, which is looked at first: one that this plugin wrote,
	// or one by Packer's own `manifest` post-processor. A file that is not there, or is of another
	// image or build than the one asked for, is passed over.
	LocalManifest string `mapstructure:"local_manifest"`
	// More regions in which the AMI must be there. The `amis` output has an AMI for `region` and for
	// each of them. Default: none.
	Regions []string `mapstructure:"regions"`
	// The architecture of the AMI, such as `x86_64` (or `amd64`) or `arm64`. Needed where the parent
	// has AMIs for more than one.
	Architecture string `mapstructure:"architecture"`
	// The source of the parent whose AMI is meant, such as `amazon-ebs.hardened`. Needed where the parent
	// has several AMIs of one architecture. An AMI that is found by tag has no source, unless `registry`
	// is set.
	Source string `mapstructure:"source"`
	// Who may own the AMI: `self`, `amazon`, `aws-marketplace` or account ids. Default: `["self"]`. An
	// AMI of anyone else never counts as there, whatever a manifest says.
	Owners []string `mapstructure:"owners"`
	// The key of the AMI tag that holds the git object id. Default: `chain:git-sha`. Set it to find
	// images that other tools made, for example `SHA`.
	GitSHATag string `mapstructure:"git_sha_tag"`
	// Which ways to ask, and in which order: `local_manifest`, `registry`, `tag`. Default: all that are
	// configured, in this order. `tag` needs `path`, `git_sha` or `fingerprint`.
	ResolveBy []string `mapstructure:"resolve_by"`
	// What to do when no way finds the parent: `error` (default), or `empty`, which sets `found` to
	// false and all other outputs to empty values. Only an image that certainly is not there counts
	// as missing; denied access and damaged documents are errors always.
	OnMissing string `mapstructure:"on_missing"`
	// An AMI to stand on when no way finds the parent. It must be available in `region`; it may belong
	// to anyone, and no other check applies to it. Not together with `on_missing = "empty"`.
	FallbackAMI string `mapstructure:"fallback_ami"`
	// How old the parent may be, as a duration such as `"168h"`; the oldest of its parts counts. An older
	// one is an error. Default: no limit.
	MaxAge time.Duration `mapstructure:"max_age"`
	// Accept an AMI whose deprecation time has passed. Default: false, and such an AMI is an error.
	AllowDeprecated bool `mapstructure:"allow_deprecated"`
	// Accept an image that was revoked, by the AMI tag `chain:revoked` or in its manifest. Default:
	// false, and such an image is an error.
	AllowRevoked bool `mapstructure:"allow_revoked"`
	// Set it to false to skip the look-up: nothing is asked, `found` is false and all other outputs are
	// empty. Packer runs data sources under `-only` too, needed or not. Default: true.
	Enabled config.Trilean `mapstructure:"enabled"`
}
