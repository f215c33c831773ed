// SPDX-License-Identifier: MPL-2.0

// Package parameter keeps parameters of the SSM Parameter Store that name AMIs. Whoever launches
// instances refers to such a parameter, as in resolve:ssm:/images/base/production.
package parameter

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"github.com/packer-chain/packer-plugin-chain/internal/parameter/parametername"
	"github.com/packer-chain/packer-plugin-chain/internal/retry"
)

// Name is the name of a parameter with {image}, {channel}, {architecture} and {source} in it.
type Name = parametername.Name

// Values are what takes the place of the placeholders of a [Name].
type Values = parametername.Values

// Options configure a [Client]. The zero value is fine.
type Options struct {
	// Notify, if set, is called with what is waited for: after 2 seconds, then every 5. It may be
	// called from several goroutines.
	Notify func(string)
	// AttemptTimeout limits one request with its response; the SDK itself waits forever. 0: 30
	// seconds.
	AttemptTimeout time.Duration
}

// ssmAPI is what this package needs of SSM in one region. The fields are method values, because an
// interface would make the linker keep all operations of *ssm.Client.
type ssmAPI struct {
	getParameter func(context.Context, *ssm.GetParameterInput, ...func(*ssm.Options)) (
		*ssm.GetParameterOutput, error)
	putParameter func(context.Context, *ssm.PutParameterInput, ...func(*ssm.Options)) (
		*ssm.PutParameterOutput, error)
}

// Client writes parameters in any number of regions. It is safe for use by several goroutines.
type Client struct {
	open   func(region string) ssmAPI
	notify func(string)
	limit  time.Duration
	pace   retry.Pace

	mu      sync.Mutex
	regions map[string]ssmAPI
}

// New returns a client. It does no I/O. All regions share the credentials of cfg, whose own region
// does not matter.
func New(cfg aws.Config, opts Options) *Client {
	if opts.AttemptTimeout <= 0 {
		opts.AttemptTimeout = 30 * time.Second
	}
	return &Client{
		open:    func(region string) ssmAPI { return open(cfg.Copy(), region) },
		notify:  opts.Notify,
		limit:   opts.AttemptTimeout,
		pace:    retry.Pace{First: 250 * time.Millisecond, Most: 5 * time.Second},
		regions: map[string]ssmAPI{},
	}
}

// open returns a client without the retries of the SDK, which are limited in number and report
// nothing.
func open(cfg aws.Config, region string) ssmAPI {
	cfg.Region = region
	client := ssm.NewFromConfig(cfg, func(o *ssm.Options) { o.Retryer = aws.NopRetryer{} })
	return ssmAPI{getParameter: client.GetParameter, putParameter: client.PutParameter}
}

func (c *Client) region(region string) (ssmAPI, error) {
	if region == "" {
		return ssmAPI{}, errors.New("region is required")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	api, ok := c.regions[region]
	if !ok {
		api = c.open(region)
		c.regions[region] = api
	}
	return api, nil
}

// attempt runs one request with a separate deadline. An error says so if that was too short.
func (c *Client) attempt(ctx context.Context, request func(context.Context) error) error {
	limited, cancel := context.WithTimeout(ctx, c.limit)
	defer cancel()
	err := request(limited)
	if err != nil && limited.Err() != nil && ctx.Err() == nil {
		return fmt.Errorf("%w within %s", errNoResponse, c.limit)
	}
	return err
}
