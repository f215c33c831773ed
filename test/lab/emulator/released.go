// SPDX-License-Identifier: MPL-2.0

package emulator

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// Parameter returns the value of a parameter of SSM, or "" if it does not exist. It may be that of
// another account than the one of [AWS.Env].
func (a *AWS) Parameter(
	ctx context.Context, region, name string, account ...string,
) (string, error) {
	client := ssm.NewFromConfig(a.config(region), func(o *ssm.Options) {
		for _, id := range account {
			o.APIOptions = append(o.APIOptions, smithyhttp.SetHeaderValue("x-moto-account-id", id))
		}
	})
	out, err := client.GetParameter(ctx, &ssm.GetParameterInput{Name: &name})
	var missing *ssmtypes.ParameterNotFound
	if errors.As(err, &missing) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("read parameter %s in %s: %w", name, region, err)
	}
	return aws.ToString(out.Parameter.Value), nil
}

// SharedWith returns the accounts and organizations that may launch an AMI.
func (a *AWS) SharedWith(ctx context.Context, region, id string) ([]string, error) {
	out, err := a.EC2(region).DescribeImageAttribute(ctx, &ec2.DescribeImageAttributeInput{
		ImageId: &id, Attribute: types.ImageAttributeNameLaunchPermission})
	if err != nil {
		return nil, fmt.Errorf("read who may launch %s in %s: %w", id, region, err)
	}
	var with []string
	for _, permission := range out.LaunchPermissions {
		with = append(with, aws.ToString(permission.UserId)+aws.ToString(permission.OrganizationArn))
	}
	return with, nil
}

// State returns the state of an AMI: EC2's word, or "deprecated" if it is available and deprecated.
func (a *AWS) State(ctx context.Context, region, id string) (string, error) {
	out, err := a.EC2(region).DescribeImages(ctx, &ec2.DescribeImagesInput{
		ImageIds: []string{id}, IncludeDisabled: aws.Bool(true), IncludeDeprecated: aws.Bool(true)})
	if err != nil {
		return "", fmt.Errorf("look up %s in %s: %w", id, region, err)
	}
	if len(out.Images) == 0 {
		return "gone", nil
	}
	image := out.Images[0]
	at, err := time.Parse(time.RFC3339, aws.ToString(image.DeprecationTime))
	if err == nil && image.State == types.ImageStateAvailable && time.Until(at) < 5*time.Minute {
		return "deprecated", nil
	}
	return string(image.State), nil
}
