// SPDX-License-Identifier: MPL-2.0

package awserror

import (
	"crypto/tls"
	"crypto/x509"
	"io/fs"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/processcreds"
	"github.com/aws/aws-sdk-go-v2/credentials/ssocreds"
	"github.com/aws/smithy-go"
)

// denials are the codes for a lack of permission. The message often says which policy it was
// ("Troubleshoot access denied error messages", IAM user guide).
const denials = "AccessDenied AccessDeniedException UnauthorizedOperation"

const (
	expired = "The credentials have expired (or the clock of this machine is wrong). Get new " +
		"ones and run the build again."
	clock = "The clock of this machine is wrong by minutes. Set it, and run the build again."

	roleDenied = "The role does not exist, or does not trust these credentials, or they lack " +
		"sts:AssumeRole on it. A role that demands an external id gives the same error when " +
		"external_id is missing or wrong."
	tokenDenied = "The role does not exist, or its trust policy does not fit this job: compare the " +
		"conditions on the subject and the audience with the token of the CI system. In GitHub, the " +
		"subject of a job with an environment names that and not the branch, and the one of a pull " +
		"request names neither."
	noLogin = "The SSO session has expired, or the role is not assigned to this user. Run aws sso " +
		"login, and then the build again."
	noCredentials = "No AWS credentials were found in the template, the environment or the shared " +
		"files, and this machine has no instance role. Set profile, AWS_PROFILE or " +
		"AWS_ACCESS_KEY_ID. In a container on an instance that has a role, set the hop limit of the " +
		"instance's metadata service to 2."

	need = "The credentials need {action} in {region}. A policy of the organization can refuse it too."
	// Not only the object can be encrypted: EC2 and SSM use keys too.
	needKey = "The credentials need kms:Decrypt and kms:GenerateDataKey on the KMS key that the " +
		"message names, in their own policy and, if the key is of another account, in its policy."
	needMore    = " With a KMS key they also need kms:Decrypt and kms:GenerateDataKey on it.{owner}"
	otherPolicy = " To give more rights to the credentials does not help."

	notKnown = "AWS does not know these credentials. Check the access key, the secret key and " +
		"the token."
	notKnownThere = "The region {region} is not enabled for this account or does not exist, or the " +
		"credentials are not valid there. Enable the region, or check the credentials."
	notAWS = "The response is not one of AWS, or not whole. Check the endpoint, and whether a proxy " +
		"or a login page answers for it."
	notSupported = "AWS refuses the account itself. Open a case with AWS Support."
	busy         = "The account sends more requests than AWS takes. Run it again when fewer builds " +
		"run, or set max_retries higher."
)

// table: the first row that matches counts. The codes are those of "Error responses" (Amazon S3 API
// reference), "Error codes for the Amazon EC2 API", the API references of STS, SSO and SSM, and of
// the SDK's own errors.
var table = []row{
	// Credentials and their files.
	{of: all, is: as[config.SharedConfigProfileNotExistError],
		advice: "The profile \"{profile}\" does not exist. Check profile and AWS_PROFILE, and the " +
			"files that AWS_CONFIG_FILE and AWS_SHARED_CREDENTIALS_FILE name."},
	{of: all, is: as[config.AssumeRoleTokenProviderNotSetError],
		advice: "The profile has mfa_serial, and nobody can be asked for the code. Get credentials " +
			"with it before Packer runs (aws sts get-session-token or assume-role), and set " +
			"AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN."},
	{of: all, is: as[*processcreds.ProviderError],
		advice: "The credential_process of the profile failed. Run that command in a shell to see " +
			"why."},
	{of: all, is: as[*ssocreds.InvalidTokenError],
		advice: noLogin},
	// Only a token of the old form has an error type; see the SDK's package ssocreds.
	{of: all, says: "SSO token",
		advice: noLogin},
	{of: all, says: "please reauthenticate",
		advice: "The login has expired. Run aws login, and then the build again."},
	{of: all, says: "failed to retrieve jwt",
		advice: "The file with the token of the CI system or the cluster cannot be read. Check " +
			"AWS_WEB_IDENTITY_TOKEN_FILE, or web_identity_token_file of the profile."},
	{of: Credentials, is: fromInstance,
		advice: noCredentials},
	{of: Credentials, is: as[*fs.PathError],
		advice: "Check the file, and what names it: AWS_CA_BUNDLE, or ca_bundle of the profile."},

	// The way to AWS.
	{of: all, is: proxyRefused,
		advice: "A proxy demands a name and a password. Set HTTPS_PROXY to " +
			"http://NAME:PASSWORD@HOST:PORT, or name in NO_PROXY what needs no proxy."},
	{of: all, is: as[x509.HostnameError],
		advice: "The certificate is of another host. Check the endpoint, and use_path_style."},
	{of: all, is: as[x509.CertificateInvalidError],
		advice: "The certificate has expired, or the clock of this machine is wrong. Set the clock, " +
			"or renew the certificate of the endpoint."},
	{of: all, is: as[*tls.CertificateVerificationError],
		advice: "This machine does not trust who signed the certificate: a proxy may inspect what is " +
			"sent, or the endpoint has a certificate of the company. Set AWS_CA_BUNDLE to a file with " +
			"the certificate of whoever signed it."},
	{of: all, is: noSuchHost,
		advice: "The host does not exist. Check the region and the endpoint. If only a proxy knows " +
			"it, set HTTPS_PROXY."},
	{of: all, is: refusedConnection,
		advice: "Nothing listens there. Check the endpoint, and HTTPS_PROXY if that names the " +
			"address."},
	{of: all, is: silentHost,
		advice: "Nothing responds there. Check the firewall, and the endpoint. If only a proxy " +
			"reaches it, set HTTPS_PROXY; in a VPC without internet access, add a VPC endpoint."},

	{of: Credentials | EC2 | SSM, is: as[*smithy.DeserializationError],
		advice: notAWS},
	{of: Credentials | EC2 | SSM, code: "UnknownError",
		advice: notAWS},

	// Expired, and wrong clocks.
	{of: Credentials, code: "ExpiredTokenException", says: "AssumeRoleWithWebIdentity",
		advice: "The token of the CI system has expired: such a token is valid for minutes. Get a " +
			"new one shortly before Packer runs."},
	{of: all, code: "SignatureDoesNotMatch", says: "Signature expired",
		advice: clock},
	{of: all, code: "SignatureDoesNotMatch", says: "Signature not yet current",
		advice: clock},
	{of: all, code: "RequestTimeTooSkewed",
		advice: clock},
	{of: all, code: "ExpiredToken ExpiredTokenException RequestExpired TokenRefreshRequired",
		advice: expired},

	// Policies that no right of the credentials overrules, by the message.
	{of: all, code: denials, says: "service control policy",
		advice: "A service control policy of the organization does not allow {action} to this " +
			"account. Ask whoever manages the organization." + otherPolicy},
	{of: all, code: denials, says: "resource control policy",
		advice: "A resource control policy of the organization refuses {action}. Ask whoever manages " +
			"the organization." + otherPolicy},
	{of: all, code: denials, says: "VPC endpoint policy",
		advice: "The policy of the VPC endpoint does not allow {action}. Allow it there." + otherPolicy},
	{of: all, code: denials, says: "permissions boundary",
		advice: "The permissions boundary of the user or role does not allow what the message names. " +
			"Allow it there too."},
	{of: all, code: denials, says: "session policy",
		advice: "The session policy does not allow what the message names. Allow it in policy or " +
			"policy_arns of assume_role, or wherever the credentials came from."},

	// Credentials.
	{of: Credentials, code: denials, says: "AssumeRoleWithWebIdentity",
		advice: tokenDenied},
	{of: Credentials, code: denials,
		advice: roleDenied},
	{of: Credentials, code: "InvalidClientTokenId UnrecognizedClientException SignatureDoesNotMatch",
		advice: notKnown},
	{of: Credentials, code: "UnauthorizedException ForbiddenException InvalidGrantException " +
		"InvalidClientException UnauthorizedClientException",
		advice: noLogin},
	{of: Credentials, code: "InvalidIdentityToken",
		advice: "The account of the role has no OpenID Connect provider for this CI system, or does " +
			"not accept the token. Compare the address and the audiences of the provider (IAM, Identity " +
			"providers) with those of the token. Check the account in the ARN of the role too."},
	{of: Credentials, code: "IDPRejectedClaim",
		advice: "The identity provider refused the token, or has revoked it. Get a new one, and run " +
			"the build again."},
	{of: Credentials, code: "IDPCommunicationError",
		advice: "AWS did not reach the identity provider that issued the token. Run the build again. " +
			"If it lasts, check that the provider can be reached from the internet."},
	{of: Credentials, code: "RegionDisabledException",
		advice: "STS is turned off in this region for the account. Turn it on (IAM, Account " +
			"settings), or set another region."},
	{of: Credentials, code: "ValidationError", says: "DurationSeconds",
		advice: "Set duration_seconds of assume_role to at most what the role allows, or raise that " +
			"limit. A role that was assumed with another role lasts at most 3600 seconds."},
	{of: Credentials, code: "PackedPolicyTooLarge",
		advice: "policy, policy_arns and tags of assume_role are too large together. Shorten them."},
	{of: Credentials, code: "MalformedPolicyDocument",
		advice: "policy of assume_role is not a valid policy. Correct it."},

	// Rights.
	{of: bucket | SSM | EC2, code: denials, says: "kms:",
		advice: needKey},
	{of: write, code: denials, says: "explicit deny",
		advice: "A policy of the bucket or of the organization refuses the write explicitly. If it " +
			"demands encryption, a KMS key or an ACL, set encryption, kms_key_id or acl in " +
			"registry_access." + otherPolicy},
	{of: Read, code: denials, says: "explicit deny",
		advice: "A policy of the bucket or of the organization refuses the request explicitly. " +
			"Change that policy." + otherPolicy},
	{of: EC2 | SSM, code: denials, says: "explicit deny",
		advice: "A policy refuses {action} in {region} explicitly. Change that policy." + otherPolicy},
	{of: bucket, code: denials, says: "no resource-based policy",
		advice: "The bucket is of another account. Its policy has to allow {action} to these " +
			"credentials too.{owner}"},
	{of: EC2, code: denials, says: "Encoded authorization failure",
		advice: need + " To read the reason that AWS has encoded, run aws sts " +
			"decode-authorization-message."},
	{of: EC2 | SSM, code: denials,
		advice: need},

	// Regions and accounts.
	{of: EC2 | SSM, code: "InvalidClientTokenId UnrecognizedClientException AuthFailure",
		advice: notKnownThere},
	{of: EC2 | SSM, code: "OptInRequired",
		advice: "The region {region} is not enabled for this account or does not exist. Enable it, " +
			"or remove it from the template."},
	{of: all, code: "Blocked PendingVerification AccountProblem NotSignedUp AllAccessDisabled",
		advice: notSupported},
	{of: Credentials | EC2 | SSM, code: "RequestLimitExceeded Throttling ThrottlingException",
		advice: busy},

	// EC2.
	{of: EC2, code: "TagPolicyViolation",
		advice: "A tag policy of the organization refuses the tags. Change the tags, or the policy."},
	{of: EC2, code: "InvalidAMIID.NotFound InvalidAMIID.Unavailable InvalidSnapshot.NotFound",
		advice: "It was deleted, is not in {region}, or is not visible to these credentials. Check " +
			"region, profile and assume_role; if it is gone, build the image again."},
	{of: EC2, code: "InvalidAMIAttributeItemValue",
		advice: "One of the accounts to share with does not exist. Check their ids."},
	{of: EC2, code: "InvalidParameter", says: "AWS Managed CMK",
		advice: "What is encrypted with the default key of EBS cannot be shared. Build the image " +
			"with a KMS key that the other accounts may use."},
	{of: EC2, code: "OperationNotPermitted", says: "block public access",
		advice: "The account blocks public AMIs in {region}. Share the image with accounts, or turn " +
			"that block off."},

	// SSM Parameter Store.
	{of: SSM, code: "ParameterLimitExceeded",
		advice: "The account has as many parameters in {region} as AWS allows. Delete some, or ask " +
			"AWS for more (Service Quotas)."},
	{of: SSM, code: "ParameterMaxVersionLimitExceeded",
		advice: "The oldest version of the parameter has a label, so AWS does not delete it for a " +
			"new one. Move the label to a newer version."},
	{of: SSM, code: "ParameterAlreadyExists",
		advice: "Somebody else has just created the parameter. Run the build again."},
	{of: SSM, code: "HierarchyTypeMismatchException UnsupportedParameterType",
		advice: "The parameter exists with another type. Delete it, or use another name."},
	{of: SSM, code: "HierarchyLevelLimitExceededException",
		advice: "The name of a parameter has at most 15 levels. Use a shorter one."},
	{of: SSM, code: "ParameterPatternMismatchException",
		advice: "The parameter exists with a pattern that an AMI does not match. Delete it, or use " +
			"another name."},
	{of: SSM, code: "TooManyUpdates",
		advice: "Others change the parameter at the same time. Run it again."},

	// Buckets: keys of the credentials.
	{of: bucket, code: "InvalidAccessKeyId",
		advice: "The store does not know the access key. Check the key, and that it belongs to this " +
			"store."},
	{of: bucket, code: "SignatureDoesNotMatch",
		advice: "The store does not accept the signature. Check the secret key, and whether a proxy " +
			"changes requests."},
	{of: bucket, code: "InvalidToken",
		advice: "The session token is not valid here. Get new credentials. If the region of the " +
			"bucket has to be enabled for each account, get them from STS in that region."},
	{of: bucket, code: "AuthorizationHeaderMalformed", says: "expecting",
		advice: wrongRegion},
	{of: bucket, code: "AuthorizationHeaderMalformed",
		advice: "The access key is empty or has a wrong form. Check it."},

	// Buckets: name, region and settings.
	{of: bucket, code: "PermanentRedirect TemporaryRedirect Redirect " +
		"IllegalLocationConstraintException",
		advice: wrongRegion},
	{of: bucket, is: hasStatus(301, 302, 303, 307, 308),
		advice: wrongRegion},
	{of: bucket, code: "NoSuchBucket",
		advice: "Create the bucket, or check its name, the endpoint and use_path_style."},
	{of: bucket, code: "InvalidBucketName",
		advice: "Check the bucket in registry: the store does not accept such a name."},
	{of: bucket, code: "MethodNotAllowed",
		advice: "This address is not that of the S3 API. Check the endpoint and use_path_style: the " +
			"website of a bucket, for example, only shows pages."},
	{of: bucket, code: "InvalidObjectState",
		advice: "A lifecycle rule has archived the object. Restore it, and exclude the registry from " +
			"the rule."},
	{of: write, code: "InvalidRequest", says: "Object Lock",
		advice: "The bucket has Object Lock, which demands a checksum that is only sent to Amazon " +
			"S3. Use a bucket without Object Lock."},
	{of: write, code: "AccessControlListNotSupported",
		advice: "The bucket has ACLs turned off. Remove acl from registry_access, or set it to " +
			"bucket-owner-full-control."},

	// Buckets: encryption.
	{of: bucket, code: "KMS.DisabledException KMS.KMSInvalidStateException",
		advice: "The KMS key is disabled or about to be deleted. Enable it, or cancel the deletion: " +
			"what it has encrypted cannot be read without it."},
	{of: bucket, code: "KMS.NotFoundException",
		advice: "The KMS key does not exist in the region of the bucket. Check kms_key_id, and the " +
			"default encryption of the bucket."},
	{of: write, code: "InvalidEncryptionAlgorithmError",
		advice: "The store does not know this encryption. Change encryption in registry_access, or " +
			"remove it."},

	// Buckets: requests that arrive changed, and too many of them.
	{of: write, code: "XAmzContentSHA256Mismatch BadDigest InvalidDigest",
		advice: "The request arrived changed. Check whether a proxy changes requests."},
	{of: bucket, code: "SlowDown",
		advice: "The store asks for fewer requests. Run it again when fewer builds run."},

	// Whatever else refuses a request, such as a store that is not from AWS.
	{of: Read, is: hasStatus(401, 403),
		advice: "The credentials need s3:GetObject on the object and s3:ListBucket on the bucket; " +
			"without s3:ListBucket S3 returns \"access denied\" for an object that does not exist." +
			needMore},
	{of: Create, is: hasStatus(401, 403),
		advice: "The credentials need s3:PutObject on the object." + needMore},
	{of: Replace, is: hasStatus(401, 403),
		advice: "The credentials need s3:PutObject on the object, and s3:GetObject because the write " +
			"has a condition." + needMore},
	{of: Credentials,
		advice: "Check the profile, the role to assume and the AWS_… environment variables."},
}

const wrongRegion = "The bucket is in {region}. Set region in registry_access to that of the " +
	"bucket."
