// SPDX-License-Identifier: MPL-2.0

// Package awserrortest has the errors with which AWS responds, for the tests of whatever shows the
// advice about them. The messages are those of AWS, shortened.
package awserrortest

// Response is an error with which a service responds.
type Response struct {
	// Of is the service: "sts", "ec2", "ssm", or "s3"; for a part of S3, "read", "write", "create" or
	// "replace".
	Of      string
	Status  int
	Code    string
	Message string
	// Want is in the advice.
	Want string
}

// who begins the message of most denials.
const who = "User: arn:aws:iam::123456789012:user/acme is not authorized to perform: "

// Responses returns the errors: at least one for each row of the table that has a code.
func Responses() []Response {
	const (
		role    = "does not trust these credentials"
		login   = "Run aws sso login"
		expired = "The credentials have expired"
		clock   = "The clock of this machine is wrong by minutes. Set it"
		web     = "Not authorized to perform sts:AssumeRoleWithWebIdentity"
		late    = "Signature expired: 20260501T1000Z is now earlier than 20260501T1045Z"
		early   = "Signature not yet current: 20260501T1045Z is still later than 20260501T1005Z"
		org     = "Ask whoever manages the organization."
		boost   = "To give more rights to the credentials does not help."
	)
	return []Response{
		{"sts", 403, "AccessDenied", who + "sts:AssumeRole on resource: role/images", role},
		{"sts", 403, "AccessDenied", web, "compare the conditions on the subject and the audience"},
		{"sts", 403, "AccessDeniedException", "no", role},
		{"sts", 400, "ExpiredTokenException", "operation error STS: AssumeRoleWithWebIdentity: Token " +
			"expired", "Get a new one shortly before Packer runs"},
		{"sts", 403, "ExpiredToken", "expired", expired},
		{"sts", 403, "SignatureDoesNotMatch", late, clock},
		{"sts", 403, "SignatureDoesNotMatch", early, clock},
		{"sts", 403, "SignatureDoesNotMatch", "no match", "Check the access key, the secret key"},
		{"sts", 403, "InvalidClientTokenId", "invalid", "Check the access key, the secret key"},
		{"sts", 401, "UnauthorizedException", "Session token not found or invalid", login},
		{"sts", 403, "ForbiddenException", "No access", login},
		{"sts", 400, "InvalidGrantException", "no", login},
		{"sts", 400, "InvalidIdentityToken", "No OpenIDConnect provider found in your account for " +
			"https://token.actions.githubusercontent.com", "no OpenID Connect provider for this CI"},
		{"sts", 403, "IDPRejectedClaim", "no", "Get a new one, and run the build again"},
		{"sts", 400, "IDPCommunicationError", "no", "did not reach the identity provider"},
		{"sts", 403, "RegionDisabledException", "STS is not activated in this region for account",
			"Turn it on (IAM, Account settings)"},
		{"sts", 400, "ValidationError", "The requested DurationSeconds exceeds the MaxSessionDuration " +
			"set for this role", "Set duration_seconds of assume_role"},
		{"sts", 400, "PackedPolicyTooLarge", "no", "Shorten them"},
		{"sts", 400, "MalformedPolicyDocument", "no", "Correct it"},
		{"sts", 400, "Throttling", "Rate exceeded", "set max_retries higher"},
		{"sts", 403, "AccountProblem", "no", "AWS Support"},
		{"sts", 418, "NobodyKnows", "no", "Check the profile, the role to assume"},

		{"ec2", 403, "UnauthorizedOperation", "You are not authorized to perform this operation.",
			"The credentials need ec2:"},
		{"ec2", 403, "UnauthorizedOperation", "Encoded authorization failure message: x",
			"aws sts decode-authorization-message"},
		{"ec2", 403, "UnauthorizedOperation", who + "ec2:CreateTags with an explicit deny in a service " +
			"control policy", org},
		{"ec2", 403, "UnauthorizedOperation", who + "ec2:CreateTags because no service control policy " +
			"allows the ec2:CreateTags action", org},
		{"ec2", 403, "UnauthorizedOperation", who + "ec2:CreateTags with an explicit deny in an " +
			"identity-based policy", "Change that policy. " + boost},
		{"ec2", 403, "UnauthorizedOperation", who + "ec2:CreateTags because no permissions boundary " +
			"allows the ec2:CreateTags action", "Allow it there too"},
		{"ec2", 403, "UnauthorizedOperation", who + "ec2:CreateTags because no session policy allows " +
			"the ec2:CreateTags action", "Allow it in policy or policy_arns of assume_role"},
		{"ec2", 400, "RequestExpired", "Request has expired.", expired},
		{"ec2", 401, "AuthFailure", "AWS was not able to validate the provided access credentials",
			"The region eu-west-1 is not enabled"},
		{"ec2", 401, "OptInRequired", "You are not subscribed to this service.", "Enable it, or remove"},
		{"ec2", 400, "Blocked", "This account is currently blocked", "Open a case with AWS Support"},
		{"ec2", 400, "PendingVerification", "Your account is being verified", "Open a case with AWS"},
		{"ec2", 503, "RequestLimitExceeded", "Request limit exceeded.", "set max_retries higher"},
		{"ec2", 400, "TagPolicyViolation", "The tag policy does not allow", "Change the tags"},
		{"ec2", 400, "InvalidSnapshot.NotFound", "no", "is not in eu-west-1"},
		{"ec2", 400, "InvalidAMIAttributeItemValue", "Invalid attribute item value \"123\" for userId",
			"Check their ids"},
		{"ec2", 400, "InvalidParameter", "Snapshots encrypted with the AWS Managed CMK can't be shared.",
			"Build the image with a KMS key"},
		{"ec2", 400, "OperationNotPermitted", "You can't publicly share this image because block " +
			"public access for AMIs is enabled for this account.", "turn that block off"},

		{"ssm", 400, "AccessDeniedException", who + "ssm:PutParameter", "The credentials need ssm:"},
		{"ssm", 400, "AccessDeniedException", who + "kms:Decrypt", "on the KMS key"},
		{"ssm", 400, "UnrecognizedClientException", "no", "The region eu-west-1 is not enabled"},
		{"ssm", 400, "ParameterLimitExceeded", "no", "Delete some"},
		{"ssm", 400, "ParameterMaxVersionLimitExceeded", "no", "Move the label"},
		{"ssm", 400, "ParameterAlreadyExists", "no", "Run the build again"},
		{"ssm", 400, "HierarchyTypeMismatchException", "no", "with another type. Delete it"},
		{"ssm", 400, "UnsupportedParameterType", "no", "with another type. Delete it"},
		{"ssm", 400, "HierarchyLevelLimitExceededException", "no", "Use a shorter one"},
		{"ssm", 400, "ParameterPatternMismatchException", "no", "exists with a pattern"},
		{"ssm", 400, "TooManyUpdates", "no", "Run it again"},
		{"ssm", 400, "ThrottlingException", "no", "set max_retries higher"},

		{"read", 403, "AccessDenied", "Access Denied",
			"need s3:GetObject on the object and s3:ListBucket"},
		{"create", 403, "AccessDenied", "Access Denied",
			"need s3:PutObject on the object. With a KMS key"},
		{"replace", 403, "AccessDenied", "Access Denied",
			"s3:GetObject because the write has a condition"},
		{"read", 403, "AccessDenied", who + "s3:GetObject with an explicit deny in a resource-based " +
			"policy", "refuses the request explicitly. Change that policy. " + boost},
		{"write", 403, "AccessDenied", who + "s3:PutObject with an explicit deny in a resource-based " +
			"policy", "set encryption, kms_key_id or acl in registry_access. " + boost},
		{"s3", 403, "AccessDenied", who + "s3:GetObject with an explicit deny in a resource control " +
			"policy", "A resource control policy of the organization refuses s3:"},
		{"s3", 403, "AccessDenied", who + "s3:GetObject because no VPC endpoint policy allows it",
			"The policy of the VPC endpoint does not allow s3:"},
		{"s3", 403, "AccessDenied", who + "s3:GetObject because no resource-based policy allows it",
			"Its policy has to allow s3:"},
		{"s3", 403, "AccessDenied", who + "kms:GenerateDataKey on resource: key/x because no " +
			"identity-based policy allows the kms:GenerateDataKey action",
			"need kms:Decrypt and kms:GenerateDataKey on the KMS key that the message names"},
		{"s3", 403, "RequestTimeTooSkewed", "no", clock},
		{"s3", 400, "ExpiredToken", "The provided token has expired.", expired},
		{"s3", 400, "TokenRefreshRequired", "no", expired},
		{"s3", 403, "AllAccessDisabled", "All access to this object has been disabled", "AWS Support"},
		{"s3", 403, "NotSignedUp", "no", "AWS Support"},
		{"s3", 403, "InvalidAccessKeyId", "no", "Check the key, and that it belongs to this store"},
		{"s3", 403, "SignatureDoesNotMatch", "no", "Check the secret key, and whether a proxy"},
		{"s3", 400, "InvalidToken", "The provided token is malformed or otherwise invalid.",
			"Get new credentials"},
		{"s3", 400, "AuthorizationHeaderMalformed", "the region 'us-east-1' is wrong; expecting " +
			"'eu-west-1'", "The bucket is in eu-west-1. Set region in registry_access"},
		{"s3", 400, "AuthorizationHeaderMalformed", "a non-empty Access Key (AKID) must be provided",
			"The access key is empty or has a wrong form. Check it"},
		{"s3", 301, "PermanentRedirect", "no", "is in another region. Set region in registry_access"},
		{"s3", 400, "IllegalLocationConstraintException", "no", "Set region in registry_access"},
		{"s3", 404, "NoSuchBucket", "no", "Create the bucket, or check its name"},
		{"s3", 400, "InvalidBucketName", "no", "Check the bucket in registry"},
		{"s3", 405, "MethodNotAllowed", "no", "Check the endpoint and use_path_style"},
		{"read", 403, "InvalidObjectState", "The operation is not valid for the object's storage class",
			"Restore it, and exclude the registry from the rule"},
		{"write", 400, "InvalidRequest", "Content-MD5 OR x-amz-checksum- HTTP header is required for " +
			"Put Object requests with Object Lock parameters", "Use a bucket without Object Lock"},
		{"write", 400, "AccessControlListNotSupported", "The bucket does not allow ACLs",
			"Remove acl from registry_access"},
		{"s3", 400, "KMS.DisabledException", "key/x is disabled.", "Enable it, or cancel the deletion"},
		{"s3", 400, "KMS.KMSInvalidStateException", "key/x is pending deletion.", "cancel the deletion"},
		{"s3", 400, "KMS.NotFoundException", "Key 'key/x' does not exist", "Check kms_key_id"},
		{"write", 400, "InvalidEncryptionAlgorithmError", "no", "Change encryption in registry_access"},
		{"write", 400, "XAmzContentSHA256Mismatch", "no", "Check whether a proxy changes requests"},
		{"s3", 503, "SlowDown", "Please reduce your request rate.", "Run it again when fewer builds run"},
	}
}
