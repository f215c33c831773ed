// SPDX-License-Identifier: MPL-2.0

//go:generate packer-sdc struct-markdown

package parent

import (
	"maps"
	"time"

	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
	"github.com/packer-chain/packer-plugin-chain/internal/record"
)

// DatasourceOutput are the outputs. A value that is not known is empty.
type DatasourceOutput struct {
	// The AMI in `region`: the value for `source_ami`. For a parent that is not an AMI, the id of
	// its artifact.
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
	// The tags of the AMI. AWS shows them only to the account that owns it.
	Tags map[string]string `mapstructure:"tags"`
	// The name of the parent image.
	Image string `mapstructure:"image"`
	// The fingerprint of the parent.
	Fingerprint string `mapstructure:"fingerprint"`
	// The git object id of the folder that the parent was built from.
	GitSHA string `mapstructure:"git_sha"`
	// The commit that the parent was built from.
	Commit string `mapstructure:"commit"`
	// Where the parent was found: `local_manifest`, `registry`, `tag` or `fallback`.
	ResolvedBy string `mapstructure:"resolved_by"`
	// Whether the parent was found. It is false only with `on_missing = "empty"` or `enabled =
	// false`.
	Found bool `mapstructure:"found"`
	// The address of the parent's manifest. Empty if the parent was found by tag or is a fallback.
	ManifestURI string `mapstructure:"manifest_uri"`
	// The CI service that built the parent, such as `github-actions`.
	CIProvider string `mapstructure:"ci_provider"`
	// The CI service's id of the build.
	CIBuildID string `mapstructure:"ci_build_id"`
	// The CI service's page of the build.
	CIBuildURL string `mapstructure:"ci_build_url"`
	// The names of the images that the parent itself is built on, nearest first.
	Ancestors []string `mapstructure:"ancestors"`
	// Opaque JSON: one element of `parents` in `data "chain-image"`.
	Ref string `mapstructure:"ref"`
}

func emptyOutput() DatasourceOutput {
	// A nil map or list would be null in HCL, and length() of it an error.
	return DatasourceOutput{
		AMIs: map[string]string{}, Tags: map[string]string{}, Ancestors: []string{},
	}
}

// output returns the outputs for the parent, which the template calls image.
func (p *parent) output(image string) (DatasourceOutput, error) {
	out := emptyOutput()
	out.Found, out.ResolvedBy = true, p.way
	out.Image, out.ManifestURI = image, p.uri
	out.Fingerprint = p.facts.Fingerprint
	out.GitSHA, out.Commit = p.facts.Git.SHA, p.facts.Git.Commit
	if ci := p.facts.CI; ci != nil {
		out.CIProvider, out.CIBuildID, out.CIBuildURL = ci.Provider, ci.BuildID, ci.BuildURL
	}
	out.Ancestors = append(out.Ancestors, p.facts.Ancestors...)
	ref := manifest.Parent{
		Image: image, FoundBy: p.foundBy, Fingerprint: p.facts.Fingerprint,
		ManifestURI: p.uri, ManifestSHA256: p.sha256, Ancestors: p.facts.Ancestors,
	}
	if main, isAMI := p.amis[p.region]; isAMI {
		out.ID, out.Name, out.Region = main.ID, main.Name, main.Region
		out.Architecture, out.Owner = main.Architecture, main.Owner
		out.CreationDate = rfc3339(main.CreatedAt)
		maps.Copy(out.Tags, main.Tags)
		for region, image := range p.amis {
			out.AMIs[region] = image.ID
		}
		ref.Identity, ref.AMI, ref.Region, ref.AMIs = main.ID, main.ID, main.Region, out.AMIs
	} else {
		out.ID, ref.Identity = p.artifactID(), manifest.Identity(p.entries)
		out.CreationDate = rfc3339(p.builtAt())
	}
	var err error
	out.Ref, err = record.EncodeParent(ref)
	return out, err
}

// rfc3339 returns the time as text, or "" if it is not known.
func rfc3339(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}
