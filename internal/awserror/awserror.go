// SPDX-License-Identifier: MPL-2.0

// Package awserror holds what a user can do about the errors of AWS, and of the way to it: one
// table, by error code, message and type. The errors of a conditional write are not in it, because
// other stores return them too.
package awserror

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/smithy-go"
)

// Kind is what a request asks for. The table also combines kinds.
type Kind uint

const (
	// Credentials asks STS, SSO, the instance or a file for credentials.
	Credentials Kind = 1 << iota
	// EC2 asks for images, and changes them.
	EC2
	// SSM asks the Parameter Store, and writes parameters.
	SSM
	// Read reads an object of a bucket.
	Read
	// Create writes an object of a bucket, without comparing it with the present one.
	Create
	// Replace writes an object of a bucket if the present one has not changed.
	Replace

	write  = Create | Replace
	bucket = Read | write
	all    = Credentials | EC2 | SSM | bucket
)

// Request is what the advice names of a request.
type Request struct {
	Kind Kind
	// Action is its name in a policy, such as "ec2:DescribeImages". Those of a bucket need none.
	Action string
	// Region is where it went; for a bucket, where the bucket is, if the response says so.
	Region string
	// Owner is true if it names the account that must own the bucket.
	Owner bool
}

// row is what a user can do about an error for which all that is set holds.
type row struct {
	of Kind
	// code lists error codes of AWS, with spaces between.
	code string
	// says is in the text of the error.
	says string
	// is holds for errors that have no code.
	is func(error) bool

	// advice may have {action}, {region}, {profile} and {owner} for those of the request.
	advice string
}

func (r row) matches(kind Kind, err error) bool {
	return r.of&kind != 0 && (r.code == "" || slices.Contains(strings.Fields(r.code), Code(err))) &&
		strings.Contains(err.Error(), r.says) && (r.is == nil || r.is(err))
}

// Code returns the error code of AWS, or "".
func Code(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	return ""
}

// Denied reports whether AWS refused a request for lack of permission.
func Denied(err error) bool { return slices.Contains(strings.Fields(denials), Code(err)) }

// Passing reports whether the same request may succeed later, whichever service it went to: after
// throttling, and after errors of the server or the network.
func Passing(err error) bool {
	var status interface{ HTTPStatusCode() int }
	if errors.As(err, &status) &&
		(status.HTTPStatusCode() >= 500 || status.HTTPStatusCode() == http.StatusTooManyRequests) {
		return true
	}
	known := retry.IsErrorRetryables(retry.DefaultRetryables)
	return strings.HasPrefix(Code(err), "Throttl") || known.IsErrorRetryable(err) == aws.TrueTernary
}

// InCredentials reports whether a request failed before it was sent, because another service gave
// no credentials for it, such as STS. Its status must not be taken for one of the request.
func InCredentials(err error) bool {
	var outer, inner *smithy.OperationError
	return errors.As(err, &outer) && errors.As(outer.Err, &inner)
}

// Advice returns what the user can do about an error of the request, or "". For an error of
// credentials there is always something.
func (r Request) Advice(err error) string {
	if InCredentials(err) {
		r = Request{Kind: Credentials}
	}
	for _, row := range table {
		if row.matches(r.Kind, err) {
			return r.fill(row.advice, err)
		}
	}
	return ""
}

// Explain returns the error with its advice. It stays the cause. A denial names the action.
func (r Request) Explain(err error) error {
	advice := r.Advice(err)
	if advice == "" {
		return err
	}
	if Denied(err) && !InCredentials(err) {
		err = fmt.Errorf("%s is not allowed: %w", r.Action, err)
	}
	return fmt.Errorf("%w\n\n%s", err, advice)
}

// actions are those of requests that name none.
var actions = map[Kind]string{
	Credentials: "sts:AssumeRole", Read: "s3:GetObject", Create: "s3:PutObject",
	Replace: "s3:PutObject",
}

func (r Request) fill(advice string, err error) string {
	owner := ""
	if r.Owner {
		owner = " The bucket must belong to the account of expected_bucket_owner."
	}
	var profile config.SharedConfigProfileNotExistError
	errors.As(err, &profile)
	words := strings.NewReplacer("{action}", cmp.Or(r.Action, actions[r.Kind]), "{owner}", owner,
		"{profile}", profile.Profile, "{region}", cmp.Or(r.Region, "another region"))
	return words.Replace(advice)
}
