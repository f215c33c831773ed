// SPDX-License-Identifier: MPL-2.0

//go:generate packer-sdc struct-markdown
//go:generate packer-sdc mapstructure-to-hcl2 -type Config

package report

import (
	"time"

	"github.com/hashicorp/packer-plugin-sdk/common"

	"github.com/packer-chain/packer-plugin-chain/internal/access"
)

// The `chain-report` builder reads a registry, and writes what it holds into files: `chain.html`, a
// page for people, `chain.json` for programs, and `chain.mmd`, a Mermaid flowchart. It builds and
// changes nothing. The files are the artifact of the build: other post-processors can upload them.
type Config struct {
	common.PackerConfig `mapstructure:",squash"`
	access.Config       `mapstructure:",squash"`
	// The registry: `s3://bucket/prefix`, or a local folder. Default: the environment variable
	// `CHAIN_REGISTRY`.
	Registry string `mapstructure:"registry"`
	// The folder for the files. It is created if it does not exist, and cannot be in the registry.
	// Default: `chain-report`.
	Output string `mapstructure:"output"`
	// The title of the page. Default: the address of the registry.
	Title string `mapstructure:"title"`
	// The images to show and to plan, as names with `*`. All are read, because a parent may be one
	// that is not shown. Default: all.
	Images []string `mapstructure:"images"`
	// The channels to show, as names with `*`. The plan goes by `latest` in any case. Default: all.
	Channels []string `mapstructure:"channels"`
	// Ask EC2 about the AMIs, in all of their regions: whether they can be used, and how large they
	// are. Default: false.
	CheckAMIs bool `mapstructure:"check_amis"`
	// The accounts that the AMIs may belong to, as ids with 12 digits, `self` or `amazon`. An AMI of
	// another account counts as gone. Default: `["self"]`.
	Owners []string `mapstructure:"owners"`
	// The `path` of images in this git checkout, such as
	// `{ snowflake = "${path.root}/../snowflake" }`. If the files of an image differ from those that
	// it was built from, it is out of date, and one that was never built is planned too. Default:
	// files are not compared.
	Paths map[string]string `mapstructure:"paths"`
	// How long reading may take, as a duration. Default: `"10m"`.
	Timeout time.Duration `mapstructure:"timeout"`
}
