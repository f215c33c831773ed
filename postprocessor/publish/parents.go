// SPDX-License-Identifier: MPL-2.0

package publish

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	packersdk "github.com/hashicorp/packer-plugin-sdk/packer"

	"github.com/packer-chain/packer-plugin-chain/internal/ami"
	"github.com/packer-chain/packer-plugin-chain/internal/artifact"
	"github.com/packer-chain/packer-plugin-chain/internal/fingerprint"
	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
	"github.com/packer-chain/packer-plugin-chain/internal/tags"
	"github.com/packer-chain/packer-plugin-chain/internal/text"
)

// checkSource compares the AMI that the image was built on with the parents and the inputs that the
// fingerprint names. A template that resolves a parent and then builds on something else is wrong,
// and so is one that builds on an image of this plugin and does not say so: the next build of that
// image would not reach it. Tags are visible only to the account that owns the AMI.
func (p publication) checkSource(
	ctx context.Context, client *ami.Client, source packersdk.Artifact,
) error {
	if p.passedThrough() {
		return nil
	}
	data := source.State("generated_data")
	built := artifact.SourceAMI(data)
	if built == "" || isParent(built, p.rec.Parents) || isInput(built, p.rec.Components) {
		return nil
	}
	if wanted := parentAMIs(p.rec.Parents); wanted != "" {
		return mistakef("it was built on %s, but its parent is %s\n\n"+
			"Set source_ami = data.chain.NAME.id, of the data source whose ref is in parents. "+
			"Nothing was tagged or published.", built, wanted)
	}
	var image ami.Image
	if region := artifact.Region(data); region != "" {
		var err error
		if image, err = client.Get(ctx, region, built); ctx.Err() != nil {
			return err
		}
	}
	if name := image.Tags[tags.Image]; name != "" {
		return mistakef("it was built on %s, which is image %s of this plugin, but parents of data "+
			"\"chain-image\" does not name it: a new build of %s would never reach it\n\n"+
			"Find it with a data \"chain\", and set parents = [data.chain.NAME.ref]. "+
			"Nothing was tagged or published.", image, text.OneLine(name), text.OneLine(name))
	}
	p.warn(fmt.Sprintf("the image was built on %s, which is neither a parent nor the value of an "+
		"input: when a newer one appears, nothing is built. Find it with data \"amazon-ami\", and add "+
		"its id to inputs of data \"chain-image\"", built))
	return nil
}

func isParent(id string, parents []manifest.Parent) bool {
	return slices.ContainsFunc(parents, func(parent manifest.Parent) bool {
		return parent.AMI == id || slices.Contains(slices.Collect(maps.Values(parent.AMIs)), id)
	})
}

// isInput reports whether an input of the fingerprint has a value.
func isInput(value string, components []manifest.Component) bool {
	return slices.ContainsFunc(components, func(component manifest.Component) bool {
		return fingerprint.IsInput(component, value)
	})
}

// parentAMIs names the AMIs of the parents, for an error.
func parentAMIs(parents []manifest.Parent) string {
	var names []string
	for _, parent := range parents {
		if parent.AMI != "" {
			names = append(names, fmt.Sprintf("%s (%s)", parent.AMI, parent.Image))
		}
	}
	return strings.Join(names, " or ")
}
