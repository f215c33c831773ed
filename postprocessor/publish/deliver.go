// SPDX-License-Identifier: MPL-2.0

package publish

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/packer-chain/packer-plugin-chain/internal/access"
	"github.com/packer-chain/packer-plugin-chain/internal/ami"
	"github.com/packer-chain/packer-plugin-chain/internal/crash"
	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
	"github.com/packer-chain/packer-plugin-chain/internal/parameter/parametername"
	"github.com/packer-chain/packer-plugin-chain/internal/registry"
	"github.com/packer-chain/packer-plugin-chain/internal/text"
)

// delivers reports whether the image of a channel is shared, or named by a parameter.
func (p publication) delivers() bool {
	return p.config.Share != nil || len(p.config.SSMParameters) > 0
}

// share lets others launch the AMIs, in all regions concurrently.
func (p publication) share(
	ctx context.Context, conn *access.Connection, images map[string][]ami.Image,
) error {
	if p.config.Share == nil {
		return nil
	}
	ec2, err := conn.EC2()
	if err != nil {
		return err
	}
	with := ami.Permission{
		Accounts: p.config.Share.Accounts, Organizations: p.config.Share.Organizations,
	}
	err = ami.EachRegion(ctx, slices.Sorted(maps.Keys(images)), ami.MaxRegions,
		func(ctx context.Context, region string) error {
			return ec2.Share(ctx, region, images[region], with)
		})
	if err == nil {
		all := slices.Concat(with.Accounts, with.Organizations)
		p.ui.Say("shared with " + text.List(all))
	}
	return err
}

// deliver keeps the parameters of a channel on what it says. After writing, it reads the channel
// again: whoever writes last has seen the newest move, so no parameter stays on an older image.
func (p publication) deliver(
	ctx context.Context, conn *access.Connection, reg *registry.Registry, channel string,
	to registry.Target,
) error {
	if len(p.config.SSMParameters) == 0 {
		return nil
	}
	for {
		if err := p.writeParameters(ctx, conn, channel, to); err != nil {
			return err
		}
		pointer, err := reg.Pointer(ctx, p.rec.Image, channelName(channel))
		if err != nil {
			return err
		}
		now := pointer.Current()
		if now.Same(to) {
			return nil
		}
		p.ui.Say(fmt.Sprintf("%s was moved to %.12s meanwhile: its parameters follow",
			pointer.ID(), now.Fingerprint))
		if err := p.confirmTarget(ctx, conn, reg, pointer); err != nil {
			return fmt.Errorf("the parameters of %s do not follow: %w\n\nMove the channel to a good "+
				"image. The parameters follow then.", pointer.ID(), err)
		}
		to = now
	}
}

// confirmTarget returns an error unless what another run has moved a channel to is good: its
// manifest has it, it is not revoked, and its AMIs exist and are ours.
func (p publication) confirmTarget(
	ctx context.Context, conn *access.Connection, reg *registry.Registry, pointer *registry.Pointer,
) error {
	stored, err := reg.Follow(ctx, pointer, pointer.Moves[0])
	if err != nil {
		return err
	}
	entries, _ := pointer.Current().Entries(stored.Manifest)
	for _, entry := range entries {
		if entry.Revoked != nil {
			return fmt.Errorf("%s is revoked%s", artifactOf(entry), text.Because(entry.Revoked.Reason))
		}
	}
	_, err = p.lookUp(ctx, conn, manifest.AMIsByRegion(entries))
	return err
}

// writeParameters writes the parameters of a channel in all regions, concurrently.
func (p publication) writeParameters(
	ctx context.Context, conn *access.Connection, channel string, to registry.Target,
) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(ami.MaxRegions)
	for _, block := range p.config.SSMParameters {
		regions, err := parameterValues(block, p.rec.Image, channel, to)
		if err != nil {
			return err
		}
		client, err := conn.Parameters(block.AssumeRole)
		if err != nil {
			return fmt.Errorf("ssm_parameter %s: %w", block.Name, err)
		}
		for _, region := range slices.Sorted(maps.Keys(regions)) {
			for _, name := range slices.Sorted(maps.Keys(regions[region])) {
				id := regions[region][name]
				group.Go(crash.Guard("write parameter "+name, func() error {
					changed, err := client.Put(ctx, region, name, id)
					if changed {
						p.ui.Say(fmt.Sprintf("%s: parameter %s = %s", region, name, id))
					}
					return err
				}))
			}
		}
	}
	return group.Wait()
}

// parameterNames returns the parameters that follow a channel to a target, as "region:name",
// sorted.
func (p publication) parameterNames(channel string, to registry.Target) []string {
	var names []string
	for _, block := range p.config.SSMParameters {
		// What is wrong with it is said where it is written.
		regions, _ := parameterValues(block, p.rec.Image, channel, to)
		for region, values := range regions {
			for name := range values {
				names = append(names, region+":"+name)
			}
		}
	}
	return slices.Compact(slices.Sorted(slices.Values(names)))
}

// parameterValues returns the names of the parameters of a block and the AMIs that they name, by
// region. It returns an error if two AMIs would have one name, or if there is no AMI.
func parameterValues(
	block SSMParameter, image, channel string, to registry.Target,
) (map[string]map[string]string, error) {
	values := map[string]map[string]string{}
	for _, build := range to.Builds {
		name := parametername.Name(block.Name).Fill(parametername.Values{
			Image: image, Channel: channel, Architecture: build.Architecture, Source: build.Source,
		})
		if err := parametername.Name(name).Check(); err != nil {
			return nil, fmt.Errorf("ssm_parameter %s: name %w", block.Name, err)
		}
		for region, id := range build.AMIs {
			if values[region] == nil {
				values[region] = map[string]string{}
			}
			if other := values[region][name]; other != "" && other != id {
				return nil, fmt.Errorf("ssm_parameter %s would name %s and %s in %s: put {architecture} or "+
					"{source} into its name", block.Name, min(id, other), max(id, other), region)
			}
			values[region][name] = id
		}
	}
	if len(values) == 0 {
		return nil, errNoAMI
	}
	return values, nil
}

// byRegion returns the AMIs of entries, by region.
func byRegion(
	entries []manifest.Entry, seen map[ami.Address]ami.Image,
) map[string][]ami.Image {
	images := map[string][]ami.Image{}
	for _, entry := range entries {
		for _, image := range entry.AMIs() {
			at := ami.Address{Region: image.Region, ID: image.ID}
			images[image.Region] = append(images[image.Region], seen[at])
		}
	}
	return images
}
