// SPDX-License-Identifier: MPL-2.0

package awserror

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/ssocreds"
	"github.com/aws/smithy-go"
)

// TestAdvice has a row for every code. The texts are the beginnings of the advice.
func TestAdvice(t *testing.T) {
	const (
		role    = "The role does not exist, or does not trust"
		need    = "The credentials need ec2:CreateTags in eu-west-1. "
		unknown = "AWS does not know these credentials."
		region  = "The region eu-west-1 is not enabled for this account or does not exist"
		login   = "The SSO session has expired, or the role is not assigned"
	)
	rows := map[string]struct{ credentials, request string }{
		"AccessDenied":                {role, need},
		"AccessDeniedException":       {role, need},
		"UnauthorizedOperation":       {"", need},
		"ExpiredToken":                {Expired, Expired},
		"ExpiredTokenException":       {Expired, Expired},
		"RequestExpired":              {Expired, Expired},
		"InvalidClientTokenId":        {unknown, region + ", or the credentials"},
		"UnrecognizedClientException": {unknown, region + ", or the credentials"},
		"SignatureDoesNotMatch":       {unknown, ""},
		"AuthFailure":                 {"", region + ", or the credentials"},
		"OptInRequired":               {"", region + "."},
		"UnauthorizedException":       {login, ""},
		"ForbiddenException":          {login, ""},
		"InvalidGrantException":       {login, ""},
		"TagPolicyViolation":          {"", "A tag policy of the organization refuses the tags."},
		"Throttling":                  {"", ""},

		"ParameterLimitExceeded":               {"", "The account has as many parameters in eu-west-1 as"},
		"HierarchyLevelLimitExceededException": {"", "A parameter has at most 15 levels."},
		"HierarchyTypeMismatchException":       {"", "SSM cannot change the type of a parameter."},
		"ParameterPatternMismatchException":    {"", "The parameter has an allowed pattern"},
		"UnsupportedParameterType":             {"", "SSM does not take a parameter of the type String"},
		"ParameterAlreadyExists":               {"", "Somebody else has just created the parameter."},
		"ParameterMaxVersionLimitExceeded":     {"", "The oldest of the parameter's 100 versions has"},
	}
	for code := range byCode {
		if _, ok := rows[code]; !ok {
			t.Errorf("%s has no row", code)
		}
	}
	for code, want := range rows {
		err := fmt.Errorf("call: %w", &smithy.GenericAPIError{Code: code})
		begins(t, code, OfCredentials(err), want.credentials)
		begins(t, code, OfRequest(err, "ec2:CreateTags", "eu-west-1"), want.request)
		if got := Denied(err); got != (want.request == need) {
			t.Errorf("%s: denied is %v", code, got)
		}
	}
}

// TestOfCredentials: errors that have no code.
func TestOfCredentials(t *testing.T) {
	for want, err := range map[string]error{
		`The profile "x" does not exist.`: config.SharedConfigProfileNotExistError{Profile: "x"},
		"The SSO session has expired":     &ssocreds.InvalidTokenError{},
		"The SSO session has expired, ":   errors.New("refresh cached SSO token failed"),
		"No AWS credentials were found":   &smithy.OperationError{ServiceID: "ec2imds", Err: errors.New("x")},
		"":                                errors.New("x"),
	} {
		begins(t, err.Error(), OfCredentials(fmt.Errorf("load: %w", err)), want)
	}
}

func begins(t *testing.T, of, got, want string) {
	t.Helper()
	if !strings.HasPrefix(got, want) || (want == "") != (got == "") {
		t.Errorf("%s: got %q, want %q", of, got, want)
	}
}
