// SPDX-License-Identifier: MPL-2.0

//go:generate packer-sdc struct-markdown

package image

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/zclconf/go-cty/cty"

	"github.com/packer-chain/packer-plugin-chain/internal/ami"
	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
	"github.com/packer-chain/packer-plugin-chain/internal/record"
	"github.com/packer-chain/packer-plugin-chain/internal/tags"
)

// DatasourceOutput are the outputs. A value that is not known is empty.
type DatasourceOutput struct {
	// The sources that have to be built: those of `sources`, or the name of the image if that lists
	// none. Empty if nothing has to be built.
	Pending []string `mapstructure:"pending"`
	// Source to `[source]` if it has to be built, and to `[]` if not: the `for_each` of a `dynamic
	// "source"` for a template with several sources. Empty without `sources`.
	ForEach map[string]string `mapstructure:"for_each"`
	// Whether anything has to be built.
	Needed bool `mapstructure:"needed"`
	// Why it has to be built, in one line, or `unchanged`.
	Reason string `mapstructure:"reason"`
	// The fingerprint: 64 hex digits.
	Fingerprint string `mapstructure:"fingerprint"`
	// The first 12 digits of the fingerprint.
	Short string `mapstructure:"short"`
	// The git object id of `path`.
	GitSHA string `mapstructure:"git_sha"`
	// The commit that is checked out. With `git = false` the one that the CI service names, or empty.
	Commit string `mapstructure:"commit"`
	// The branch, from git or from the CI service. Empty if neither knows it, or if its name has
	// characters that are not safe in a script.
	Branch string `mapstructure:"branch"`
	// The line that the run belongs to, as its document is called: a branch such as `main`, or
	// `pr-42`, `tag-v1.2`, `local`.
	Line string `mapstructure:"line"`
	// Whether uncommitted files go into the image.
	Dirty bool `mapstructure:"dirty"`
	// The tags that say what the image is, for `tags` of the builder.
	Tags map[string]string `mapstructure:"tags"`
	// The AMI that exists, in the first of `regions`. Empty if the image has to be built. For an image
	// that is not an AMI, the id of its artifact.
	ID string `mapstructure:"id"`
	// The region to build in, for the builder: that of the session, unless `regions` lacks it; then
	// the first of `regions`. Empty if nothing names one but the instance, and `registry` is a folder.
	Region string `mapstructure:"region"`
	// Region to AMI of the image that exists. If an image has several AMIs in a region, the keys
	// are `region/source`, such as `eu-west-1/amazon-ebs.arm64`. AMIs outside of `regions` are as
	// the manifest has them: nobody checks whether they exist.
	AMIs map[string]string `mapstructure:"amis"`
	// The regions of `regions` in which the AMI does not exist.
	MissingRegions []string `mapstructure:"missing_regions"`
	// What the fingerprint is made of, as JSON: a list of objects with `name` and `value`.
	Components string `mapstructure:"components"`
	// Opaque JSON: the value for `record` of the `chain` builder and the `chain` post-processor.
	Record string `mapstructure:"record"`
}

// output returns the outputs, and the record for the builder and the post-processor.
// session is the region of the session.
func output(
	c Config, session string, id identity, e existing, d decision,
) (DatasourceOutput, error) {
	facts := id.facts
	needed := len(d.pending) > 0
	out := DatasourceOutput{
		Pending: append([]string{}, d.pending...), Needed: needed, Reason: safe(d.reason),
		Fingerprint: facts.Fingerprint, Short: facts.Fingerprint[:12],
		GitSHA: facts.Git.SHA, Commit: facts.Git.Commit,
		Branch: facts.Outgoing().Git.Branch, Line: facts.Git.Line.Document(), Dirty: facts.Git.Dirty,
		Tags: builderTags(c, facts), AMIs: map[string]string{},
		MissingRegions: append([]string{}, d.missingRegions...), Region: buildRegion(c.Regions, session),
	}
	given, err := c.ForRecord()
	if err != nil {
		return DatasourceOutput{}, err
	}
	rec := record.Record{
		Facts: facts, Registry: c.Registry, Access: given,
		Pending: d.pending, Reason: d.reason, Forced: c.Force,
		DecidedAt: e.readAt, Known: e.runs(), Tags: out.Tags, Entries: d.entries,
		Unpublished: d.unpublished, Abandoned: e.abandoned,
		LocalManifest: c.LocalManifest, Regions: c.Regions,
		DefaultBranches: id.defaultBranches, NotOnBranch: id.notOnBranch, Checkout: &id.checkout,
		Warnings: id.warnings,
	}
	if !needed {
		out.AMIs = manifest.AMIMap(rec.Entries)
		maps.DeleteFunc(out.AMIs, func(key, _ string) bool {
			_, source, named := strings.Cut(key, "/")
			return named && manifest.CheckSource(source) != nil
		})
		out.ID = firstID(rec.Entries, e.regions)
		rec.Unmarked = !d.unpublished && e.lacksMark(d.entries)
	}
	components, err := json.Marshal(facts.Components)
	if err != nil {
		return DatasourceOutput{}, fmt.Errorf("encode components: %w", err)
	}
	out.Components = string(components)
	out.Record, err = rec.Encode()
	return out, err
}

// buildRegion returns the region to build in: that of the session, unless regions lacks it.
func buildRegion(regions []string, session string) string {
	if len(regions) > 0 && !slices.Contains(regions, session) {
		return regions[0]
	}
	return session
}

// safe returns a reason without the characters that mean something to a shell or a page: it may
// quote a tag or a document. Quotes become typographic ones.
func safe(reason string) string {
	return strings.NewReplacer(
		`"`, "”", "'", "’", "`", "’", "$", "", `\`, "", "<", "‹",
		"-> ", "-> ", ">", "›").Replace(reason)
}

// runs returns the Packer runs that the manifest in the registry has.
func (e existing) runs() []string {
	var runs []string
	for _, entry := range e.all() {
		runs = append(runs, entry.PackerRunUUID)
	}
	return sorted(runs)
}

// lacksMark reports whether an AMI of the entries does not name its manifest: the run that
// published it has ended too early.
func (e existing) lacksMark(entries []manifest.Entry) bool {
	return slices.ContainsFunc(entries, func(entry manifest.Entry) bool {
		return slices.ContainsFunc(entry.AMIs(), func(image manifest.Image) bool {
			seen, ok := e.images[ami.Address{Region: image.Region, ID: image.ID}]
			return ok && seen.Tags[tags.Manifest] == ""
		})
	})
}

// forEach maps each source of a template to the list over which its dynamic block goes.
func forEach(c Config, pending []string) cty.Value {
	lists := map[string]cty.Value{}
	for _, source := range c.Sources {
		lists[source] = cty.ListValEmpty(cty.String)
		if slices.Contains(pending, source) {
			lists[source] = cty.ListVal([]cty.Value{cty.StringVal(source)})
		}
	}
	if len(lists) == 0 {
		return cty.MapValEmpty(cty.List(cty.String))
	}
	return cty.MapVal(lists)
}

// firstID returns the AMI in the first region, or the id of an artifact that is not an AMI.
func firstID(entries []manifest.Entry, regions []string) string {
	for _, entry := range entries {
		for _, image := range entry.AMIs() {
			if len(regions) == 0 || image.Region == regions[0] {
				return image.ID
			}
		}
	}
	for _, entry := range entries {
		if len(entry.AMIs()) == 0 {
			return manifest.If(manifest.IsID, entry.ArtifactID)
		}
	}
	return ""
}

// builderTags returns the tags for the builder: few, short, and known before the build.
func builderTags(c Config, facts manifest.Facts) map[string]string {
	all := map[string]string{
		tags.Image: c.Image, tags.Fingerprint: facts.Fingerprint}
	if facts.Git.Commit != "" {
		all[tags.Commit] = facts.Git.Commit
	}
	if facts.Git.Name != "" {
		all[tags.GitSHA] = facts.Git.Name
	}
	var parents []string
	for _, parent := range facts.Parents {
		if parent.AMI != "" {
			parents = append(parents, parent.AMI)
		}
	}
	if len(parents) > 0 {
		all[tags.Parent] = tags.Value(strings.Join(parents, " "))
	}
	return all
}
