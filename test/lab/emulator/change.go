// SPDX-License-Identifier: MPL-2.0

package emulator

import (
	"bytes"
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// Tag tags an AMI, as someone with the console would.
func (a *AWS) Tag(ctx context.Context, region, id, key, value string) error {
	_, err := a.EC2(region).CreateTags(ctx, &ec2.CreateTagsInput{
		Resources: []string{id}, Tags: []types.Tag{{Key: aws.String(key), Value: aws.String(value)}}})
	if err != nil {
		return fmt.Errorf("tag %s in %s: %w", id, region, err)
	}
	return nil
}

// PutObject replaces an object of a bucket.
func (a *AWS) PutObject(ctx context.Context, bucket, key string, body []byte) error {
	_, err := a.S3("us-east-1").PutObject(ctx, &s3.PutObjectInput{
		Bucket: aws.String(bucket), Key: aws.String(key), Body: bytes.NewReader(body)})
	if err != nil {
		return fmt.Errorf("write s3://%s/%s: %w", bucket, key, err)
	}
	return nil
}

// CreateImage makes an AMI of the account, without a tag.
func (a *AWS) CreateImage(ctx context.Context, region, name string) (id string, err error) {
	source, err := a.SourceAMI(ctx, region)
	if err != nil {
		return "", err
	}
	client := a.EC2(region)
	run, err := client.RunInstances(ctx, &ec2.RunInstancesInput{
		ImageId: &source, MinCount: aws.Int32(1), MaxCount: aws.Int32(1)})
	if err != nil {
		return "", fmt.Errorf("create image %s in %s: %w", name, region, err)
	}
	out, err := client.CreateImage(ctx, &ec2.CreateImageInput{
		Name: &name, InstanceId: run.Instances[0].InstanceId})
	if err != nil {
		return "", fmt.Errorf("create image %s in %s: %w", name, region, err)
	}
	return *out.ImageId, nil
}
