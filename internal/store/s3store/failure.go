// SPDX-License-Identifier: MPL-2.0

package s3store

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/packer-chain/packer-plugin-chain/internal/awserror"
)

// failure is what an error of the SDK tells, without its types.
type failure struct {
	// status is that of the answer of S3; 0 when there was none.
	status int
	// code is the error code of S3, or the words of the status where the answer had no body.
	code string
	// region is where the bucket is, where the answer says so.
	region string
	// expired, credentials: it failed over the credentials, at S3 or before.
	expired, credentials bool
	// advice is what can be done about the credentials, if that is known.
	advice string
	// skewed: the clock of this machine is wrong, which the SDK corrects in the next request.
	skewed bool
	// unsent: not one byte of the request reached the store.
	unsent bool
	// unreachable: it never will, as the name or the certificate of the store is wrong.
	unreachable bool
	// passing: the SDK holds it for a fault that may pass.
	passing bool
	// cut: the body of an error broke off, and with it the code that says what the status means.
	cut bool
}

var passingFaults = retry.IsErrorRetryables(retry.DefaultRetryables)

// expectedRegion is how S3 names the right region in AuthorizationHeaderMalformed; other stores
// leave the quotes out.
var expectedRegion = regexp.MustCompile(`expecting '?([a-z0-9-]+)`)

func failureOf(err error) failure {
	f := failure{passing: passingFaults.IsErrorRetryable(err) == aws.TrueTernary}
	var api smithy.APIError
	if errors.As(err, &api) {
		f.code = api.ErrorCode()
		if match := expectedRegion.FindStringSubmatch(api.ErrorMessage()); match != nil {
			f.region = match[1]
		}
	}
	switch f.code {
	case "ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired":
		f.expired = true
	}
	if f.credentials = failedBefore(err); f.credentials {
		f.advice = awserror.OfCredentials(err)
		return f
	}
	status, header := answerOf(err)
	f.status = status
	if region := header.Get("X-Amz-Bucket-Region"); region != "" {
		f.region = region
	}
	var again interface{ RetryableError() bool }
	f.skewed = errors.As(err, &again) && again.RetryableError()
	f.unsent, f.unreachable = sending(err)
	f.cut = status != 0 && brokeOff(err)
	return f
}

// brokeOff reports whether an answer ended too early, or never did.
func brokeOff(err error) bool {
	var connection *net.OpError
	return errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, context.DeadlineExceeded) ||
		errors.As(err, &connection)
}

// failedBefore tells an error of another service, such as STS, from one of S3: the SDK asks it for
// credentials within the request to S3, and its status must not be taken for an answer of S3.
func failedBefore(err error) bool {
	var outer, inner *smithy.OperationError
	return errors.As(err, &outer) && errors.As(outer.Err, &inner)
}

// sending tells how far a request without an answer came.
func sending(err error) (unsent, unreachable bool) {
	var dns *net.DNSError
	var certificate *tls.CertificateVerificationError
	if errors.As(err, &certificate) || (errors.As(err, &dns) && dns.IsNotFound) {
		return true, true
	}
	var dial *net.OpError
	if errors.As(err, &dial) && dial.Op == "dial" {
		return true, false
	}
	var send *smithyhttp.RequestSendError
	var canceled interface{ CanceledError() bool }
	var answer *smithyhttp.ResponseError
	return !errors.As(err, &send) && !errors.As(err, &canceled) && !errors.As(err, &answer), false
}

// answerOf returns the HTTP status and header of the answer behind an error; 0 if there was none.
func answerOf(err error) (status int, header http.Header) {
	var answer *smithyhttp.ResponseError
	if !errors.As(err, &answer) || answer.Response == nil || answer.Response.Response == nil {
		return 0, nil
	}
	return answer.Response.StatusCode, answer.Response.Header
}

func (f failure) misdirected() bool {
	switch f.code {
	case "PermanentRedirect", "TemporaryRedirect", "Redirect", "IllegalLocationConstraintException":
		return true
	}
	return (f.status >= 300 && f.status < 400) ||
		(f.code == "AuthorizationHeaderMalformed" && f.region != "")
}

func (f failure) regionAdvice() string {
	if f.region == "" {
		return "The bucket is in another region: set the region of the registry to that of the bucket."
	}
	return fmt.Sprintf(
		"The bucket is in %s: set the region of the registry to %q.", f.region, f.region)
}

// throttled: the store refused the request as there are too many. Nothing was written.
func (f failure) throttled() bool {
	_, known := retry.DefaultThrottleErrorCodes[f.code]
	return known || f.status == http.StatusTooManyRequests || strings.HasPrefix(f.code, "SlowDown")
}

// resend: the request itself arrived damaged or too slowly. Nothing was written.
func (f failure) resend() bool {
	switch f.code {
	case "RequestTimeout", "IncompleteBody", "BadDigest":
		return f.status == http.StatusBadRequest
	}
	return false
}

func (f failure) badKey() bool {
	switch f.code {
	case "InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken", "AuthorizationHeaderMalformed":
		return true
	}
	return false
}
