// SPDX-License-Identifier: MPL-2.0

package report

import (
	"context"
	"fmt"

	"github.com/packer-chain/packer-plugin-chain/internal/access"
	"github.com/packer-chain/packer-plugin-chain/internal/ami"
	"github.com/packer-chain/packer-plugin-chain/internal/gitrepo"
	"github.com/packer-chain/packer-plugin-chain/internal/registry"
	"github.com/packer-chain/packer-plugin-chain/internal/report"
	"github.com/packer-chain/packer-plugin-chain/internal/text"
)

// states asks EC2 for all AMIs that channels point at, in all regions concurrently. It returns what
// EC2 says of each, by region and id.
func states(
	ctx context.Context, conn *access.Connection, from report.Contents,
) (map[string]map[string]string, error) {
	ids := map[string][]string{}
	said := map[string]map[string]string{}
	for _, pointer := range from.Channels {
		for _, build := range pointer.Current().Builds {
			for region, id := range build.AMIs {
				if said[region] == nil {
					said[region] = map[string]string{}
				}
				if said[region][id] == "" {
					said[region][id] = "gone"
					ids[region] = append(ids[region], id)
				}
			}
		}
	}
	if len(ids) == 0 {
		return nil, nil
	}
	ec2, err := conn.EC2()
	if err != nil {
		return nil, err
	}
	seen, err := ec2.Lookup(ctx, ids, nil)
	if err != nil {
		return nil, fmt.Errorf("look up the AMIs: %w", err)
	}
	for at, image := range seen {
		said[at.Region][at.ID] = state(image)
	}
	return said, nil
}

// state returns what EC2 says of an AMI in one word.
func state(image ami.Image) string {
	if _, revoked := ami.RevokedReason(image); revoked {
		return "revoked"
	}
	return text.OneLine(image.State)
}

// changed returns which images have other files in this checkout than in the build that latest
// points at, in words. One that git cannot tell is left out: it says so.
func changed(
	ctx context.Context, paths map[string]string, from report.Contents,
) map[string]string {
	words := map[string]string{}
	for image, path := range paths {
		pointer := from.Channels[report.Pointed{Image: image, Channel: "latest"}]
		if pointer == nil {
			continue
		}
		checkout, err := gitrepo.Inspect(ctx, func(string, string) bool { return false }, path)
		if err != nil {
			words[image] = "its files could not be compared: " + text.OneLine(err.Error())
			continue
		}
		words[image] = difference(checkout.Objects[0], pointer.Current())
	}
	return words
}

// difference returns how files differ from those that a target was built from, or "".
func difference(now gitrepo.Object, built registry.Target) string {
	switch {
	case len(now.Dirty) > 0:
		return "its files are not committed: " + text.Files(now.Dirty, 3)
	case built.GitSHA != "" && now.Name() != built.GitSHA:
		return fmt.Sprintf("template: %.7s -> %.7s", built.GitSHA, now.Name())
	}
	return ""
}
