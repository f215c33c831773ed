// SPDX-License-Identifier: MPL-2.0

package awserror

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/processcreds"
	"github.com/aws/aws-sdk-go-v2/credentials/ssocreds"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/packer-chain/packer-plugin-chain/internal/awserror/awserrortest"
)

// parts are the kinds that awserrortest names.
var parts = map[string][]Kind{
	"sts": {Credentials}, "ec2": {EC2}, "ssm": {SSM}, "read": {Read}, "create": {Create},
	"replace": {Replace}, "write": {Create, Replace}, "s3": {Read, Create, Replace},
}

var names = map[Kind]string{EC2: "ec2:CreateTags", SSM: "ssm:PutParameter"}

// answered is what the SDK makes of a response.
func answered(status int, err error) error {
	response := &smithyhttp.Response{Response: &http.Response{StatusCode: status}}
	return &smithy.OperationError{ServiceID: "Any", OperationName: "Call",
		Err: &smithyhttp.ResponseError{Response: response, Err: err}}
}

func unsent(err error) error {
	return &smithyhttp.RequestSendError{Err: fmt.Errorf("Get \"https://example.com\": %w", err)}
}

type timeout struct{ error }

func (timeout) Timeout() bool { return true }

// codeless are errors that have no code, by what the advice has.
var codeless = []struct {
	of   Kind
	err  error
	want string
}{
	{Credentials, config.SharedConfigProfileNotExistError{Profile: "x"}, `The profile "x" does not exist. Check profile and AWS_PROFILE,`},
	{Credentials, config.AssumeRoleTokenProviderNotSetError{}, "Get credentials with it before Packer runs"},
	{Credentials, &processcreds.ProviderError{Err: errors.New("exit status 1")}, "Run that command in a shell"},
	{Credentials, &ssocreds.InvalidTokenError{}, "Run aws sso login"},
	{Credentials, errors.New("refresh cached SSO token failed"), "Run aws sso login"},
	{Credentials, errors.New("login session has expired, please reauthenticate"), "Run aws login"},
	{Credentials, errors.New("failed to retrieve jwt from provide source, unable to read file at /x"),
		"Check AWS_WEB_IDENTITY_TOKEN_FILE"},
	{Credentials, &smithy.OperationError{ServiceID: "ec2imds", Err: &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}},
		"set the hop limit of the instance's metadata service to 2"},
	{Credentials, &smithy.OperationError{ServiceID: "STS", Err: &smithy.OperationError{ServiceID: "ec2imds", Err: errors.New("x")}},
		"Set profile, AWS_PROFILE or AWS_ACCESS_KEY_ID"},
	{Credentials, &fs.PathError{Op: "open", Path: "/x", Err: syscall.ENOENT}, "AWS_CA_BUNDLE"},
	{Credentials, errors.New("x"), "Check the profile, the role to assume"},

	{EC2, unsent(errors.New(http.StatusText(http.StatusProxyAuthRequired))), "Set HTTPS_PROXY to http://NAME:PASSWORD@HOST:PORT"},
	{Read, answered(407, errors.New("x")), "Set HTTPS_PROXY to http://NAME:PASSWORD@HOST:PORT"},
	{Read, unsent(x509.HostnameError{Certificate: &x509.Certificate{}}), "Check the endpoint, and use_path_style"},
	{EC2, unsent(x509.CertificateInvalidError{Reason: x509.Expired}), "Set the clock, or renew the certificate"},
	{EC2, unsent(&tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}), "Set AWS_CA_BUNDLE"},
	{EC2, unsent(&net.DNSError{IsNotFound: true}), "Check the region and the endpoint"},
	{Read, unsent(&net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}), "Check the endpoint, and HTTPS_PROXY"},
	{Read, unsent(errors.New("connectex: No connection could be made because the target machine actively refused it.")),
		"Check the endpoint, and HTTPS_PROXY"},
	{Create, unsent(&net.OpError{Op: "dial", Err: timeout{errors.New("i/o timeout")}}), "Check the firewall, and the endpoint"},
	{EC2, &smithy.OperationError{ServiceID: "EC2", Err: &smithy.OperationError{ServiceID: "STS",
		Err: &smithy.GenericAPIError{Code: "AccessDenied"}}}, "does not trust these credentials"},
	{EC2, answered(403, &smithy.DeserializationError{Err: errors.New("x")}), "whether a proxy or a login page answers for it"},
	{EC2, answered(403, &smithy.GenericAPIError{Code: "UnknownError"}), "whether a proxy or a login page answers for it"},
	{Read, answered(403, errors.New("x")), "need s3:GetObject"},
	{Read, answered(301, &smithy.GenericAPIError{Code: "MovedPermanently"}), "Set region in registry_access"},
	{Read, answered(404, errors.New("x")), ""},
	{EC2, errors.New("x"), ""},
	{Replace, &smithy.GenericAPIError{Code: "PreconditionFailed"}, ""},
}

// TestAdvice goes over all rows of the table: each is needed by an error here.
func TestAdvice(t *testing.T) {
	used := make([]bool, len(table))
	check := func(kind Kind, err error, want string) {
		t.Helper()
		request := Request{Kind: kind, Action: names[kind], Region: "eu-west-1"}
		if strings.Contains(want, "another region") {
			request.Region = ""
		}
		got := request.Advice(fmt.Errorf("call: %w", err))
		if !strings.Contains(got, want) || (got == "") != (want == "") {
			t.Errorf("%v: got %q, want %q", err, got, want)
		}
		if strings.ContainsAny(got, "{}") || strings.Contains(got, "  ") || strings.HasSuffix(got, " ") {
			t.Errorf("%v: %q has words left out", err, got)
		}
		if InCredentials(err) {
			kind = Credentials
		}
		for i, row := range table {
			if row.matches(kind, err) {
				used[i] = true
				break
			}
		}
	}
	for _, r := range awserrortest.Responses() {
		for _, kind := range parts[r.Of] {
			check(kind, answered(r.Status, &smithy.GenericAPIError{Code: r.Code, Message: r.Message}), r.Want)
		}
	}
	for _, c := range codeless {
		check(c.of, c.err, c.want)
	}
	for i, row := range table {
		if !used[i] {
			t.Errorf("no error needs the row %q %q: %s", row.code, row.says, row.advice)
		}
	}
}

// TestAdvice_says: each advice names something that a user can do, in whole sentences.
func TestAdvice_says(t *testing.T) {
	does := regexp.MustCompile(`(^|[.:;,] |, and |, or )` +
		`(Allow|Ask|Build|Change|Check|check|compare|Compare|Correct|Create|Delete|Enable|Get|Move|Open|Remove|Restore|` +
		`Run|run|Set|set|Share|Shorten|Turn|Use|use) |need s3:|need kms:|need \{action\}|has to allow|does not trust`)
	for _, row := range table {
		if !does.MatchString(row.advice) {
			t.Errorf("%q names nothing to do", row.advice)
		}
		if !strings.HasSuffix(row.advice, ".") && !strings.HasSuffix(row.advice, "{owner}") {
			t.Errorf("%q is no whole sentence", row.advice)
		}
	}
}

func TestAdvice_owner(t *testing.T) {
	err := answered(403, &smithy.GenericAPIError{Code: "AccessDenied"})
	const owner = "The bucket must belong to the account of expected_bucket_owner."
	for _, named := range []bool{true, false} {
		got := Request{Kind: Create, Owner: named}.Advice(err)
		if strings.HasSuffix(got, " "+owner) != named {
			t.Errorf("owner %v: got %q", named, got)
		}
	}
}

func TestDenied(t *testing.T) {
	for code, want := range map[string]bool{
		"AccessDenied": true, "AccessDeniedException": true, "UnauthorizedOperation": true,
		"Throttling": false, "": false,
	} {
		if got := Denied(answered(403, &smithy.GenericAPIError{Code: code})); got != want {
			t.Errorf("%q: denied is %v", code, got)
		}
	}
}
