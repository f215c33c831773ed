// SPDX-License-Identifier: MPL-2.0

package access

import (
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/ssocreds"
	"github.com/aws/smithy-go"
)

// explain says what was tried, and adds what the user can do about it.
func explain(what string, err error) error {
	if advice := advise(err); advice != "" {
		return fmt.Errorf("%s: %w\n\n%s", what, err, advice)
	}
	return fmt.Errorf("%s: %w", what, err)
}

func advise(err error) string {
	var profile config.SharedConfigProfileNotExistError
	var sso *ssocreds.InvalidTokenError
	var operation *smithy.OperationError
	var api smithy.APIError
	switch {
	case errors.As(err, &profile):
		return fmt.Sprintf("There is no profile %q. Check profile and AWS_PROFILE, and the files that "+
			"AWS_CONFIG_FILE and AWS_SHARED_CREDENTIALS_FILE name.", profile.Profile)
	case errors.As(err, &sso), strings.Contains(err.Error(), "SSO token"):
		// Only a token of the old form has an error type; see the SDK's package ssocreds.
		return "The SSO session has expired, or there is none. Run aws sso login and start the build again."
	case errors.As(err, &api):
		return adviseAPI(api.ErrorCode())
	case errors.As(err, &operation) && operation.Service() == "ec2imds":
		// The metadata service is the last place where the SDK looks.
		return "There are no AWS credentials: not in the template, the environment or the shared files, and " +
			"this machine has no instance role. Set profile, AWS_PROFILE or AWS_ACCESS_KEY_ID."
	}
	return ""
}

func adviseAPI(code string) string {
	switch code {
	case "AccessDenied", "AccessDeniedException":
		return "The role does not exist, or does not trust these credentials, or they lack sts:AssumeRole on " +
			"it. A role that demands an external id answers the same when external_id is missing or wrong."
	case "ExpiredToken", "ExpiredTokenException", "RequestExpired":
		return "The credentials have expired (or the clock of this machine is wrong). Get new ones and start " +
			"the build again."
	case "InvalidClientTokenId", "UnrecognizedClientException", "SignatureDoesNotMatch":
		return "AWS does not know these credentials. Check the access key, the secret key and the token."
	case "UnauthorizedException", "ForbiddenException", "InvalidGrantException":
		return "The SSO session has expired, or the role is not assigned to this user. Run aws sso login and " +
			"start the build again."
	}
	return ""
}
