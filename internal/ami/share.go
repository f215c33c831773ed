// SPDX-License-Identifier: MPL-2.0

package ami

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/smithy-go"

	"github.com/packer-chain/packer-plugin-chain/internal/awserror"
	"github.com/packer-chain/packer-plugin-chain/internal/retry"
)

// Permission is who may launch an AMI besides the account that owns it.
type Permission struct {
	// Accounts are 12-digit account ids.
	Accounts []string
	// Organizations are ARNs of organizations and organizational units.
	Organizations []string
}

// IsZero reports whether the permission is for nobody.
func (p Permission) IsZero() bool { return len(p.Accounts)+len(p.Organizations) == 0 }

// Share gives the permission on the AMIs, and to its accounts that on their snapshots, which they
// need to copy an AMI. What has it already is left alone. Share retries until ctx ends (or for 5
// minutes if ctx has no deadline), and returns when EC2 shows the permission. It never removes one.
func (c *Client) Share(
	ctx context.Context, region string, images []Image, with Permission,
) error {
	if len(images) == 0 || with.IsZero() {
		return nil
	}
	api, err := c.region(region)
	if err != nil {
		return fmt.Errorf("share: %w", err)
	}
	ctx, cancel := limited(ctx)
	defer cancel()
	job := &sharing{client: c, region: region, watch: c.watch(region)}
	defer job.watch.Stop()
	var grants []grant
	for _, img := range images {
		if img.Disabled() {
			return fmt.Errorf("share %s in %s: it is disabled, and EC2 shares no disabled AMI",
				img.ID, region)
		}
		grants = append(grants, grantsOf(api, img, with)...)
	}
	for _, step := range []func(context.Context, *grant) error{job.write, job.await} {
		for i := range grants {
			if err := step(ctx, &grants[i]); err != nil {
				return fmt.Errorf("share %s in %s: %w", grants[i].id, region, err)
			}
		}
	}
	return nil
}

// sharing is one call of [Client.Share].
type sharing struct {
	client *Client
	region string
	watch  *retry.Watch
}

// grant is a permission on one AMI or one snapshot.
type grant struct {
	id string
	// want are those who get it: accounts and ARNs.
	want []string
	// written is whether some of them did not have it before.
	written               bool
	read                  func(context.Context) ([]string, error)
	write                 func(context.Context, []string) error
	readAction, addAction string
}

// grantsOf returns the grants for an image and then for its snapshots: for an image of another
// account, EC2 says so, but it does not know the snapshots. The owner has every permission anyway.
func grantsOf(api ec2API, img Image, with Permission) []grant {
	accounts := slices.Compact(slices.Sorted(slices.Values(with.Accounts)))
	accounts = slices.DeleteFunc(accounts, func(id string) bool { return id == img.Owner })
	organizations := slices.Compact(slices.Sorted(slices.Values(with.Organizations)))
	grants := []grant{launchGrant(api, img.ID, slices.Concat(accounts, organizations))}
	for _, id := range slices.Compact(slices.Sorted(slices.Values(img.Snapshots))) {
		grants = append(grants, volumeGrant(api, id, accounts))
	}
	return slices.DeleteFunc(grants, func(g grant) bool { return len(g.want) == 0 })
}

func launchGrant(api ec2API, id string, want []string) grant {
	return grant{
		id: id, want: want, readAction: readLaunchAction, addAction: launchAction,
		read: func(ctx context.Context) ([]string, error) {
			out, err := api.describeImageAttribute(ctx, &ec2.DescribeImageAttributeInput{
				ImageId: &id, Attribute: types.ImageAttributeNameLaunchPermission}, noRetries)
			if err != nil {
				return nil, err
			}
			var have []string
			for _, p := range out.LaunchPermissions {
				have = append(have, aws.ToString(p.UserId), aws.ToString(p.OrganizationArn),
					aws.ToString(p.OrganizationalUnitArn))
			}
			return have, nil
		},
		write: func(ctx context.Context, who []string) error {
			add := make([]types.LaunchPermission, 0, len(who))
			for _, one := range who {
				add = append(add, launchPermission(one))
			}
			_, err := api.modifyImageAttribute(ctx, &ec2.ModifyImageAttributeInput{
				ImageId:          &id,
				LaunchPermission: &types.LaunchPermissionModifications{Add: add},
			}, noRetries)
			return err
		},
	}
}

// launchPermission returns the permission for an account id or an ARN.
func launchPermission(who string) types.LaunchPermission {
	switch {
	case strings.Contains(who, ":ou/"):
		return types.LaunchPermission{OrganizationalUnitArn: &who}
	case strings.HasPrefix(who, "arn:"):
		return types.LaunchPermission{OrganizationArn: &who}
	}
	return types.LaunchPermission{UserId: &who}
}

func volumeGrant(api ec2API, id string, accounts []string) grant {
	return grant{
		id: id, want: accounts, readAction: readVolumeAction, addAction: volumeAction,
		read: func(ctx context.Context) ([]string, error) {
			out, err := api.describeSnapshotAttribute(ctx, &ec2.DescribeSnapshotAttributeInput{
				SnapshotId: &id,
				Attribute:  types.SnapshotAttributeNameCreateVolumePermission,
			}, noRetries)
			if err != nil {
				return nil, err
			}
			var have []string
			for _, p := range out.CreateVolumePermissions {
				have = append(have, aws.ToString(p.UserId))
			}
			return have, nil
		},
		write: func(ctx context.Context, who []string) error {
			var add []types.CreateVolumePermission
			for _, account := range who {
				add = append(add, types.CreateVolumePermission{UserId: aws.String(account)})
			}
			_, err := api.modifySnapshotAttribute(ctx, &ec2.ModifySnapshotAttributeInput{
				SnapshotId:             &id,
				CreateVolumePermission: &types.CreateVolumePermissionModifications{Add: add},
			}, noRetries)
			return err
		},
	}
}

// write gives the permission to those who lack it.
func (s *sharing) write(ctx context.Context, g *grant) error {
	var missing []string
	err := s.client.again(ctx, s.watch, s.what("read who may use", g), func() (err error) {
		missing, err = g.missing(ctx)
		return err
	})
	if err != nil {
		return explain(err, s.region, g.readAction)
	}
	if len(missing) == 0 {
		return nil
	}
	g.written = true
	err = s.client.again(ctx, s.watch, s.what("share", g), func() error {
		return g.write(ctx, missing)
	})
	if err != nil {
		return unshared(err, s.region, g.addAction, missing)
	}
	return nil
}

// await returns when EC2 shows a permission that was written.
func (s *sharing) await(ctx context.Context, g *grant) error {
	if !g.written {
		return nil
	}
	err := s.client.again(ctx, s.watch, s.what("read who may use", g), func() error {
		missing, err := g.missing(ctx)
		if err == nil && len(missing) > 0 {
			return &staleError{"no permission for " + strings.Join(missing, ", ")}
		}
		return err
	})
	if err != nil {
		return explain(err, s.region, g.readAction)
	}
	return nil
}

func (s *sharing) what(verb string, g *grant) string {
	return fmt.Sprintf("%s %s in %s", verb, g.id, s.region)
}

// missing returns those who do not have the permission.
func (g *grant) missing(ctx context.Context) ([]string, error) {
	have, err := g.read(ctx)
	return slices.DeleteFunc(slices.Clone(g.want), func(who string) bool {
		return slices.Contains(have, who)
	}), err
}

const (
	// EC2 has two codes for an AMI and a snapshot that are encrypted with the key of AWS.
	defaultKey = "A snapshot that is encrypted with the account's default key (aws/ebs) cannot be " +
		"shared. Build the image with a KMS key of your own (kms_key_id of the builder), and allow " +
		"those who get the image to use that key."
	product = "EC2 does not allow sharing this. An image that is built on one of AWS Marketplace " +
		"has a product code, and whoever wants to start it has to subscribe to the product and " +
		"build the image in their account."
	nobody = "EC2 does not know all of these, or does not accept them: %s. Check accounts and " +
		"organizations: an account is 12 digits, and an organization or organizational unit is an " +
		"ARN, such as arn:aws:organizations::123456789012:organization/o-abcdefghij."
)

// unshared explains why EC2 did not give a permission to those who lack it.
func unshared(err error, region, action string, missing []string) error {
	code, message := awserror.Code(err), ""
	var api smithy.APIError
	if errors.As(err, &api) {
		message = strings.ToLower(api.ErrorMessage())
	}
	advice := ""
	switch {
	case code == "InvalidAMIAttributeItemValue", code == "InvalidUserID.Malformed":
		advice = fmt.Sprintf(nobody, strings.Join(missing, ", "))
	case code != "OperationNotPermitted" && code != "InvalidParameter":
		return explain(err, region, action)
	case strings.Contains(message, "encrypted"):
		advice = defaultKey
	case strings.Contains(message, "product"), strings.Contains(message, "marketplace"):
		advice = product
	default:
		return explain(err, region, action)
	}
	return fmt.Errorf("%w\n\n%s", err, advice)
}
