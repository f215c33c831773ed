// SPDX-License-Identifier: MPL-2.0

package emulator

import (
	"context"
	"fmt"
	"net/url"
)

// User is the access key of an IAM user.
type User struct {
	AccessKey string `xml:"AccessKeyId"`
	SecretKey string `xml:"SecretAccessKey"`
}

// CreateUser makes a user whose permissions are the policy, once [AWS.Enforce] is called.
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
		request.Set("Version", "2010-05-08")
		if err := a.Query(ctx, "iam", "us-east-1", request, &key); err != nil {
			return User{}, fmt.Errorf("create user %s: %w", name, err)
		}
	}
	return key.User, nil
}

// Enforce makes the emulator check the permissions of every request from now on, or of none. While
// it checks them, the credentials of [AWS.Env] are not valid.
func (a *AWS) Enforce(ctx context.Context, on bool) error {
	without := "inf"
	if on {
		without = "0"
	}
	_, err := a.post(ctx, "/moto-api/reset-auth", without, nil)
	return err
}
