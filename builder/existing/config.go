// SPDX-License-Identifier: MPL-2.0

//go:generate packer-sdc struct-markdown
//go:generate packer-sdc mapstructure-to-hcl2 -type Config

package existing

import (
	"github.com/hashicorp/packer-plugin-sdk/common"
)

// The `chain` builder is a gate, which is always among the `sources` of a build. If the image has
// to be built, it prints the reason and makes no artifact. If not, it passes the existing image on
// as the artifact of the build. It starts no instance and runs no provisioners; post-processors run
// as they do on a new image.
type Config struct {
	common.PackerConfig `mapstructure:",squash"`
	// The `record` output of the `chain-image` data source, or of a `chain` data source to promote
	// the image that it found.
	Record string `mapstructure:"record" required:"true"`
}
