// SPDX-License-Identifier: MPL-2.0

//go:generate packer-sdc struct-markdown
//go:generate packer-sdc mapstructure-to-hcl2 -type Config,Channel,Share,SSMParameter

package publish

import (
	"time"

	"github.com/hashicorp/packer-plugin-sdk/common"
	"github.com/hashicorp/packer-plugin-sdk/template/config"

	"github.com/packer-chain/packer-plugin-chain/internal/access"
)

// The `chain` post-processor publishes the image: it tags the AMIs and their snapshots in every
// region, writes the manifest to the registry, moves the channels, and writes a local manifest. Any
// builder's image can be published; only AMIs are tagged. The artifact is passed on, so other
// post-processors can follow.
type Config struct {
	common.PackerConfig `mapstructure:",squash"`
	access.Config       `mapstructure:",squash"`
	// The `record` output of the `chain-image` data source. It says which image this is, where its
	// registry is, and how to reach AWS. With that of a `chain` data source, the image that was found
	// is promoted: nothing is built, the AMIs get `tags`, and the channels are moved.
	Record string `mapstructure:"record" required:"true"`
	// More tags for the AMIs and snapshots, at most 42. Keys that begin with `chain:` are reserved
	// for the plugin. A promotion adds its tags to those of the build, in every region.
	Tags map[string]string `mapstructure:"tags"`
	// Tag the snapshots of the AMIs too. Default: true.
	TagSnapshots config.Trilean `mapstructure:"tag_snapshots"`
	// Channels to point at this image. A channel is moved only by runs of its branches, only forward,
	// and only by an image that is complete and has no uncommitted files. Default: `["latest"]`, if
	// there is no `channel` block; `[]` moves none. Required for a promotion.
	Channels []string `mapstructure:"channels"`
	// A channel with its own branches. See [Channel](#channel). Repeatable.
	ChannelBlocks []Channel `mapstructure:"channel"`
	// The branches whose runs may move `channels`. `*` stands for any characters, also `/`;
	// `refs/tags/v*` allows tags, `refs/pull/*` pull requests. Runs of other branches publish all the
	// same. Default: the default branch, as the CI service or git names it, or else `main` and
	// `master`.
	Branches []string `mapstructure:"branches"`
	// Move the channels even if a newer commit has moved them, or if a rollback left this image: a
	// rollback, or a step forward after one. Default: false.
	AllowRollback bool `mapstructure:"allow_rollback"`
	// Who else may launch the AMIs once a channel points at them. See [Share](#share).
	Share *Share `mapstructure:"share"`
	// A parameter of the SSM Parameter Store that names the AMI of a channel. See
	// [SSM parameter](#ssm-parameter). Repeatable.
	SSMParameters []SSMParameter `mapstructure:"ssm_parameter"`
	// An origin from which the channels may be taken over, as the error prints it, such as
	// `github.com/acme/images//base`. Two templates that publish one image name have different
	// origins: repository or folder. Default: a channel stays with its origin.
	Origin string `mapstructure:"origin"`
	// Why the channels are moved, for their history, such as `"tested in staging"`. Default: none.
	Reason string `mapstructure:"reason"`
	// Free keys and values for the manifest, at most 100. They are stored as they are: no secrets.
	Labels map[string]string `mapstructure:"labels"`
	// The local manifest to write. Default: the `local_manifest` of the `chain-image` data source,
	// which is in the folder `.chain` beside the template.
	LocalManifest string `mapstructure:"local_manifest"`
	// What to do if publishing fails: `fail` (default) fails the build, and Packer keeps the AMI if
	// the post-processor before this one succeeded; `keep` prints in red what is missing and how to
	// finish, and lets the build succeed. Either way, the next run in the same folder publishes what
	// was built. What is published already stays.
	OnFailure string `mapstructure:"on_failure"`
	// How long publishing may take, as a duration. Until then throttling, conflicts and lost
	// responses are retried, however often. Default: `"5m"`.
	PublishTimeout time.Duration `mapstructure:"publish_timeout"`

	// byDefault is true if channels is the default.
	byDefault bool
}

// The `share` block lets other accounts launch the AMIs of a channel, in every region of the image.
// It is done before the channel moves, again by every run that finds the channel on the image, and
// only for channels that this run may move. Nothing is ever taken back. Accounts can create volumes
// of the snapshots too; EC2 does not know that for organizations.
type Share struct {
	// The 12-digit ids of accounts.
	Accounts []string `mapstructure:"accounts"`
	// The ARNs of organizations, or of organizational units.
	Organizations []string `mapstructure:"organizations"`
}

// The `ssm_parameter` block keeps a parameter on the AMI of a channel, in every region of the
// image. It is of the data type `aws:ec2:image`, so a launch template can refer to it as
// `resolve:ssm:/images/base/production`. It is written after the channel has moved, and again by
// every run that finds the channel on the image. Then the channel is read again: if another run has
// moved it meanwhile, the parameter follows. A parameter that holds anything else is left alone:
// that is an error.
type SSMParameter struct {
	// The name, such as `/images/{image}/{channel}`. `{image}`, `{channel}`, `{architecture}` and
	// `{source}` are replaced. With several channels it must have `{channel}`, and with several AMIs
	// in a region `{architecture}` or `{source}`.
	Name string `mapstructure:"name" required:"true"`
	// A role to assume in place of that of the post-processor, for a parameter of another account.
	// The account needs a `share`. See [Assume role](#assume-role).
	AssumeRole *access.AssumeRole `mapstructure:"assume_role"`
}

// The `channel` block names a channel that other branches move than the rest, such as
// `channel { name = "stable"  branches = ["release/*"] }`.
type Channel struct {
	// The name of the channel.
	Name string `mapstructure:"name" required:"true"`
	// The branches whose runs may move it, as in `branches` outside.
	Branches []string `mapstructure:"branches" required:"true"`
}
