// SPDX-License-Identifier: MPL-2.0

// Package connect opens what the options of a component name: the registry, in a bucket or a folder,
// and the images in their regions. Both are opened when used, never in Configure: credentials may
// expire during a long build, and "packer validate" needs none.
package connect

import (
	"context"
	"fmt"

	"github.com/packer-chain/packer-plugin-chain/internal/ami"
	"github.com/packer-chain/packer-plugin-chain/internal/awsaccess"
	"github.com/packer-chain/packer-plugin-chain/internal/registry"
	"github.com/packer-chain/packer-plugin-chain/internal/store/dirstore"
	"github.com/packer-chain/packer-plugin-chain/internal/store/s3store"
)

// Registry opens the registry at a location such as "s3://bucket/prefix".
func Registry(ctx context.Context, location string, access *awsaccess.Config) (*registry.Registry, error) {
	at, err := registry.ParseLocation(location)
	if err != nil {
		return nil, fmt.Errorf("registry %w", err)
	}
	if !at.S3() {
		return registry.New(dirstore.New(at.Dir)), nil
	}
	cfg, err := access.RegistryAWS(ctx)
	if err != nil {
		return nil, fmt.Errorf("open registry %s: %w", at, err)
	}
	own := access.Registry()
	opts := s3store.Options{
		Bucket: at.Bucket, Prefix: at.Prefix, Endpoint: own.Endpoint, UsePathStyle: own.UsePathStyle,
		ConditionalWrites: own.ConditionalWrites, KMSKeyID: own.KMSKeyID, ExpectedBucketOwner: own.ExpectedBucketOwner,
	}
	return registry.New(s3store.New(cfg, opts)), nil
}

// Images opens the images of the account, and says which region is the session's. notify, where not
// nil, is told what is waited for.
func Images(ctx context.Context, access *awsaccess.Config, notify func(string)) (*ami.Client, string, error) {
	cfg, err := access.AWS(ctx)
	if err != nil {
		return nil, "", err
	}
	return ami.New(cfg, ami.Options{
		Endpoint: access.CustomEndpointEc2, MaxRetries: access.MaxRetries, Notify: notify,
	}), cfg.Region, nil
}
