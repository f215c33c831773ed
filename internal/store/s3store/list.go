// SPDX-License-Identifier: MPL-2.0

package s3store

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/packer-chain/packer-plugin-chain/internal/store"
)

// List returns keys with a prefix, as [store.List] does: one page of ListObjectsV2. It needs
// s3:ListBucket, and tries as often as [Store.Get].
func (s *Store) List(ctx context.Context, prefix, delimiter string) ([]string, error) {
	for attempt := 1; ; attempt++ {
		keys, err := s.listOnce(ctx, prefix, delimiter)
		if !errors.Is(err, store.ErrTransient) || attempt == maxReads ||
			s.backoff.Wait(ctx, attempt, err) != nil {
			return keys, err
		}
	}
}

func (s *Store) listOnce(ctx context.Context, prefix, delimiter string) ([]string, error) {
	attempt, cancel := context.WithTimeout(ctx, s.options.AttemptTimeout)
	defer cancel()
	above := s.path("")
	in := &s3.ListObjectsV2Input{
		Bucket: &s.options.Bucket, Prefix: aws.String(above + prefix), Delimiter: &delimiter,
		MaxKeys: aws.Int32(store.MaxListed), ExpectedBucketOwner: s.owner(),
	}
	out, err := s.client.Load().ListObjectsV2(attempt, in)
	if err != nil && s.inRegionOf(err) {
		out, err = s.client.Load().ListObjectsV2(attempt, in)
	}
	if err != nil {
		call := request{
			kind: read, lists: true, address: s.Address(prefix), owner: in.ExpectedBucketOwner != nil,
		}
		return nil, call.classify(s.explainTimeout(ctx, err))
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
