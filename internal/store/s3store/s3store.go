// SPDX-License-Identifier: MPL-2.0

// Package s3store is a store in an S3 bucket, of Amazon or of another maker. It replaces objects by
// conditional writes, sends each of them once, and maps every response to the errors of package
// store. It knows nothing of what the objects hold.
package s3store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/packer-chain/packer-plugin-chain/internal/store"
)

const (
	// defaultAttemptTimeout is needed because the SDK waits forever for a server that never responds.
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

// Encryptions and ACLs are the values of [Options].Encryption and [Options].ACL (Amazon S3 API
// Reference, "PutObject").
var (
	Encryptions = []string{"AES256", "aws:kms", "aws:kms:dsse"}
	ACLs        = []string{
		"private", "bucket-owner-read", "bucket-owner-full-control", "authenticated-read",
	}
)

var _ store.Store = (*Store)(nil)

// Options are where the objects are, and how they are written.
type Options struct {
	Bucket string
	// Prefix comes before every key; slashes at its ends do not count. Empty: none.
	Prefix string
	// Endpoint is the URL of a store that is not Amazon's. Empty: that of aws.Config and its sources,
	// such as AWS_ENDPOINT_URL_S3.
	Endpoint string
	// UsePathStyle puts the bucket into the path instead of the host name.
	UsePathStyle bool
	// ConditionalWrites is [Auto], [Require] or [Off]. Empty means Auto; any unknown value means
	// Require.
	ConditionalWrites string
	// Encryption is one of [Encryptions]. Empty: aws:kms with KMSKeyID, else as the bucket does by
	// default.
	Encryption string
	// KMSKeyID encrypts with that key (SSE-KMS). Empty: as the bucket does by default.
	KMSKeyID string
	// ACL is one of [ACLs]. Empty: none is sent.
	ACL string
	// ExpectedBucketOwner is the id of the account that must own the bucket. Empty: any.
	ExpectedBucketOwner string
	// AttemptTimeout limits one request with its response. Default: 30 seconds.
	AttemptTimeout time.Duration
}

// Store is a store in a bucket. Use [New].
type Store struct {
	// client is replaced once if the store says that the bucket is in another region.
	client  atomic.Pointer[s3.Client]
	moved   atomic.Bool
	options Options
	backoff store.Backoff
	test    *selfTest
	// foreign is true for a store that is not Amazon's.
	foreign bool
	// ahead is how far the store's clock is ahead of that of this machine.
	ahead atomic.Int64
}

// Doubtful reports whether a success of the store does not prove that the write stands. Amazon's
// does. Others have taken two writes under one condition, after they had passed the self-test.
// Without conditions, every write is read back anyway.
func (s *Store) Doubtful() bool { return s.foreign && s.options.ConditionalWrites != Off }

// Now returns the time by the store's clock, as its last response tells it.
func (s *Store) Now() time.Time { return time.Now().Add(time.Duration(s.ahead.Load())) }

// noteClock compares the clocks. A response says when it was sent, in whole seconds.
func (s *Store) noteClock(sent time.Time) {
	if !sent.IsZero() {
		s.ahead.Store(int64(time.Until(sent)))
	}
}

// sentAt returns when a response was sent, or zero if it does not say so.
func sentAt(response *http.Response) time.Time {
	if response == nil {
		return time.Time{}
	}
	sent, _ := http.ParseTime(response.Header.Get("Date"))
	return sent
}

// New returns the store in a bucket. It sends nothing yet. It uses the HTTP client of cfg, because
// a plain *http.Client would ignore AWS_CA_BUNDLE.
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
		// After a lost response, a retry of the SDK would get a 412 because of our own write, and the
		// SDK cannot repeat a read whose body broke. Reads are repeated here instead, writes by
		// store.Updater.
		o.Retryer = aws.NopRetryer{}
		o.DisableLogOutputChecksumValidationSkipped = true
		o.APIOptions = append(o.APIOptions, refuseForeign)
	})
	foreign := !isAmazon(aws.ToString(client.Options().BaseEndpoint))
	if foreign {
		client = s3.New(client.Options(), forForeignStore)
	}
	test := newSelfTest(options.ConditionalWrites, foreign)
	s := &Store{options: options, test: test, foreign: foreign}
	s.client.Store(client)
	return s
}

// inRegionOf reports whether a request can be repeated because its response named the region of the
// bucket. From then on, requests go there.
func (s *Store) inRegionOf(err error) bool {
	f := failureOf(err)
	if !f.misdirected() || f.region == "" || s.moved.Swap(true) {
		return false
	}
	s.client.Store(s3.New(s.client.Load().Options(), func(o *s3.Options) { o.Region = f.region }))
	return true
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

// isAmazon reports whether an endpoint is one of Amazon's S3, such as a VPC endpoint, by the
// suffixes and the form of the names in "S3 endpoints" of the AWS General Reference. Load balancers
// and instances have these suffixes too, and any store may be behind them. Empty is the SDK's
// default.
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

// isS3 reports whether the last label of a host name is that of S3, apart from its kind and region.
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

// Address returns s3://bucket/prefix/key.
func (s *Store) Address(key string) string { return "s3://" + s.options.Bucket + "/" + s.path(key) }

func (s *Store) path(key string) string {
	if s.options.Prefix == "" {
		return key
	}
	return s.options.Prefix + "/" + key
}

// Get reads an object. It tries up to ten times while the store is not available.
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
	input := &s3.GetObjectInput{
		Bucket: &s.options.Bucket, Key: aws.String(s.path(key)), ExpectedBucketOwner: s.owner(),
	}
	out, err := s.client.Load().GetObject(attempt, input)
	if err != nil && s.inRegionOf(err) {
		out, err = s.client.Load().GetObject(attempt, input)
	}
	call := request{kind: read, address: s.Address(key), owner: s.options.ExpectedBucketOwner != ""}
	if err != nil {
		var failed *awshttp.ResponseError
		if errors.As(err, &failed) && failed.Response != nil {
			s.noteClock(sentAt(failed.Response.Response))
		}
		return store.Object{}, call.classify(s.explainTimeout(ctx, err))
	}
	if raw, ok := awsmiddleware.GetRawResponse(out.ResultMetadata).(*smithyhttp.Response); ok {
		s.noteClock(sentAt(raw.Response))
	}
	defer out.Body.Close()
	body, err := io.ReadAll(io.LimitReader(out.Body, store.MaxSize+1))
	switch {
	case len(body) > store.MaxSize:
		return store.Object{}, fmt.Errorf("read %s: %w", call.address, store.ErrTooLarge)
	case err != nil:
		// This may also be the SDK's check of a checksum. The next read may well be whole.
		return store.Object{}, fmt.Errorf("read %s: %w: body: %w",
			call.address, store.ErrTransient, s.explainTimeout(ctx, err))
	case aws.ToString(out.ETag) == "":
		return store.Object{}, fmt.Errorf("read %s: %w", call.address, errNoTag)
	}
	return store.Object{Body: body, ETag: *out.ETag}, nil
}

// explainTimeout distinguishes our own limit for one attempt from the deadline of the caller.
func (s *Store) explainTimeout(ctx context.Context, err error) error {
	if ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("no complete response within %s: %w", s.options.AttemptTimeout, err)
	}
	return err
}

func (s *Store) owner() *string {
	if s.options.ExpectedBucketOwner == "" {
		return nil
	}
	return &s.options.ExpectedBucketOwner
}
