// SPDX-License-Identifier: MPL-2.0

// Package ami finds, checks, tags, shares and retires Amazon machine images in their regions. It
// reports what exists. Which image to use, and what to do about one that is gone, is the caller's
// decision. It never creates or deletes an image.
package ami

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/packer-chain/packer-plugin-chain/internal/tags"
	"github.com/packer-chain/packer-plugin-chain/internal/text"
)

// Image is an AMI as EC2 describes it.
type Image struct {
	ID     string
	Name   string
	Region string
	// Architecture is EC2's word, such as "x86_64" or "arm64".
	Architecture string
	// Owner is the 12-digit account id.
	Owner string
	// OwnerAlias is "amazon", "aws-backup-vault" or "aws-marketplace"; empty for other accounts.
	OwnerAlias string
	// State is EC2's word: "available", "pending", "failed", "disabled" and so on.
	State       string
	StateReason string
	CreatedAt   time.Time
	// DeprecatedAt is zero for an image that never gets deprecated.
	DeprecatedAt time.Time
	// Tags is never nil. EC2 shows the tags of an image only to the owner's account.
	Tags map[string]string
	// Snapshots are the ids of the snapshots behind the image's volumes, in the order of EC2.
	Snapshots []string
	// RootSnapshot is the snapshot behind the root volume; empty if there is none.
	RootSnapshot string
	// SizeGiB is that of all volumes together.
	SizeGiB int64
}

func fromEC2(region string, in types.Image) Image {
	img := Image{
		ID:           aws.ToString(in.ImageId),
		Name:         aws.ToString(in.Name),
		Region:       region,
		Architecture: string(in.Architecture),
		Owner:        aws.ToString(in.OwnerId),
		OwnerAlias:   aws.ToString(in.ImageOwnerAlias),
		State:        string(in.State),
		CreatedAt:    parseTime(in.CreationDate),
		DeprecatedAt: parseTime(in.DeprecationTime),
		Tags:         make(map[string]string, len(in.Tags)),
	}
	if in.StateReason != nil {
		img.StateReason = cmp.Or(
			aws.ToString(in.StateReason.Message), aws.ToString(in.StateReason.Code))
	}
	for _, t := range in.Tags {
		img.Tags[aws.ToString(t.Key)] = aws.ToString(t.Value)
	}
	for _, m := range in.BlockDeviceMappings {
		if m.Ebs == nil {
			continue
		}
		img.SizeGiB += int64(aws.ToInt32(m.Ebs.VolumeSize))
		if aws.ToString(m.Ebs.SnapshotId) != "" {
			img.Snapshots = append(img.Snapshots, *m.Ebs.SnapshotId)
			if in.RootDeviceName != nil && aws.ToString(m.DeviceName) == *in.RootDeviceName {
				img.RootSnapshot = *m.Ebs.SnapshotId
			}
		}
	}
	return img
}

// parseTime reads a time as EC2 writes it. It returns the zero time, "not known", if it cannot.
func parseTime(s *string) time.Time {
	t, err := time.Parse(time.RFC3339, aws.ToString(s))
	if err != nil {
		return time.Time{}
	}
	return t.UTC()
}

// Deprecated reports whether the image is deprecated at that time.
func (i Image) Deprecated(now time.Time) bool {
	return !i.DeprecatedAt.IsZero() && !now.Before(i.DeprecatedAt)
}

// Address returns the address of the image.
func (i Image) Address() Address { return Address{Region: i.Region, ID: i.ID} }

// String returns the full address of the image for messages, such as "ami-0a1b2c3d in eu-west-1".
func (i Image) String() string { return i.Address().String() }

// Address identifies an image. An id alone does not: a document may name it with a region in which
// it does not exist.
type Address struct{ Region, ID string }

func (a Address) String() string { return a.ID + " in " + a.Region }

// Addresses returns the addresses in a map as [manifest.AMIMap] returns, sorted.
func Addresses(amis map[string]string) []Address {
	var all []Address
	for _, key := range slices.Sorted(maps.Keys(amis)) {
		region, _, _ := strings.Cut(key, "/")
		all = append(all, Address{Region: region, ID: amis[key]})
	}
	return all
}

// compare orders images by time, and those of the same time by id, so that the order is total.
func compare(a, b Image) int {
	return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID))
}

// Newest returns the image that was created last; of several created at once, the one with the
// greatest id. It returns false if there are no images.
func Newest(images []Image) (Image, bool) {
	if len(images) == 0 {
		return Image{}, false
	}
	return slices.MaxFunc(images, compare), true
}

// Problem returns in a few words why nothing can be started from the image, such as "is pending".
// It returns "" for an available image. To EC2, deprecated and revoked images are available.
func Problem(img Image) string {
	switch types.ImageState(img.State) {
	case types.ImageStateAvailable:
		return ""
	case types.ImageStateDeregistered:
		return "is gone (deregistered)"
	case types.ImageStateFailed, types.ImageStateError, types.ImageStateInvalid:
		words := map[types.ImageState]string{
			types.ImageStateFailed:  "has failed",
			types.ImageStateError:   "is in state error",
			types.ImageStateInvalid: "is invalid",
		}[types.ImageState(img.State)]
		if img.StateReason != "" {
			words += ": " + img.StateReason
		}
		return words
	case types.ImageStateDisabled:
		if reason, revoked := RevokedReason(img); revoked {
			return strings.TrimSuffix("is disabled, and revoked: "+text.OneLine(reason), ": ")
		}
		return "is disabled"
	case types.ImageStatePending:
		return "is pending"
	default:
		return fmt.Sprintf("is in state %q, not available", img.State)
	}
}

// RevokedReason returns the value of the tag [tags.Revoked], and whether the image has that tag.
// Any value revokes, even an empty one.
func RevokedReason(img Image) (string, bool) {
	reason, ok := img.Tags[tags.Revoked]
	return reason, ok
}

// Architectures are those of EC2 (Amazon EC2 API Reference, "DescribeImages", filter
// "architecture").
var Architectures = []string{"x86_64", "arm64", "i386", "x86_64_mac", "arm64_mac"}

// Architecture returns EC2's word for an architecture, such as "x86_64" for "amd64".
func Architecture(s string) string {
	switch strings.ToLower(s) {
	case "amd64", "x86-64", "x86_64":
		return "x86_64"
	case "aarch64", "arm64":
		return "arm64"
	}
	return s
}
