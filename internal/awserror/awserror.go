// SPDX-License-Identifier: MPL-2.0

// Package awserror holds what a user can do about the errors of AWS: advice for each error code.
// The errors of a conditional write are not in it, because other stores return them too.
package awserror

import (
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/ssocreds"
	"github.com/aws/smithy-go"
)

// Expired is the advice for credentials that were valid once.
const Expired = "The credentials have expired (or the clock of this machine is wrong). Get new " +
	"ones and run the build again."

const (
	roleDenied = "The role does not exist, or does not trust these credentials, or they lack " +
		"sts:AssumeRole on it. A role that demands an external id gives the same error when " +
		"external_id is missing or wrong."
	notKnown = "AWS does not know these credentials. Check the access key, the secret key and " +
		"the token."
	noSSO = "The SSO session has expired, or the role is not assigned to this user. Run aws sso " +
		"login, and then the build again."
	noCredentials = "No AWS credentials were found in the template, the environment or the shared " +
		"files, and this machine has no instance role. Set profile, AWS_PROFILE or " +
		"AWS_ACCESS_KEY_ID."
	noProfile = "The profile %q does not exist. Check profile and AWS_PROFILE, and the files that " +
		"AWS_CONFIG_FILE and AWS_SHARED_CREDENTIALS_FILE name."

	denied = "The credentials need ACTION in REGION. A policy of the organization can refuse it too."
	noKey  = "The region REGION is not enabled for this account or does not exist, or the " +
		"credentials are not valid there."
	noRegion  = "The region REGION is not enabled for this account or does not exist."
	tagPolicy = "A tag policy of the organization refuses the tags. Change the tags, or the policy."

	manyParameters = "The account has as many parameters in REGION as it can have. Delete some that " +
		"nobody needs."
	deepParameter   = "A parameter has at most 15 levels. Choose a name with fewer \"/\"."
	typeOfParameter = "SSM cannot change the type of a parameter. Choose another name, or delete " +
		"the parameter."
	parameterPattern = "The parameter has an allowed pattern that the id of an AMI does not match. " +
		"Change the pattern, or choose another name."
	noStringParameter = "SSM does not take a parameter of the type String here. Choose another name."
	parameterExists   = "Somebody else has just created the parameter. Run the build again."
	labelledVersions  = "The oldest of the parameter's 100 versions has a label, so SSM does not " +
		"delete it. Move the label to a newer version."
)

// byCode is the advice for a code from a service that gives credentials, and from one that is used
// with them. ACTION and REGION are those of the request.
var byCode = map[string]struct{ credentials, request string }{
	"AccessDenied":                {roleDenied, denied},
	"AccessDeniedException":       {roleDenied, denied},
	"UnauthorizedOperation":       {"", denied},
	"ExpiredToken":                {Expired, Expired},
	"ExpiredTokenException":       {Expired, Expired},
	"RequestExpired":              {Expired, Expired},
	"InvalidClientTokenId":        {notKnown, noKey},
	"UnrecognizedClientException": {notKnown, noKey},
	"SignatureDoesNotMatch":       {notKnown, ""},
	"AuthFailure":                 {"", noKey},
	"OptInRequired":               {"", noRegion},
	"UnauthorizedException":       {noSSO, ""},
	"ForbiddenException":          {noSSO, ""},
	"InvalidGrantException":       {noSSO, ""},
	"TagPolicyViolation":          {"", tagPolicy},

	"ParameterLimitExceeded":               {"", manyParameters},
	"HierarchyLevelLimitExceededException": {"", deepParameter},
	"HierarchyTypeMismatchException":       {"", typeOfParameter},
	"ParameterPatternMismatchException":    {"", parameterPattern},
	"UnsupportedParameterType":             {"", noStringParameter},
	"ParameterAlreadyExists":               {"", parameterExists},
	"ParameterMaxVersionLimitExceeded":     {"", labelledVersions},
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
func Denied(err error) bool { return byCode[Code(err)].request == denied }

// OfRequest returns the advice for an error of a request, or "". The action is its name in a
// policy, such as "ec2:DescribeImages".
func OfRequest(err error, action, region string) string {
	words := strings.NewReplacer("ACTION", action, "REGION", region)
	return words.Replace(byCode[Code(err)].request)
}

// OfCredentials returns the advice for an error in the search for credentials, or "".
func OfCredentials(err error) string {
	var profile config.SharedConfigProfileNotExistError
	var token *ssocreds.InvalidTokenError
	var operation *smithy.OperationError
	switch {
	case errors.As(err, &profile):
		return fmt.Sprintf(noProfile, profile.Profile)
	case errors.As(err, &token), strings.Contains(err.Error(), "SSO token"):
		// Only a token of the old form has an error type; see the SDK's package ssocreds.
		return noSSO
	case Code(err) != "":
		return byCode[Code(err)].credentials
	case errors.As(err, &operation) && operation.Service() == "ec2imds":
		// The metadata service is the last source that the SDK tries.
		return noCredentials
	}
	return ""
}
