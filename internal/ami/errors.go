// SPDX-License-Identifier: MPL-2.0

package ami

import (
	"errors"
	"fmt"
	"strings"

	"github.com/aws/smithy-go"

	"github.com/packer-chain/packer-plugin-chain/internal/awserror"
)

// Actions as a policy names them.
const (
	describeAction = "ec2:DescribeImages"
	tagAction      = "ec2:CreateTags"
	untagAction    = "ec2:DeleteTags"

	readLaunchAction = "ec2:DescribeImageAttribute"
	launchAction     = "ec2:ModifyImageAttribute"
	readVolumeAction = "ec2:DescribeSnapshotAttribute"
	volumeAction     = "ec2:ModifySnapshotAttribute"

	deprecateAction   = "ec2:EnableImageDeprecation"
	undeprecateAction = "ec2:DisableImageDeprecation"
	disableAction     = "ec2:DisableImage"
	enableAction      = "ec2:EnableImage"
)

// errNotYet means that EC2 does not show an image or a tag yet.
var errNotYet = errors.New("not visible yet")

// staleError means that EC2 accepted a change, but does not show it yet.
type staleError struct{ shows string }

func (e *staleError) Error() string { return "EC2 accepted it, but still shows " + e.shows }

// RetryableError is for [retryable].
func (e *staleError) RetryableError() bool { return true }

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
	switch awserror.Code(err) {
	case "InvalidAMIID.NotFound", "InvalidAMIID.Unavailable", "InvalidSnapshot.NotFound",
		"RequestLimitExceeded", "Unavailable", "ServiceUnavailable", "InternalError", "InternalFailure":
		return true
	}
	return errors.Is(err, errNotYet) || errors.Is(err, errPending) || awserror.Passing(err)
}

// explain adds what the user can do to an error of EC2. The error stays the cause.
func explain(err error, region, action string) error {
	if isForeign(err) {
		return fmt.Errorf("%w\n\n%s", err, foreign)
	}
	return awserror.Request{Kind: awserror.EC2, Action: action, Region: region}.Explain(err)
}

const foreign = "It belongs to another account, and only that account can change it."

// isForeign reports whether EC2 refused a request because an AMI or a snapshot is not the account's
// own. EC2 has the same code for credentials that are not valid.
func isForeign(err error) bool {
	var api smithy.APIError
	return errors.As(err, &api) && api.ErrorCode() == "AuthFailure" &&
		strings.HasPrefix(api.ErrorMessage(), "Not authorized for ")
}

// briefly returns an error for a line of progress: the code of EC2 if there is one.
func briefly(err error) string {
	if code := awserror.Code(err); code != "" {
		return code
	}
	return err.Error()
}
