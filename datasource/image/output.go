// SPDX-License-Identifier: MPL-2.0

//go:generate packer-sdc struct-markdown

package image

// DatasourceOutput is what the data source answers. Values that are not known are empty.
type DatasourceOutput struct {
	// Whether the image has to be built.
	Needed bool `mapstructure:"needed"`
	// Why it has to be built, in one line, or `unchanged`.
	Reason string `mapstructure:"reason"`
	// The fingerprint: 64 hex digits.
	Fingerprint string `mapstructure:"fingerprint"`
	// The first 12 digits of the fingerprint.
	Short string `mapstructure:"short"`
	// The git object id of `path`.
	GitSHA string `mapstructure:"git_sha"`
	// The commit that is checked out.
	Commit string `mapstructure:"commit"`
	// The branch, from git or from the CI service. Empty when neither knows it.
	Branch string `mapstructure:"branch"`
	// Whether uncommitted files go into the image.
	Dirty bool `mapstructure:"dirty"`
	// The tags that say what the image is, for `tags` of the builder.
	Tags map[string]string `mapstructure:"tags"`
	// The AMI that exists, in the first of `regions`. Empty when the image is needed. For an image
	// that is no AMI, the id of its artifact.
	ID string `mapstructure:"id"`
	// Region to AMI of the image that exists. Where an image has several AMIs in a region, the keys are
	// `region/source`, such as `eu-west-1/amazon-ebs.arm64`. AMIs outside of `regions` are as the manifest
	// has them: it is not asked whether they are there.
	AMIs map[string]string `mapstructure:"amis"`
	// The regions of `regions` in which the AMI is not there.
	MissingRegions []string `mapstructure:"missing_regions"`
	// What the fingerprint is made of, as JSON: a list of objects with `name` and `value`.
	Components string `mapstructure:"components"`
	// Opaque JSON: the value for `record` of the `chain` builder and the `chain` post-processor.
	Record string `mapstructure:"record"`
}
