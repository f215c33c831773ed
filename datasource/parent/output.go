// SPDX-License-Identifier: MPL-2.0

//go:generate packer-sdc struct-markdown

package parent

import (
	"cmp"
	"time"

	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
	"github.com/packer-chain/packer-plugin-chain/internal/record"
)

// DatasourceOutput is what the data source answers. Values that are not known are empty.
type DatasourceOutput struct {
	// The AMI in `region`: the value for `source_ami`. For a parent that is no AMI, the id of its
	// artifact.
	ID string `mapstructure:"id"`
	// The name of the AMI.
	Name string `mapstructure:"name"`
	// The region of `id`.
	Region string `mapstructure:"region"`
	// Region to AMI, for `region` and each of `regions`. Each one has been checked.
	AMIs map[string]string `mapstructure:"amis"`
	// The architecture of the AMI, in Amazon's words, such as `x86_64`.
	Architecture string `mapstructure:"architecture"`
	// When the AMI was created, RFC 3339.
	CreationDate string `mapstructure:"creation_date"`
	// The account that owns the AMI.
	Owner string `mapstructure:"owner"`
	// The tags of the AMI. AWS shows them to the account that owns it only.
	Tags map[string]string `mapstructure:"tags"`
	// The name of the parent image.
	Image string `mapstructure:"image"`
	// The fingerprint of the parent.
	Fingerprint string `mapstructure:"fingerprint"`
	// The git object id of the folder that the parent was built from.
	GitSHA string `mapstructure:"git_sha"`
	// The commit that the parent was built from.
	Commit string `mapstructure:"commit"`
	// The way that found the parent: `local_manifest`, `registry`, `tag` or `fallback`.
	ResolvedBy string `mapstructure:"resolved_by"`
	// Whether there is a parent. It is false only with `on_missing = "empty"` or `enabled = false`.
	Found bool `mapstructure:"found"`
	// The address of the parent's manifest. Empty when the parent was found by tag or is a fallback.
	ManifestURI string `mapstructure:"manifest_uri"`
	// The CI service that built the parent, such as `github-actions`.
	CIProvider string `mapstructure:"ci_provider"`
	// The CI service's id of the build.
	CIBuildID string `mapstructure:"ci_build_id"`
	// The CI service's page of the build.
	CIBuildURL string `mapstructure:"ci_build_url"`
	// The names of the images that the parent itself stands on, nearest first.
	Ancestors []string `mapstructure:"ancestors"`
	// Opaque JSON: one element of `parents` in `data "chain-image"`.
	Ref string `mapstructure:"ref"`
}

func emptyOutput() DatasourceOutput {
	// A nil map or list would be null in HCL, and length() of it an error.
	return DatasourceOutput{AMIs: map[string]string{}, Tags: map[string]string{}, Ancestors: []string{}}
}

// output is what the data source says of a parent.
func (f *found) output(image string) (DatasourceOutput, error) {
	out := emptyOutput()
	out.Found, out.ResolvedBy, out.Image, out.ManifestURI = true, f.way, image, f.uri
	out.Fingerprint, out.GitSHA, out.Commit = f.fingerprint, f.gitSHA, f.commit
	if f.ci != nil {
		out.CIProvider, out.CIBuildID, out.CIBuildURL = f.ci.Provider, f.ci.BuildID, f.ci.BuildURL
	}
	out.Ancestors = append(out.Ancestors, f.ancestors...)
	parent := manifest.Parent{
		Image: image, FoundBy: cmp.Or(f.foundBy, f.way), Fingerprint: f.fingerprint, ManifestURI: f.uri, ManifestSHA256: f.sha256, Ancestors: f.ancestors,
	}
	if main, isAMI := f.amis[f.region]; isAMI {
		out.ID, out.Name, out.Region, out.Architecture = main.ID, main.Name, main.Region, main.Architecture
		out.Owner, out.CreationDate = main.Owner, rfc3339(main.CreatedAt)
		for key, value := range main.Tags {
			out.Tags[key] = value
		}
		for region, image := range f.amis {
			out.AMIs[region] = image.ID
		}
		parent.Identity, parent.AMI, parent.Region, parent.AMIs = main.ID, main.ID, main.Region, out.AMIs
	} else {
		out.ID, parent.Identity = f.artifactID(), manifest.Identity(f.entries)
		out.CreationDate = rfc3339(f.createdAt)
	}
	var err error
	out.Ref, err = record.EncodeParent(parent)
	return out, err
}

// rfc3339 is empty for a time that is not known.
func rfc3339(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}
