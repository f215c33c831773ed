// SPDX-License-Identifier: MPL-2.0

package s3store

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/packer-chain/packer-plugin-chain/internal/store"
)

// Put writes an object by one conditional PutObject: If-Match with the tag, or If-None-Match with
// an empty one ("Conditional writes", Amazon S3 user guide). It never repeats the request. A store
// that needs it is tested first; see [Options].ConditionalWrites.
func (s *Store) Put(ctx context.Context, key string, body []byte, tag string) (string, error) {
	err := store.CheckKey(key)
	if err == nil && len(body) > store.MaxSize {
		err = store.ErrTooLarge
	}
	if err != nil {
		return "", fmt.Errorf("write %s: %w", s.Address(key), err)
	}
	if s.options.ConditionalWrites == Off {
		return s.putUnguarded(ctx, key, body, tag)
	}
	if err := s.test.passed(ctx, s); err != nil {
		return "", err
	}
	if tag == "" {
		return s.putOnce(ctx, create, key, body, "")
	}
	return s.putOnce(ctx, swap, key, body, tag)
}

func (s *Store) putOnce(
	ctx context.Context, kind kind, key string, body []byte, tag string,
) (string, error) {
	call := request{kind: kind, address: s.Address(key), owner: s.options.ExpectedBucketOwner != ""}
	if err := ctx.Err(); err != nil {
		return "", fmt.Errorf("write %s: %w", call.address, err)
	}
	input := &s3.PutObjectInput{
		Bucket: &s.options.Bucket, Key: aws.String(s.path(key)), ExpectedBucketOwner: s.owner(),
		Body: bytes.NewReader(body), ContentType: aws.String("application/json"),
		ServerSideEncryption: types.ServerSideEncryption(s.options.Encryption),
		ACL:                  types.ObjectCannedACL(s.options.ACL),
	}
	if s.options.KMSKeyID != "" {
		input.ServerSideEncryption = types.ServerSideEncryption(
			cmp.Or(s.options.Encryption, string(types.ServerSideEncryptionAwsKms)))
		input.SSEKMSKeyId = &s.options.KMSKeyID
	}
	switch kind {
	case create:
		input.IfNoneMatch = aws.String("*")
	case swap:
		input.IfMatch = &tag
	}
	attempt, cancel := context.WithTimeout(ctx, s.options.AttemptTimeout)
	defer cancel()
	out, err := s.client.Load().PutObject(attempt, input)
	if err != nil && s.inRegionOf(err) {
		// A store that sends a request elsewhere has written nothing.
		input.Body = bytes.NewReader(body)
		out, err = s.client.Load().PutObject(attempt, input)
	}
	if err != nil {
		return "", call.classify(s.explainTimeout(ctx, err))
	}
	if aws.ToString(out.ETag) == "" {
		return "", fmt.Errorf("write %s: %w: %w", call.address, store.ErrUnknown, errNoTag)
	}
	return *out.ETag, nil
}

// putUnguarded reads, writes and reads back in three requests. It is not atomic: a write between
// the first and the second is lost. The read-back only detects a write that came after ours.
func (s *Store) putUnguarded(
	ctx context.Context, key string, body []byte, tag string,
) (string, error) {
	current, err := s.Get(ctx, key)
	switch {
	case errors.Is(err, store.ErrNotFound):
		if tag != "" {
			return "", fmt.Errorf("write %s: %w", s.Address(key), store.ErrVanished)
		}
	case err != nil:
		return "", err
	case current.ETag != tag:
		return "", fmt.Errorf("write %s: %w", s.Address(key), store.ErrConflict)
	}
	if _, err := s.putOnce(ctx, overwrite, key, body, ""); err != nil {
		return "", err
	}
	back, err := s.Get(ctx, key)
	if err != nil {
		return "", fmt.Errorf("read back what was written: %w: %w", store.ErrUnknown, err)
	}
	if !bytes.Equal(back.Body, body) {
		return "", fmt.Errorf("write %s: %w", s.Address(key), store.ErrConflict)
	}
	return back.ETag, nil
}
