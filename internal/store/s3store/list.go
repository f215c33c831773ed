// SPDX-License-Identifier: MPL-2.0

package s3store

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/packer-chain/packer-plugin-chain/internal/store"
)

// List returns keys with a prefix, as [store.List] does: one page of ListObjectsV2, which is not
// repeated. It needs s3:ListBucket.
func (s *Store) List(ctx context.Context, prefix, delimiter string) ([]string, error) {
	attempt, cancel := context.WithTimeout(ctx, s.options.AttemptTimeout)
	defer cancel()
	above := s.path("")
	out, err := s.client.Load().ListObjectsV2(attempt, &s3.ListObjectsV2Input{
		Bucket: &s.options.Bucket, Prefix: aws.String(above + prefix), Delimiter: &delimiter,
		MaxKeys: aws.Int32(store.MaxListed), ExpectedBucketOwner: s.owner(),
	})
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", s.Address(prefix), err)
	}
	var keys []string
	for _, folder := range out.CommonPrefixes {
		keys = append(keys, strings.TrimPrefix(aws.ToString(folder.Prefix), above))
	}
	for _, object := range out.Contents {
		keys = append(keys, strings.TrimPrefix(aws.ToString(object.Key), above))
	}
	slices.Sort(keys)
	return keys, nil
}
