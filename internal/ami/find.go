// SPDX-License-Identifier: MPL-2.0

package ami

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/packer-chain/packer-plugin-chain/internal/awserror"
	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
	"github.com/packer-chain/packer-plugin-chain/internal/text"
)

// pageSize is the most images of one response, and filterValues the most values that the filters of
// a request may have (Amazon EC2 API Reference, "DescribeImages", and user guide, "List and
// filter").
const (
	pageSize     = 1000
	filterValues = 200
	// maxNamed is how many images an error names.
	maxNamed = 3
)

// Query describes the images that [Client.ByTags] looks for.
type Query struct {
	// Owners are "self", "amazon", "aws-marketplace" or 12-digit account ids. Empty: "self".
	Owners []string
	// Tags are those that an image must have, with exactly these values. At least one is required.
	Tags map[string]string
	// Architecture is EC2's word, such as "arm64". Empty: any.
	Architecture string
}

// ByID returns those of the images that exist and belong to one of owners, in any state, newest
// first. Others are simply absent; [Client.Explain] returns why. No owners means "self".
func (c *Client) ByID(ctx context.Context, region string, ids, owners []string) ([]Image, error) {
	ids = slices.Compact(slices.Sorted(slices.Values(ids)))
	for _, id := range ids {
		if !manifest.IsAMI(id) {
			return nil, fmt.Errorf("find %q in %s: not the id of an AMI", id, region)
		}
	}
	var found []Image
	for chunk := range slices.Chunk(ids, filterValues) {
		// A filter and not ImageIds, because those fail if a single one does not exist.
		images, err := c.pages(ctx, region, owners, filter("image-id", chunk...))
		if err != nil {
			return nil, fmt.Errorf("find %s in %s: %w", text.Names(chunk, maxNamed), region, err)
		}
		found = append(found, images...)
	}
	return newestFirst(found), nil
}

// ByTags returns all images of a region that are available and match the query, newest first. EC2
// shows tags only to the owner's account, so images shared by another account are never found.
func (c *Client) ByTags(ctx context.Context, region string, q Query) ([]Image, error) {
	if len(q.Tags) == 0 {
		return nil, fmt.Errorf("find images by tag in %s: at least one tag is required", region)
	}
	filters := []types.Filter{filter("state", string(types.ImageStateAvailable))}
	if q.Architecture != "" {
		filters = append(filters, filter("architecture", q.Architecture))
	}
	var words []string
	for _, key := range slices.Sorted(maps.Keys(q.Tags)) {
		filters = append(filters, filter("tag:"+key, anyBackslash(q.Tags[key])))
		words = append(words, key+"="+q.Tags[key])
	}
	images, err := c.pages(ctx, region, q.Owners, filters...)
	if err != nil {
		return nil, fmt.Errorf("find images with %s in %s: %w", strings.Join(words, ", "), region, err)
	}
	images = slices.DeleteFunc(images, func(img Image) bool { return !q.matches(img) })
	return newestFirst(images), nil
}

// anyBackslash returns a filter value that finds at least the images with that value. In a filter,
// * and ? are wildcards that also match themselves, and \ escapes; [Query.matches] compares
// exactly.
func anyBackslash(value string) string { return strings.ReplaceAll(value, `\`, "?") }

func (q Query) matches(img Image) bool {
	for key, want := range q.Tags {
		if have, ok := img.Tags[key]; !ok || have != want {
			return false
		}
	}
	return img.State == string(types.ImageStateAvailable) &&
		(q.Architecture == "" || q.Architecture == img.Architecture)
}

// Gone begins what [Client.Explain] says of an AMI that EC2 does not show.
const Gone = "is gone or not visible"

// Explain returns why [Client.ByID] does not return an image, or why it cannot be used, such as
// "is pending" or "belongs to 123456789012, not to self". For one that is available and belongs to
// owners, it returns for which machines it is.
func (c *Client) Explain(ctx context.Context, region, id string, owners []string) string {
	images, err := c.byIDAlone(ctx, region, []string{id})
	var gone *goneError
	switch {
	case errors.As(err, &gone) && gone.code == "InvalidAMIID.Malformed":
		return "is not the id of an AMI"
	case errors.As(err, &gone), err == nil && len(images) == 0:
		return Gone + ": it was deregistered or never existed, is not shared with this " +
			"account, or is excluded by the account's Allowed AMIs setting"
	case err != nil:
		return "could not be looked up: " + err.Error()
	}
	img := images[0]
	if problem := Problem(img); problem != "" {
		return problem
	}
	owners = orSelf(owners)
	owned, err := c.isOwned(ctx, img, owners)
	switch {
	case err != nil:
		return fmt.Sprintf("belongs to %s; whether that is %s could not be looked up: %s",
			img.Owner, strings.Join(owners, " or "), err)
	case !owned:
		return fmt.Sprintf("belongs to %s, not to %s", img.Owner, strings.Join(owners, " or "))
	}
	return "is available, for " + img.Architecture
}

// isOwned reports whether an image belongs to one of owners. Only EC2 knows who "self" is.
func (c *Client) isOwned(ctx context.Context, img Image, owners []string) (bool, error) {
	if slices.Contains(owners, img.Owner) || slices.Contains(owners, img.OwnerAlias) {
		return true, nil
	}
	if !slices.Contains(owners, "self") {
		return false, nil
	}
	own, err := c.ByID(ctx, img.Region, []string{img.ID}, []string{"self"})
	return len(own) > 0, err
}

// byIDAlone looks up images of any owner. It returns a *goneError if EC2 does not know one of them.
func (c *Client) byIDAlone(
	ctx context.Context, region string, ids []string, opts ...func(*ec2.Options),
) ([]Image, error) {
	api, err := c.region(region)
	if err != nil {
		return nil, err
	}
	out, err := api.describeImages(ctx, &ec2.DescribeImagesInput{
		ImageIds:          ids,
		IncludeDeprecated: aws.Bool(true),
		IncludeDisabled:   aws.Bool(true),
	}, opts...)
	if code := awserror.Code(err); isGone(code) {
		return nil, &goneError{code: code, err: err}
	}
	if err != nil {
		return nil, explain(err, region, describeAction)
	}
	return fromAll(region, out.Images), nil
}

// pages reads all pages of a search. They include deprecated and disabled images, so that callers
// can distinguish "disabled" from "gone".
func (c *Client) pages(
	ctx context.Context, region string, owners []string, filters ...types.Filter,
) ([]Image, error) {
	api, err := c.region(region)
	if err != nil {
		return nil, err
	}
	in := &ec2.DescribeImagesInput{
		Filters:           filters,
		Owners:            orSelf(owners),
		IncludeDeprecated: aws.Bool(true),
		IncludeDisabled:   aws.Bool(true),
		MaxResults:        aws.Int32(pageSize),
	}
	var found []Image
	for {
		out, err := api.describeImages(ctx, in)
		if err != nil {
			return nil, explain(err, region, describeAction)
		}
		found = append(found, fromAll(region, out.Images)...)
		next := aws.ToString(out.NextToken)
		if next == "" {
			return found, nil
		}
		if next == aws.ToString(in.NextToken) {
			return nil, errors.New("EC2 returns the same page again and again\n\n" +
				"Check custom_endpoint_ec2: this is not how AWS responds.")
		}
		in.NextToken = &next
	}
}

func fromAll(region string, in []types.Image) []Image {
	images := make([]Image, 0, len(in))
	for _, img := range in {
		images = append(images, fromEC2(region, img))
	}
	return images
}

func newestFirst(images []Image) []Image {
	slices.SortFunc(images, func(a, b Image) int { return compare(b, a) })
	return images
}

func orSelf(owners []string) []string {
	if len(owners) == 0 {
		return []string{"self"}
	}
	return owners
}

func filter(name string, values ...string) types.Filter {
	return types.Filter{Name: &name, Values: values}
}
