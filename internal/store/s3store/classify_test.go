// SPDX-License-Identifier: MPL-2.0

package s3store

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"testing"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"github.com/google/go-cmp/cmp"

	"github.com/packer-chain/packer-plugin-chain/internal/store"
)

// answered is the error that the SDK makes of an answer; an empty code is one whose body is no XML.
func answered(status int, code, message string, header ...string) error {
	response := &http.Response{StatusCode: status, Header: http.Header{}}
	if len(header) == 2 {
		response.Header.Set(header[0], header[1])
	}
	var err error = &smithy.DeserializationError{Err: &xml.SyntaxError{Msg: "unexpected EOF", Line: 1}}
	if code != "" {
		err = &smithy.GenericAPIError{Code: code, Message: message}
	}
	return operation("S3", &awshttp.ResponseError{
		RequestID: "REQ123", ResponseError: &smithyhttp.ResponseError{
			Response: &smithyhttp.Response{Response: response}, Err: err,
		},
	})
}

// silent is the error that the SDK makes of a request without an answer.
func silent(err error) error {
	return operation("S3", &awshttp.ResponseError{ResponseError: &smithyhttp.ResponseError{
		Response: &smithyhttp.Response{Response: &http.Response{}}, Err: err,
	}})
}

func operation(service string, err error) error {
	return &smithy.OperationError{ServiceID: service, OperationName: "Call", Err: err}
}

func send(op string, err error) error {
	err = &url.Error{Op: "Put", URL: "https://example.com", Err: &net.OpError{Op: op, Err: err}}
	return &smithyhttp.RequestSendError{Err: err}
}

// unassumed is the error that the SDK makes when STS does not give the role of the credentials.
func unassumed(status int, code string) error {
	sts := operation("STS", errors.Unwrap(answered(status, code, "")))
	return operation("S3", fmt.Errorf("get identity: %w", sts))
}

type skewed struct{ error }

func (skewed) RetryableError() bool { return true }
func (s skewed) Unwrap() error      { return s.error }

func TestRequest_classify(t *testing.T) {
	type on map[kind]error
	all := func(err error) on { return on{read: err, create: err, swap: err, overwrite: err} }
	writes := func(forRead, forWrite error) on {
		return on{read: forRead, create: forWrite, swap: forWrite, overwrite: forWrite}
	}
	tests := []struct {
		name string
		in   error
		want on
	}{
		{"412", answered(412, "PreconditionFailed", ""), writes(errRefused, store.ErrConflict)},
		{"412 HTML", answered(412, "", ""), writes(errRefused, store.ErrConflict)},
		{
			"409 conditional", answered(409, "ConditionalRequestConflict", ""),
			writes(store.ErrTransient, store.ErrConflict),
		},
		{
			"409 aborted", answered(409, "OperationAborted", ""),
			writes(store.ErrTransient, store.ErrConflict),
		},
		{"409 empty", answered(409, "Conflict", ""), writes(store.ErrTransient, store.ErrConflict)},
		{
			"404 key", answered(404, "NoSuchKey", ""),
			on{
				read: store.ErrNotFound, create: errUnexpected, swap: store.ErrVanished,
				overwrite: errUnexpected,
			},
		},
		{
			"404 empty", answered(404, "NotFound", ""),
			on{
				read: store.ErrNotFound, create: errUnexpected, swap: store.ErrVanished,
				overwrite: errUnexpected,
			},
		},
		{
			"404 HTML", answered(404, "", ""),
			on{
				read: errUnexpected, create: errUnexpected, swap: store.ErrVanished,
				overwrite: errUnexpected,
			},
		},
		{"404 bucket", answered(404, "NoSuchBucket", ""), all(errNoBucket)},
		{"403", answered(403, "AccessDenied", ""), all(store.ErrDenied)},
		{"403 empty", answered(403, "Forbidden", ""), all(store.ErrDenied)},
		{"403 key", answered(403, "InvalidAccessKeyId", ""), all(errCredentials)},
		{"403 signature", answered(403, "SignatureDoesNotMatch", ""), all(errCredentials)},
		{"403 clock", answered(403, "RequestTimeTooSkewed", ""), all(errRefused)},
		{"403 archived", answered(403, "InvalidObjectState", ""), all(errRefused)},
		{
			"403 clock, corrected", operation("S3", skewed{answered(403, "RequestTimeTooSkewed", "")}),
			all(store.ErrTransient),
		},
		{"400 expired", answered(400, "ExpiredToken", ""), all(errExpired)},
		{"301", answered(301, "PermanentRedirect", ""), all(errWrongRegion)},
		{"301 empty", answered(301, "MovedPermanently", ""), all(errWrongRegion)},
		{"307", answered(307, "TemporaryRedirect", ""), all(errWrongRegion)},
		{
			"400 region", answered(400, "AuthorizationHeaderMalformed",
				"region 'a' is wrong; expecting 'eu-west-1'"),
			all(errWrongRegion),
		},
		{
			"400 region, no quotes", answered(400, "AuthorizationHeaderMalformed",
				"the region a is wrong; expecting us-east-1"),
			all(errWrongRegion),
		},
		{
			"400 header", answered(400, "AuthorizationHeaderMalformed", "a non-empty key must be provided"),
			all(errCredentials),
		},
		{
			"501", answered(501, "NotImplemented", ""),
			on{
				read: errUnexpected, create: errNoConditions, swap: errNoConditions,
				overwrite: errUnexpected,
			},
		},
		{
			"400 not implemented", answered(400, "NotImplemented", ""),
			on{
				read: errUnexpected, create: errNoConditions, swap: errNoConditions,
				overwrite: errUnexpected,
			},
		},
		{"400 other", answered(400, "InvalidRequest", ""), all(errRefused)},
		// A key that is disabled or gone does not make its objects absent.
		{"400 KMS disabled", answered(400, "KMS.DisabledException", ""), all(errRefused)},
		{"400 KMS gone", answered(400, "KMS.NotFoundException", ""), all(errRefused)},
		{"400 slow body", answered(400, "RequestTimeout", ""), all(store.ErrTransient)},
		{"400 digest", answered(400, "BadDigest", ""), all(store.ErrTransient)},
		{"405", answered(405, "MethodNotAllowed", ""), all(errRefused)},
		{"429", answered(429, "TooManyRequests", ""), all(store.ErrTransient)},
		{"503 slow down", answered(503, "SlowDown", ""), all(store.ErrTransient)},
		{
			"503 empty", answered(503, "ServiceUnavailable", ""),
			writes(store.ErrTransient, store.ErrUnknown),
		},
		{"500", answered(500, "InternalError", ""), writes(store.ErrTransient, store.ErrUnknown)},
		{"502 HTML", answered(502, "", ""), writes(store.ErrTransient, store.ErrUnknown)},
		{"200 damaged", answered(200, "", ""), writes(store.ErrTransient, store.ErrUnknown)},

		{"reset", silent(send("read", syscall.ECONNRESET)), writes(store.ErrTransient, store.ErrUnknown)},
		{
			"EOF", silent(&smithyhttp.RequestSendError{Err: io.EOF}),
			writes(store.ErrTransient, store.ErrUnknown),
		},
		{
			"timeout", silent(&smithy.CanceledError{Err: context.DeadlineExceeded}),
			writes(store.ErrTransient, store.ErrUnknown),
		},
		{"refused", silent(send("dial", syscall.ECONNREFUSED)), all(store.ErrTransient)},
		{"no such host", silent(send("dial", &net.DNSError{IsNotFound: true})), all(errUnsent)},
		{
			"DNS timeout", silent(send("dial", &net.DNSError{IsTimeout: true, IsTemporary: true})),
			all(store.ErrTransient),
		},
		{
			"certificate",
			silent(send("remote", &tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}})),
			all(errUnsent),
		},
		{"no region", operation("S3", errors.New("resolve endpoint: Missing Region")), all(errUnsent)},
		{
			"no time for credentials",
			operation("S3", fmt.Errorf("get identity: %w", context.DeadlineExceeded)),
			all(store.ErrTransient),
		},
		{"role denied", unassumed(403, "AccessDenied"), all(errCredentials)},
		{"role throttled", unassumed(400, "Throttling"), all(store.ErrTransient)},
		{"web identity expired", unassumed(400, "ExpiredTokenException"), all(errExpired)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for kind, want := range tt.want {
				got := request{kind: kind, address: address}.classify(tt.in)
				if !errors.Is(got, want) {
					t.Errorf("kind %d: %v, want %v", kind, got, want)
				}
				if !errors.Is(got, tt.in) {
					t.Errorf("kind %d: %v hides its cause", kind, got)
				}
				for _, other := range sentinels {
					if other != want && errors.Is(got, other) { //nolint:errorlint // identity is meant
						t.Errorf("kind %d: %v is also %v", kind, got, other)
					}
				}
			}
		})
	}
}

var sentinels = []error{
	store.ErrNotFound, store.ErrConflict, store.ErrVanished, store.ErrUnknown, store.ErrTransient,
	store.ErrDenied, errCredentials, errExpired, errNoBucket, errWrongRegion, errNoConditions,
	errRefused, errUnexpected, errUnsent,
}

func TestRequest_classify_text(t *testing.T) {
	tests := []struct {
		name string
		in   error
		on   request
		// want is what comes before and after the text of the SDK.
		want [2]string
	}{
		{
			name: "read denied", in: answered(403, "AccessDenied", "Access Denied"), on: request{kind: read},
			want: [2]string{
				"read " + address + ": access denied: ",
				"\n\nThe credentials need s3:GetObject on the object and s3:ListBucket on the bucket; " +
					"without s3:ListBucket S3 returns \"access denied\" for an object that does not exist. " +
					"With a KMS key they also need kms:Decrypt and kms:GenerateDataKey on it.",
			},
		},
		{
			name: "swap denied", in: answered(403, "AccessDenied", "Access Denied"),
			on: request{kind: swap, owner: true},
			want: [2]string{
				"write " + address + ": access denied: ",
				"\n\nThe credentials need s3:PutObject on the object, and s3:GetObject because the write has a " +
					"condition. With a KMS key they also need kms:Decrypt and kms:GenerateDataKey on it. " +
					"The bucket must belong to the account of expected_bucket_owner.",
			},
		},
		{
			name: "region", on: request{kind: read},
			in: answered(301, "PermanentRedirect", "Moved", "X-Amz-Bucket-Region", "eu-west-1"),
			want: [2]string{
				"read " + address + ": wrong region: ",
				"\n\nThe bucket is in eu-west-1. Set region in registry_access to that of the bucket.",
			},
		},
		{
			name: "no conditions", in: answered(501, "NotImplemented", "Not implemented"),
			on: request{kind: create},
			want: [2]string{
				"write " + address + ": the store lacks conditional writes: ",
				"\n\nWithout conditional writes two builds that publish at once may lose a manifest. " +
					"Use another store, or set conditional_writes = \"off\" where only one build " +
					"publishes at a time.",
			},
		},
		{
			name: "conflict", in: answered(412, "PreconditionFailed", "Did not hold"),
			on:   request{kind: swap},
			want: [2]string{"write " + address + ": changed by another writer: ", ""},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.on.address = address
			got := tt.on.classify(tt.in).Error()
			if diff := cmp.Diff(tt.want[0]+tt.in.Error()+tt.want[1], got); diff != "" {
				t.Errorf("text (-want +got):\n%s", diff)
			}
			if !strings.Contains(got, "RequestID: REQ123") {
				t.Errorf("the request id is not in %s", got)
			}
		})
	}
}

func TestIsAmazon(t *testing.T) {
	tests := []struct {
		in   string
		want bool
	}{
		{"", true},
		{"https://s3.eu-west-1.amazonaws.com", true},
		{"https://bucket.vpce-0a1b.s3.eu-west-1.vpce.amazonaws.com:443", true},
		{"https://s3.cn-north-1.amazonaws.com.cn", true},
		{"https://s3.dualstack.eu-west-1.api.aws", true},
		{"https://s3.amazonaws.com", true},
		{"https://s3-fips.us-gov-west-1.amazonaws.com", true},
		{"https://bucket.s3express-use1-az4.us-east-1.amazonaws.com", true},
		// A store on an instance or behind a load balancer was trusted as if it were S3.
		{"https://s3-store-1234.eu-west-1.elb.amazonaws.com", false},
		{"http://s3-store-1234.elb.eu-west-1.amazonaws.com:9000", false},
		{"http://ec2-192-0-2-1.eu-west-1.compute.amazonaws.com:9000", false},
		{"http://ec2-192-0-2-1.compute-1.amazonaws.com:9000", false},
		{"https://eu-west-1.amazonaws.com", false},
		{"http://127.0.0.1:9000", false},
		{"https://s3.example.com", false},
		{"https://amazonaws.com.example.com", false},
		{"https://evilamazonaws.com", false},
		{"https://s3.example.com/.amazonaws.com", false},
		{"::", false},
	}
	for _, tt := range tests {
		if got := isAmazon(tt.in); got != tt.want {
			t.Errorf("isAmazon(%q) = %v, want %v", tt.in, got, tt.want)
		}
	}
}
