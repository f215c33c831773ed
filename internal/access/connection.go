// SPDX-License-Identifier: MPL-2.0

package access

import (
	"context"
	"fmt"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/packer-chain/packer-plugin-chain/internal/ami"
	"github.com/packer-chain/packer-plugin-chain/internal/parameter"
	"github.com/packer-chain/packer-plugin-chain/internal/registry"
	"github.com/packer-chain/packer-plugin-chain/internal/store"
	"github.com/packer-chain/packer-plugin-chain/internal/store/dirstore"
	"github.com/packer-chain/packer-plugin-chain/internal/store/s3store"
)

// Connection gives access to what the options of a component name: the images of the account and
// the registry. Each is opened by the first call and kept, errors included. The calls may come in
// any order, and from several goroutines. Credentials are resolved once, if both use the same.
type Connection struct {
	// EC2 returns a client of EC2. An image that is not an AMI needs none, nor AWS at all.
	EC2 func() (EC2, error)
	// Region returns the region of the session, for a builder. It is empty if there is none, and also
	// if only the instance knows it and the registry is a folder.
	Region func() string
	// Registry returns the registry, in a bucket or in a folder.
	Registry func() (*registry.Registry, error)
	// Parameters returns a client of SSM. A role is assumed in place of that of the options, for
	// parameters of another account; nil is none. It is not kept.
	Parameters func(role *AssumeRole) (*parameter.Client, error)
}

// EC2 is a client of EC2, with the region of the session.
type EC2 struct {
	*ami.Client
	Region string
}

// Open returns the connection for one run of a component: the Execute of a data source, or the
// PostProcess of a post-processor. It does no I/O. The location is that of the registry, such as
// "s3://bucket/prefix". notify, if not nil, is called with what is waited for. Do not open a
// connection in Configure: credentials may expire during a long build, and "packer validate" needs
// none.
func Open(ctx context.Context, c *Config, location string, notify func(string)) *Connection {
	session, bucket := c.sessions(ctx)
	return &Connection{
		Region: func() string { return c.sessionRegion(ctx, location, session) },
		EC2: sync.OnceValues(func() (EC2, error) {
			cfg, err := session()
			if err != nil {
				return EC2{}, err
			}
			options := ami.Options{
				Endpoint: c.CustomEndpointEc2, MaxRetries: c.MaxRetries, Notify: notify,
			}
			return EC2{Client: ami.New(cfg, options), Region: cfg.Region}, nil
		}),
		Registry: sync.OnceValues(func() (*registry.Registry, error) {
			s, err := c.openStore(location, bucket)
			if err != nil {
				return nil, err
			}
			r := registry.New(s)
			r.Notify = notify
			return r, nil
		}),
		Parameters: func(role *AssumeRole) (*parameter.Client, error) {
			open := session
			if role != nil {
				from := c.mainSource()
				from.role = role
				open = func() (aws.Config, error) { return c.load(ctx, from) }
			}
			cfg, err := open()
			if err != nil {
				return nil, err
			}
			return parameter.New(cfg, parameter.Options{Notify: notify}), nil
		},
	}
}

// sessionRegion returns the region of the session, or "". If the registry is a folder, there may be
// no AWS at all: then nobody is asked.
func (c *Config) sessionRegion(
	ctx context.Context, location string, session func() (aws.Config, error),
) string {
	cfg, err := c.configure(ctx, c.mainSource())
	if err != nil || cfg.Region != "" {
		return cfg.Region
	}
	if at, err := registry.ParseLocation(location); err != nil || !at.S3() {
		return ""
	}
	cfg, _ = session()
	return cfg.Region
}

// openStore returns the store at a location.
func (c *Config) openStore(
	location string, bucket func() (aws.Config, error),
) (store.Store, error) {
	at, err := registry.ParseLocation(location)
	if err != nil {
		return nil, fmt.Errorf("registry %w", err)
	}
	if !at.S3() {
		return dirstore.New(at.Dir), nil
	}
	cfg, err := bucket()
	if err != nil {
		return nil, fmt.Errorf("open registry %s: %w", at, err)
	}
	r := c.registryAccess()
	return s3store.New(cfg, s3store.Options{
		Bucket: at.Bucket, Prefix: at.Prefix, Endpoint: r.Endpoint, UsePathStyle: r.UsePathStyle,
		ConditionalWrites: r.ConditionalWrites, KMSKeyID: r.KMSKeyID,
		Encryption: r.Encryption, ACL: r.ACL, ExpectedBucketOwner: r.ExpectedBucketOwner,
	}), nil
}
