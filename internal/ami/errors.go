// SPDX-License-Identifier: MPL-2.0

package ami

import (
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/smithy-go"
)

const (
	describeAction = "ec2:DescribeImages"
	tagAction      = "ec2:CreateTags"
)

// errNotYet means that EC2 does not show yet what was written.
var errNotYet = errors.New("not visible yet")

// goneError is EC2's answer to an id that it does not know (any more, or yet).
type goneError struct {
	code string
	err  error
}

func (e *goneError) Error() string { return e.err.Error() }
func (e *goneError) Unwrap() error { return e.err }

func errorCode(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	return ""
}

func isGone(code string) bool {
	return code == "InvalidAMIID.NotFound" || code == "InvalidAMIID.Malformed" ||
		code == "InvalidAMIID.Unavailable"
}

// retryable says whether the same request may succeed later: what is new is not known everywhere
// yet (Amazon EC2 API Reference, "Eventual consistency"), throttling, server and network errors.
func retryable(err error) bool {
	switch code := errorCode(err); code {
	case "InvalidAMIID.NotFound", "InvalidAMIID.Unavailable", "InvalidSnapshot.NotFound",
		"RequestLimitExceeded", "Unavailable", "ServiceUnavailable", "InternalError", "InternalFailure":
		return true
	default:
		if strings.HasPrefix(code, "Throttl") {
			return true
		}
	}
	var status interface{ HTTPStatusCode() int }
	if errors.As(err, &status) && (status.HTTPStatusCode() >= 500 || status.HTTPStatusCode() == 429) {
		return true
	}
	known := retry.IsErrorRetryables(retry.DefaultRetryables)
	return errors.Is(err, errNotYet) || errors.Is(err, errPending) || known.IsErrorRetryable(err) == aws.TrueTernary
}

// explain adds what the user can do to an error of EC2. The error stays the cause.
func explain(err error, region, action string) error {
	var dns *net.DNSError
	if errors.As(err, &dns) && dns.IsNotFound {
		return fmt.Errorf("%w\n\nThere is no such address: does the region %q exist?", err, region)
	}
	code := errorCode(err)
	switch code {
	case "UnauthorizedOperation", "AccessDenied", "AccessDeniedException":
		return fmt.Errorf("%s is not allowed: %w\n\nThe credentials need %s in %s. Also a policy of the "+
			"organization can refuse it", action, err, action, region)
	case "AuthFailure", "InvalidClientTokenId", "UnrecognizedClientException":
		return fmt.Errorf("%w\n\nThe region %s is not enabled for this account or does not exist, or the "+
			"credentials are not valid there", err, region)
	case "OptInRequired":
		return fmt.Errorf("%w\n\nThe region %s is not enabled for this account or does not exist", err, region)
	case "ExpiredToken", "ExpiredTokenException", "RequestExpired":
		return fmt.Errorf("%w\n\nThe credentials have expired (or the clock of this machine is wrong). "+
			"Get new ones and run the build again", err)
	case "TagPolicyViolation":
		return fmt.Errorf("%w\n\nA tag policy of the organization refuses the tags. Change the tags, or the "+
			"policy", err)
	}
	return err
}

// briefly is an error for a line of progress: the code of EC2 where there is one.
func briefly(err error) string {
	if code := errorCode(err); code != "" {
		return code
	}
	return err.Error()
}
