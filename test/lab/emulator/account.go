// SPDX-License-Identifier: MPL-2.0

package emulator

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// Image is an AMI of the account, with the tags of its snapshots.
type Image struct {
	ID, Name, Region string
	Tags             map[string]string
	// Snapshots are the tags of every snapshot of the AMI, by snapshot id.
	Snapshots map[string]map[string]string
}

// EC2 returns a client of the account. It reads nothing from the environment.
func (a *AWS) EC2(region string) *ec2.Client {
	return ec2.NewFromConfig(a.config(region))
}

// S3 returns a client of the account. It reads nothing from the environment.
func (a *AWS) S3(region string) *s3.Client {
	return s3.NewFromConfig(a.config(region), func(o *s3.Options) { o.UsePathStyle = true })
}

func (a *AWS) config(region string) aws.Config {
	return aws.Config{
		Region:                     region,
		BaseEndpoint:               &a.Endpoint,
		Credentials:                credentials.NewStaticCredentialsProvider("test", "test", ""),
		ResponseChecksumValidation: aws.ResponseChecksumValidationWhenRequired,
	}
}

// Images returns the account's own AMIs in a region, sorted by name and then by id.
func (a *AWS) Images(ctx context.Context, region string) ([]Image, error) {
	client := a.EC2(region)
	out, err := client.DescribeImages(ctx, &ec2.DescribeImagesInput{Owners: []string{"self"}})
	if err != nil {
		return nil, fmt.Errorf("list images in %s: %w", region, err)
	}
	images := []Image{}
	for i := range out.Images {
		found := &out.Images[i]
		image := Image{
			ID: *found.ImageId, Name: aws.ToString(found.Name), Region: region, Tags: tagMap(found.Tags),
		}
		if image.Snapshots, err = snapshots(ctx, client, found); err != nil {
			return nil, fmt.Errorf("list snapshots of %s in %s: %w", image.ID, region, err)
		}
		images = append(images, image)
	}
	slices.SortFunc(images, func(x, y Image) int {
		return cmp.Or(cmp.Compare(x.Name, y.Name), cmp.Compare(x.ID, y.ID))
	})
	return images, nil
}

func snapshots(
	ctx context.Context, client *ec2.Client, image *types.Image,
) (map[string]map[string]string, error) {
	tags := map[string]map[string]string{}
	for _, device := range image.BlockDeviceMappings {
		if device.Ebs == nil || device.Ebs.SnapshotId == nil {
			continue
		}
		in := &ec2.DescribeSnapshotsInput{SnapshotIds: []string{*device.Ebs.SnapshotId}}
		out, err := client.DescribeSnapshots(ctx, in)
		if err != nil {
			return nil, err
		}
		for i := range out.Snapshots {
			tags[*out.Snapshots[i].SnapshotId] = tagMap(out.Snapshots[i].Tags)
		}
	}
	return tags, nil
}

func tagMap(tags []types.Tag) map[string]string {
	m := map[string]string{}
	for _, tag := range tags {
		m[aws.ToString(tag.Key)] = aws.ToString(tag.Value)
	}
	return m
}

// Launched returns how many instances were ever launched in a region: terminated ones stay listed.
func (a *AWS) Launched(ctx context.Context, region string) (int, error) {
	out, err := a.EC2(region).DescribeInstances(ctx, &ec2.DescribeInstancesInput{})
	if err != nil {
		return 0, fmt.Errorf("list instances in %s: %w", region, err)
	}
	n := 0
	for _, reservation := range out.Reservations {
		n += len(reservation.Instances)
	}
	return n, nil
}

// Deregister deregisters an AMI.
func (a *AWS) Deregister(ctx context.Context, region, id string) error {
	_, err := a.EC2(region).DeregisterImage(ctx, &ec2.DeregisterImageInput{ImageId: &id})
	if err != nil {
		return fmt.Errorf("deregister %s in %s: %w", id, region, err)
	}
	return nil
}

// SourceAMI returns an Ubuntu AMI of another account, which every region has from the start.
func (a *AWS) SourceAMI(ctx context.Context, region string) (string, error) {
	out, err := a.EC2(region).DescribeImages(ctx, &ec2.DescribeImagesInput{Filters: []types.Filter{
		{Name: aws.String("name"), Values: []string{"ubuntu/images/*"}},
		{Name: aws.String("architecture"), Values: []string{"x86_64"}},
	}})
	if err != nil {
		return "", fmt.Errorf("find a source AMI in %s: %w", region, err)
	}
	if len(out.Images) == 0 {
		return "", fmt.Errorf("find a source AMI in %s: Ubuntu has none", region)
	}
	return *out.Images[0].ImageId, nil
}

// CreateBucket makes an empty bucket.
func (a *AWS) CreateBucket(ctx context.Context, bucket string) error {
	_, err := a.S3("us-east-1").CreateBucket(ctx, &s3.CreateBucketInput{Bucket: &bucket})
	if err != nil {
		return fmt.Errorf("create bucket %s: %w", bucket, err)
	}
	return nil
}

// Objects reads every object of a bucket, by key.
func (a *AWS) Objects(ctx context.Context, bucket string) (map[string][]byte, error) {
	client := a.S3("us-east-1")
	objects := map[string][]byte{}
	pages := s3.NewListObjectsV2Paginator(client, &s3.ListObjectsV2Input{Bucket: &bucket})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("list s3://%s: %w", bucket, err)
		}
		for i := range page.Contents {
			key := *page.Contents[i].Key
			if objects[key], err = object(ctx, client, bucket, key); err != nil {
				return nil, fmt.Errorf("read s3://%s/%s: %w", bucket, key, err)
			}
		}
	}
	return objects, nil
}

func object(ctx context.Context, client *s3.Client, bucket, key string) ([]byte, error) {
	out, err := client.GetObject(ctx, &s3.GetObjectInput{Bucket: &bucket, Key: &key})
	if err != nil {
		return nil, err
	}
	defer out.Body.Close()
	return io.ReadAll(out.Body)
}
