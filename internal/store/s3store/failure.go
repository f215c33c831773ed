// SPDX-License-Identifier: MPL-2.0

package s3store

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/packer-chain/packer-plugin-chain/internal/awserror"
)

// failure is what is known from an error of the SDK, without the SDK's types.
type failure struct {
	// status is the HTTP status of S3; 0 if there was no response.
	status int
	// code is the error code of S3, or the text of the status if the response had no body.
	code string
	// region is that of the bucket, if the response names it.
	region string
	// expired and credentials: the credentials were the cause, at S3 or before.
	expired, credentials bool
	// skewed: the clock of this machine is wrong. The SDK corrects that in the next request.
	skewed bool
	// unsent: not one byte of the request reached the store.
	unsent bool
	// unreachable: none ever will, because the name or the certificate of the store is wrong.
	unreachable bool
	// passing: the SDK considers it a fault that may pass.
	passing bool
	// foreign: the response is not that of an S3 store.
	foreign bool
	// after is how long to wait before the next request, if the response says so.
	after time.Duration
	// cut: the body of the error broke off, and with it the code that explains the status.
	cut bool
}

var passingFaults = retry.IsErrorRetryables(retry.DefaultRetryables)

// expectedRegion matches the right region in the message of AuthorizationHeaderMalformed. Other
// stores leave the quotes out.
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
	if f.credentials = awserror.InCredentials(err); f.credentials {
		return f
	}
	status, header := responseOf(err)
	f.status = status
	var foreign *foreignError
	if errors.As(err, &foreign) {
		f.status, f.foreign = foreign.status, true
	}
	f.after = retryAfter(header)
	if region := header.Get("X-Amz-Bucket-Region"); region != "" {
		f.region = region
	}
	var again interface{ RetryableError() bool }
	f.skewed = errors.As(err, &again) && again.RetryableError()
	f.unsent, f.unreachable = sending(err)
	f.cut = status != 0 && brokeOff(err)
	return f
}

// maxRetryAfter is the longest time that a store can ask to wait.
const maxRetryAfter = time.Minute

// retryAfter reads the header Retry-After, in seconds (RFC 9110). A date is not worth it.
func retryAfter(header http.Header) time.Duration {
	seconds, err := strconv.Atoi(header.Get("Retry-After"))
	if err != nil || seconds < 0 {
		return 0
	}
	return min(time.Duration(seconds)*time.Second, maxRetryAfter)
}

// brokeOff reports whether a response ended too early, or did not end in time.
func brokeOff(err error) bool {
	var connection *net.OpError
	return errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, context.DeadlineExceeded) ||
		errors.As(err, &connection)
}

// sending reports how far a request without a response came.
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
	var response *smithyhttp.ResponseError
	return !errors.As(err, &send) && !errors.As(err, &canceled) && !errors.As(err, &response), false
}

// responseOf returns the HTTP status and header of the response behind an error; 0 if there was
// none.
func responseOf(err error) (status int, header http.Header) {
	var failed *smithyhttp.ResponseError
	if !errors.As(err, &failed) || failed.Response == nil || failed.Response.Response == nil {
		return 0, nil
	}
	return failed.Response.StatusCode, failed.Response.Header
}

// misdirected reports whether the request went to the wrong region.
func (f failure) misdirected() bool {
	switch f.code {
	case "PermanentRedirect", "TemporaryRedirect", "Redirect", "IllegalLocationConstraintException":
		return true
	}
	return (f.status >= 300 && f.status < 400) ||
		(f.code == "AuthorizationHeaderMalformed" && f.region != "")
}

// throttled reports whether the store refused the request because there are too many. Then nothing
// was written.
func (f failure) throttled() bool {
	_, known := retry.DefaultThrottleErrorCodes[f.code]
	return known || f.status == http.StatusTooManyRequests || strings.HasPrefix(f.code, "SlowDown")
}

// resend reports whether the request itself arrived damaged or too slowly. Then nothing was
// written.
func (f failure) resend() bool {
	switch f.code {
	case "RequestTimeout", "IncompleteBody", "BadDigest":
		return f.status == http.StatusBadRequest
	}
	return false
}

// badKey reports whether the store refused the access key.
func (f failure) badKey() bool {
	switch f.code {
	case "InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken", "AuthorizationHeaderMalformed":
		return true
	}
	return false
}

// lacksNoRight reports whether a store refused the request with 403, and not for lack of a right.
func (f failure) lacksNoRight() bool {
	switch f.code {
	case "RequestTimeTooSkewed", "InvalidObjectState", "AllAccessDisabled", "AccountProblem",
		"NotSignedUp":
		return true
	}
	return false
}
