// SPDX-License-Identifier: MPL-2.0

package emulator

import (
	"context"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// User is the access key of an IAM user.
type User struct {
	AccessKey string `xml:"AccessKeyId"`
	SecretKey string `xml:"SecretAccessKey"`
}

// CreateUser makes a user who may do what the policy says, once [AWS.Enforce] is called.
func (a *AWS) CreateUser(ctx context.Context, name string, policy Policy) (User, error) {
	document, err := policy.JSON()
	if err != nil {
		return User{}, fmt.Errorf("create user %s: %w", name, err)
	}
	var key struct {
		User User `xml:"CreateAccessKeyResult>AccessKey"`
	}
	for _, request := range []url.Values{
		{"Action": {"CreateUser"}},
		{"Action": {"PutUserPolicy"}, "PolicyName": {"all"}, "PolicyDocument": {document}},
		{"Action": {"CreateAccessKey"}},
	} {
		request.Set("UserName", name)
		if err := a.iam(ctx, request, &key); err != nil {
			return User{}, fmt.Errorf("create user %s: %s: %w", name, request.Get("Action"), err)
		}
	}
	return key.User, nil
}

// iam makes one request that is not signed: permissions are not enforced while users are made.
func (a *AWS) iam(ctx context.Context, request url.Values, answer any) error {
	request.Set("Version", "2010-05-08")
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, a.Endpoint, strings.NewReader(request.Encode()))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	// moto tells services apart by the scope of the signature.
	req.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/iam/aws4_request, "+
		"SignedHeaders=host, Signature=0")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", res.Status, body)
	}
	return xml.Unmarshal(body, answer)
}

// Enforce makes the emulator check the permissions of every request from now on, or of none. While it
// does, the credentials of [AWS.Env] are not valid.
func (a *AWS) Enforce(ctx context.Context, on bool) error {
	without := "inf"
	if on {
		without = "0"
	}
	return a.post(ctx, "/moto-api/reset-auth", without)
}
