// SPDX-License-Identifier: MPL-2.0

package ami

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/smithy-go/middleware"

	"github.com/packer-chain/packer-plugin-chain/internal/crash"
	"github.com/packer-chain/packer-plugin-chain/internal/retry"
)

// Options configure a [Client]. The zero value is fine.
type Options struct {
	// Endpoint is the URL of an EC2-compatible service. Empty: that of AWS, or of AWS_ENDPOINT_URL.
	Endpoint string
	// MaxRetries is how often a look-up is tried again. 0: that of the aws.Config. What changes
	// something, such as tagging, is tried until its context ends instead.
	MaxRetries int
	// AttemptTimeout limits one request with its response; the SDK itself waits forever. 0: 30
	// seconds.
	AttemptTimeout time.Duration
	// Notify, if set, is called with what is waited for: after 2 seconds, then every 5. It may be
	// called from several goroutines.
	Notify func(string)
}

// ec2API is what this package needs of EC2 in one region. The fields are method values, and pages
// are read without the SDK's paginator, because an interface would make the linker keep all
// operations of *ec2.Client.
type ec2API struct {
	describeImages func(context.Context, *ec2.DescribeImagesInput, ...func(*ec2.Options)) (
		*ec2.DescribeImagesOutput, error)
	createTags func(context.Context, *ec2.CreateTagsInput, ...func(*ec2.Options)) (
		*ec2.CreateTagsOutput, error)
	deleteTags func(context.Context, *ec2.DeleteTagsInput, ...func(*ec2.Options)) (
		*ec2.DeleteTagsOutput, error)

	describeImageAttribute func(
		context.Context, *ec2.DescribeImageAttributeInput, ...func(*ec2.Options)) (
		*ec2.DescribeImageAttributeOutput, error)
	modifyImageAttribute func(
		context.Context, *ec2.ModifyImageAttributeInput, ...func(*ec2.Options)) (
		*ec2.ModifyImageAttributeOutput, error)
	describeSnapshotAttribute func(
		context.Context, *ec2.DescribeSnapshotAttributeInput, ...func(*ec2.Options)) (
		*ec2.DescribeSnapshotAttributeOutput, error)
	modifySnapshotAttribute func(
		context.Context, *ec2.ModifySnapshotAttributeInput, ...func(*ec2.Options)) (
		*ec2.ModifySnapshotAttributeOutput, error)

	enableImageDeprecation func(
		context.Context, *ec2.EnableImageDeprecationInput, ...func(*ec2.Options)) (
		*ec2.EnableImageDeprecationOutput, error)
	disableImageDeprecation func(
		context.Context, *ec2.DisableImageDeprecationInput, ...func(*ec2.Options)) (
		*ec2.DisableImageDeprecationOutput, error)
	disableImage func(context.Context, *ec2.DisableImageInput, ...func(*ec2.Options)) (
		*ec2.DisableImageOutput, error)
	enableImage func(context.Context, *ec2.EnableImageInput, ...func(*ec2.Options)) (
		*ec2.EnableImageOutput, error)
}

// Client queries EC2 in any number of regions. It is safe for use by several goroutines.
type Client struct {
	open   func(region string) ec2API
	notify func(string)
	pace   retry.Pace

	mu      sync.Mutex
	regions map[string]ec2API
}

// New returns a client. It does no I/O. All regions share the credentials of cfg, whose own region
// does not matter.
func New(cfg aws.Config, opts Options) *Client {
	if opts.AttemptTimeout <= 0 {
		opts.AttemptTimeout = 30 * time.Second
	}
	return &Client{
		open:    func(region string) ec2API { return open(cfg.Copy(), region, opts) },
		notify:  opts.Notify,
		pace:    retry.Pace{First: 250 * time.Millisecond, Most: 5 * time.Second},
		regions: map[string]ec2API{},
	}
}

func open(cfg aws.Config, region string, opts Options) ec2API {
	cfg.Region = region
	client := ec2.NewFromConfig(cfg, func(o *ec2.Options) {
		if opts.Endpoint != "" {
			o.BaseEndpoint = &opts.Endpoint
		}
		if opts.MaxRetries > 0 {
			o.RetryMaxAttempts = opts.MaxRetries + 1
		}
		o.APIOptions = append(o.APIOptions, limitAttempt(opts.AttemptTimeout), refuseForeign)
	})
	return ec2API{
		describeImages: client.DescribeImages,
		createTags:     client.CreateTags,
		deleteTags:     client.DeleteTags,

		describeImageAttribute:    client.DescribeImageAttribute,
		modifyImageAttribute:      client.ModifyImageAttribute,
		describeSnapshotAttribute: client.DescribeSnapshotAttribute,
		modifySnapshotAttribute:   client.ModifySnapshotAttribute,

		enableImageDeprecation:  client.EnableImageDeprecation,
		disableImageDeprecation: client.DisableImageDeprecation,
		disableImage:            client.DisableImage,
		enableImage:             client.EnableImage,
	}
}

func (c *Client) region(region string) (ec2API, error) {
	if region == "" {
		return ec2API{}, errors.New("region is required")
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

// limitAttempt gives every attempt of a call its own deadline, inside the SDK's retries.
func limitAttempt(limit time.Duration) func(*middleware.Stack) error {
	return func(stack *middleware.Stack) error {
		m := middleware.FinalizeMiddlewareFunc("ChainAttemptTimeout", func(
			ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler,
		) (middleware.FinalizeOutput, middleware.Metadata, error) {
			attempt, cancel := context.WithTimeout(ctx, limit)
			defer cancel()
			out, meta, err := next.HandleFinalize(attempt, in)
			if err != nil && attempt.Err() != nil && ctx.Err() == nil {
				err = &attemptError{limit}
			}
			return out, meta, err
		})
		return stack.Finalize.Insert(m, "Retry", middleware.After)
	}
}

// attemptError replaces the cancellation that the SDK reports, because it never retries one.
type attemptError struct{ limit time.Duration }

func (e *attemptError) Error() string {
	return fmt.Sprintf("no response within %s", e.limit)
}

func (e *attemptError) RetryableError() bool { return true }

// watch begins to report what is waited for in a region.
func (c *Client) watch(region string) *retry.Watch {
	return retry.NewWatch(c.notify, "no response yet from EC2 in "+region)
}

// changeTimeout limits a change if its context has no deadline. AWS support has advised users of
// Packer to allow for up to 2.5 minutes until a new AMI can be tagged.
const changeTimeout = 5 * time.Minute

// limited returns a context that has a deadline.
func limited(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, changeTimeout)
}

// again runs fn until it succeeds, fails for good, or ctx ends. what describes fn for the user.
func (c *Client) again(
	ctx context.Context, watch *retry.Watch, what string, fn func() error,
) error {
	return c.pace.Until(ctx, watch, fn, func(err error) (string, bool) {
		return what + ": " + briefly(err), retryable(err)
	})
}

// EachRegion runs fn once for each region, at most limit at a time, and waits for all. An error in
// one region does not stop the others; the result joins all errors in the order of regions. After
// ctx has ended, regions that are not yet begun fail.
func EachRegion(
	ctx context.Context, regions []string, limit int,
	fn func(ctx context.Context, region string) error,
) error {
	errs := make([]error, len(regions))
	slots := make(chan struct{}, max(limit, 1))
	var running sync.WaitGroup
	for i, region := range regions {
		slots <- struct{}{}
		if err := ctx.Err(); err != nil {
			errs[i] = fmt.Errorf("%s: not done: %w", region, context.Cause(ctx))
			<-slots
			continue
		}
		running.Go(func() {
			defer func() { <-slots }()
			errs[i] = crash.Guard(region, func() error { return fn(ctx, region) })()
		})
	}
	running.Wait()
	return errors.Join(errs...)
}
