// SPDX-License-Identifier: MPL-2.0

package ami

import (
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"

	"github.com/packer-chain/packer-plugin-chain/internal/awserror"
)

const (
	describeAction = "ec2:DescribeImages"
	tagAction      = "ec2:CreateTags"
)

// errNotYet means that EC2 does not show an image or a tag yet.
var errNotYet = errors.New("not visible yet")

// goneError is the error of EC2 for an id that it does not know (any more, or yet).
type goneError struct {
	code string
	err  error
}

func (e *goneError) Error() string { return e.err.Error() }
func (e *goneError) Unwrap() error { return e.err }

func isGone(code string) bool {
	return code == "InvalidAMIID.NotFound" || code == "InvalidAMIID.Malformed" ||
		code == "InvalidAMIID.Unavailable"
}

// retryable reports whether the same request may succeed later: after throttling, server or network
// errors, or if what is new is not known everywhere yet (Amazon EC2 API Reference, "Eventual
// consistency").
func retryable(err error) bool {
	switch code := awserror.Code(err); code {
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
	return errors.Is(err, errNotYet) || errors.Is(err, errPending) ||
		known.IsErrorRetryable(err) == aws.TrueTernary
}

// explain adds what the user can do to an error of EC2. The error stays the cause.
func explain(err error, region, action string) error {
	advice := awserror.Request{Kind: awserror.EC2, Action: action, Region: region}.Advice(err)
	if advice == "" {
		return err
	}
	if awserror.Denied(err) && !awserror.InCredentials(err) {
		err = fmt.Errorf("%s is not allowed: %w", action, err)
	}
	return fmt.Errorf("%w\n\n%s", err, advice)
}

// briefly returns an error for a line of progress: the code of EC2 if there is one.
func briefly(err error) string {
	if code := awserror.Code(err); code != "" {
		return code
	}
	return err.Error()
}
