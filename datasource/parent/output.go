// SPDX-License-Identifier: MPL-2.0

//go:generate packer-sdc struct-markdown

package parent

import (
	"errors"
	"fmt"
	"log"
	"slices"
	"strings"
	"time"

	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
	"github.com/packer-chain/packer-plugin-chain/internal/record"
)

// DatasourceOutput are the outputs. A value that is not known is empty.
type DatasourceOutput struct {
	// The AMI in `region`: the value for `source_ami`. For a parent that is not an AMI, the id of
	// its artifact.
	ID string `mapstructure:"id"`
	// The name of the AMI. Empty if it has a quote.
	Name string `mapstructure:"name"`
	// The region of `id`.
	Region string `mapstructure:"region"`
	// Region to AMI, for `region` and each of `regions`. Each one has been checked.
	AMIs map[string]string `mapstructure:"amis"`
	// The snapshot of the AMI's root volume.
	SnapshotID string `mapstructure:"snapshot_id"`
	// The architecture of the AMI, in Amazon's words, such as `x86_64`.
	Architecture string `mapstructure:"architecture"`
	// When the AMI was created, RFC 3339.
	CreationDate string `mapstructure:"creation_date"`
	// The account that owns the AMI.
	Owner string `mapstructure:"owner"`
	// The tags of the AMI. AWS shows them only to the account that owns it. A tag that has other
	// characters than letters, digits, spaces and `_.:/=+-@` is left out.
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
	// Those of `ancestors` of which the channel that they came from points at another build now.
	Outdated []string `mapstructure:"outdated"`
	// `current` if no ancestor is outdated, `outdated` if one is, and `unknown` if that cannot be
	// told: the image was not found in the registry, or the registry does not have the channel of an
	// ancestor.
	Status string `mapstructure:"status"`
	// Opaque JSON: one element of `parents` in `data "chain-image"`.
	Ref string `mapstructure:"ref"`
	// Opaque JSON: the value for `record` of the `chain` builder and of the post-processors `chain`
	// and `chain-revoke`, to promote exactly this image, to roll a channel back to it, or to revoke
	// it. Empty if the image was not found in the registry.
	Record string `mapstructure:"record"`
}

func emptyOutput() DatasourceOutput {
	// A nil map or list would be null in HCL, and length() of it an error.
	return DatasourceOutput{
		AMIs: map[string]string{}, Tags: map[string]string{}, Ancestors: []string{},
		Outdated: []string{},
	}
}

// output returns the outputs for the parent.
func (p *parent) output(c Config) (DatasourceOutput, error) {
	out := emptyOutput()
	out.Found, out.ResolvedBy = true, p.way
	out.Image, out.ManifestURI = c.Image, p.uri
	facts := p.facts.Outgoing()
	out.Fingerprint, out.GitSHA, out.Commit = facts.Fingerprint, facts.Git.SHA, facts.Git.Commit
	ci := facts.CI
	out.CIProvider, out.CIBuildID, out.CIBuildURL = ci.Provider, ci.BuildID, ci.BuildURL
	for _, ancestor := range facts.Ancestors {
		if !slices.Contains(out.Ancestors, ancestor.Image) {
			out.Ancestors = append(out.Ancestors, ancestor.Image)
		}
	}
	out.Status, out.Outdated = p.status()
	ref := record.Parent{Root: p.root, Parent: manifest.Parent{
		Image: c.Image, FoundBy: p.foundBy, Channel: p.cameFrom(c), Fingerprint: p.facts.Fingerprint,
		ManifestURI: p.uri, ManifestSHA256: p.sha256,
		Ancestors: p.facts.Ancestors, Content: p.content, AllowRevoked: c.AllowRevoked,
	}}
	if main, isAMI := p.amis[p.region]; isAMI {
		out.ID, out.Region = main.ID, main.Region
		out.Name = manifest.If(manifest.IsAMIName, main.Name)
		out.SnapshotID = manifest.If(manifest.IsSnapshot, main.RootSnapshot)
		out.Architecture = manifest.If(manifest.IsID, main.Architecture)
		out.Owner = manifest.If(manifest.IsAccount, main.Owner)
		out.CreationDate = rfc3339(main.CreatedAt)
		for key, value := range main.Tags {
			if manifest.IsTag(key, value) {
				out.Tags[key] = value
			}
		}
		for region, image := range p.amis {
			out.AMIs[region] = image.ID
		}
		ref.Identity, ref.AMI, ref.Region, ref.AMIs = main.ID, main.ID, main.Region, out.AMIs
	} else {
		out.ID, ref.Identity = p.artifactID(), manifest.Identity(p.entries)
		out.CreationDate = rfc3339(p.builtAt())
	}
	var err error
	if out.Ref, err = record.EncodeParent(ref); err != nil {
		return DatasourceOutput{}, err
	}
	out.Record, err = p.record(c)
	return out, err
}

// record returns the record by which the image is promoted. Nothing may keep an image from being
// built on that only keeps it from being promoted.
func (p *parent) record(c Config) (string, error) {
	if p.pointer == nil {
		return "", nil
	}
	given, err := c.ForRecord()
	if err != nil {
		return "", err
	}
	at := *p.pointer
	at.Owners, at.AllowDeprecated, at.AllowRevoked = c.Owners, c.AllowDeprecated, c.AllowRevoked
	reason := "the image of " + strings.TrimPrefix(p.foundBy, "registry: ")
	if c.Previous > 0 {
		reason += fmt.Sprintf(", %d back", c.Previous)
	}
	encoded, err := record.Record{
		Facts: p.facts, Registry: c.Registry, Access: given, Entries: p.whole,
		Reason:    reason,
		DecidedAt: at.DecidedAt, Pointer: &at,
	}.Encode()
	if errors.Is(err, manifest.ErrTooLarge) {
		log.Printf("[WARN] %s", err)
		return "", nil
	}
	return encoded, err
}

// rfc3339 returns the time as text, or "" if it is not known.
func rfc3339(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}
