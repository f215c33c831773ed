// SPDX-License-Identifier: MPL-2.0

// Package s3store is a store in an S3 bucket, of Amazon or of another maker. It replaces objects by
// conditional writes, sends each of them once, and sorts every answer into the errors of package
// store. It knows nothing of what the objects hold.
package s3store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/packer-chain/packer-plugin-chain/internal/store"
)

const (
	// defaultAttemptTimeout is needed as the SDK waits without end for a server that never answers.
	defaultAttemptTimeout = 30 * time.Second
	maxReads              = 10
)

// The values of [Options].ConditionalWrites.
const (
	// Auto trusts Amazon, and tests another store before the first write.
	Auto = "auto"
	// Require tests Amazon too.
	Require = "require"
	// Off sends no conditions. Two writers at once may then lose a write.
	Off = "off"
)

var _ store.Store = (*Store)(nil)

// Options say where the objects lie and how they are written.
type Options struct {
	Bucket string
	// Prefix comes before every key; slashes at its ends do not count. Empty: none.
	Prefix string
	// Endpoint is the URL of another store than Amazon's. Empty: what aws.Config and its sources say,
	// such as AWS_ENDPOINT_URL_S3.
	Endpoint string
	// UsePathStyle puts the bucket into the path instead of the host name.
	UsePathStyle bool
	// ConditionalWrites is [Auto], [Require] or [Off]. Empty: auto. Any other value counts as require.
	ConditionalWrites string
	// KMSKeyID encrypts with that key (SSE-KMS). Empty: as the bucket does by default.
	KMSKeyID string
	// ExpectedBucketOwner is the id of the account that must own the bucket. Empty: any.
	ExpectedBucketOwner string
	// AttemptTimeout limits one request with its answer. Default 30 s.
	AttemptTimeout time.Duration
}

// Store is a store in a bucket. Use [New].
type Store struct {
	client  *s3.Client
	options Options
	backoff store.Backoff
	test    *selfTest
}

// New is the store in a bucket. It sends nothing yet. The HTTP client is the one of cfg: a plain
// *http.Client of ours could not take up AWS_CA_BUNDLE.
func New(cfg aws.Config, options Options) *Store {
	options.Prefix = strings.Trim(options.Prefix, "/")
	if options.AttemptTimeout <= 0 {
		options.AttemptTimeout = defaultAttemptTimeout
	}
	client := s3.NewFromConfig(cfg, func(o *s3.Options) {
		if options.Endpoint != "" {
			o.BaseEndpoint = &options.Endpoint
		}
		o.UsePathStyle = options.UsePathStyle
		// The SDK would turn a lost answer into a 412 against our own write, and it cannot repeat a read
		// whose body broke. Reads are repeated here instead, writes by store.Updater.
		o.Retryer = aws.NopRetryer{}
		o.DisableLogOutputChecksumValidationSkipped = true
	})
	foreign := !isAmazon(aws.ToString(client.Options().BaseEndpoint))
	if foreign {
		client = s3.New(client.Options(), forForeignStore)
	}
	test := newSelfTest(options.ConditionalWrites, foreign)
	return &Store{client: client, options: options, test: test}
}

// forForeignStore leaves out what many other stores refuse: checksums in trailers. They care little
// for the region, but the signature needs one.
func forForeignStore(o *s3.Options) {
	o.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired
	o.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired
	if o.Region == "" {
		o.Region = "us-east-1"
	}
}

// isAmazon reports whether an endpoint is one of Amazon's own S3, such as a VPC endpoint: by the
// suffixes and the form of the names in "S3 endpoints" of the AWS General Reference. A load
// balancer and an instance have these suffixes too, and any store may be behind them. Empty is the
// SDK's default.
func isAmazon(endpoint string) bool {
	if endpoint == "" {
		return true
	}
	u, err := url.Parse(endpoint)
	if err != nil {
		return false
	}
	suffixes := []string{".amazonaws.com", ".amazonaws.com.cn", ".amazonaws.eu", ".api.aws"}
	for _, suffix := range suffixes {
		if name, found := strings.CutSuffix(strings.ToLower(u.Hostname()), suffix); found {
			return isS3(strings.Split(name, "."))
		}
	}
	return false
}

// isS3 reports whether a host name ends in the label of S3, with nothing but its kind and region
// behind it.
func isS3(labels []string) bool {
	for _, label := range slices.Backward(labels) {
		isRegion := strings.Count(label, "-") >= 2
		switch {
		case strings.HasPrefix(label, "s3"):
			return true
		case label != "vpce" && label != "dualstack" && !isRegion:
			return false
		}
	}
	return false
}

// Address is s3://bucket/prefix/key.
func (s *Store) Address(key string) string { return "s3://" + s.options.Bucket + "/" + s.path(key) }

func (s *Store) path(key string) string {
	if s.options.Prefix == "" {
		return key
	}
	return s.options.Prefix + "/" + key
}

// Get reads an object, and tries up to ten times while the store is not available.
func (s *Store) Get(ctx context.Context, key string) (store.Object, error) {
	if err := store.CheckKey(key); err != nil {
		return store.Object{}, fmt.Errorf("read %s: %w", s.Address(key), err)
	}
	for attempt := 1; ; attempt++ {
		object, err := s.getOnce(ctx, key)
		if !errors.Is(err, store.ErrTransient) || attempt == maxReads ||
			s.backoff.Wait(ctx, attempt, err) != nil {
			return object, err
		}
	}
}

func (s *Store) getOnce(ctx context.Context, key string) (store.Object, error) {
	if err := ctx.Err(); err != nil {
		return store.Object{}, fmt.Errorf("read %s: %w", s.Address(key), err)
	}
	attempt, cancel := context.WithTimeout(ctx, s.options.AttemptTimeout)
	defer cancel()
	out, err := s.client.GetObject(attempt, &s3.GetObjectInput{
		Bucket: &s.options.Bucket, Key: aws.String(s.path(key)), ExpectedBucketOwner: s.owner(),
	})
	call := request{kind: read, address: s.Address(key), owner: s.options.ExpectedBucketOwner != ""}
	if err != nil {
		return store.Object{}, call.classify(s.explainTimeout(ctx, err))
	}
	defer out.Body.Close()
	body, err := io.ReadAll(io.LimitReader(out.Body, store.MaxSize+1))
	switch {
	case len(body) > store.MaxSize:
		return store.Object{}, fmt.Errorf("read %s: %w", call.address, store.ErrTooLarge)
	case err != nil:
		// Also a checksum of the SDK that does not match. The next read may well be whole.
		err = s.explainTimeout(ctx, err)
		return store.Object{}, fmt.Errorf("read %s: %w: body: %w", call.address, store.ErrTransient, err)
	case aws.ToString(out.ETag) == "":
		return store.Object{}, fmt.Errorf("read %s: %w", call.address, errNoTag)
	}
	return store.Object{Body: body, ETag: *out.ETag}, nil
}

// explainTimeout tells our own limit for one attempt from the deadline of the caller.
func (s *Store) explainTimeout(ctx context.Context, err error) error {
	if ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("no whole answer within %s: %w", s.options.AttemptTimeout, err)
	}
	return err
}

func (s *Store) owner() *string {
	if s.options.ExpectedBucketOwner == "" {
		return nil
	}
	return &s.options.ExpectedBucketOwner
}
