// SPDX-License-Identifier: MPL-2.0

package emulator_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/packer-chain/packer-plugin-chain/internal/ami"
	"github.com/packer-chain/packer-plugin-chain/test/lab/emulator"
)

const (
	region  = "eu-west-1"
	account = "111111111111"
	unit    = "arn:aws:organizations::111111111111:ou/o-abcdefghij/ou-abcd-11111111"
)

func start(t *testing.T) *emulator.AWS {
	t.Helper()
	account, err := emulator.Start(io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := account.Stop(); err != nil {
			t.Error(err)
		}
	})
	return account
}

func keys(access, secret string) aws.CredentialsProvider {
	return credentials.NewStaticCredentialsProvider(access, secret, "")
}

func client(a *emulator.AWS, keys aws.CredentialsProvider) *ami.Client {
	return ami.New(aws.Config{Credentials: keys, RetryMaxAttempts: 1}, ami.Options{Endpoint: a.Endpoint})
}

func image(t *testing.T, a *emulator.AWS, c *ami.Client) ami.Image {
	t.Helper()
	id, err := a.CreateImage(t.Context(), region, "base")
	if err != nil {
		t.Fatal(err)
	}
	img, err := c.Get(t.Context(), region, id)
	if err != nil {
		t.Fatal(err)
	}
	return img
}

// TestImages does to an AMI what is done after its build. Each step reads back what it did.
func TestImages(t *testing.T) {
	t.Parallel()
	a := start(t)
	c := client(a, keys("test", "test"))
	img := image(t, a, c)
	if len(img.Snapshots) != 1 || img.RootSnapshot != img.Snapshots[0] {
		t.Errorf("got root snapshot %q of %q", img.RootSnapshot, img.Snapshots)
	}
	with := ami.Permission{Accounts: []string{account}, Organizations: []string{unit}}
	share := func(c *ami.Client, ctx context.Context) error {
		return c.Share(ctx, region, []ami.Image{img}, with)
	}
	both := []string{img.ID, img.RootSnapshot}
	for _, step := range []struct {
		name string
		run  func(*ami.Client, context.Context) error
		// want is what is true of the image afterwards.
		want func(ami.Image) bool
	}{
		{"share", share, func(ami.Image) bool { return sharedWith(t, a, img.ID) == account+" "+unit }},
		{"share again", share, func(ami.Image) bool { return sharedWith(t, a, img.ID) == account+" "+unit }},
		{"tag", func(c *ami.Client, ctx context.Context) error {
			return c.Tag(ctx, region, both, map[string]string{"chain:revoked": "leaked", "env": "prod"})
		}, func(i ami.Image) bool { return len(i.Tags) == 2 }},
		{"untag", func(c *ami.Client, ctx context.Context) error { return c.Untag(ctx, region, both, "chain:revoked") },
			func(i ami.Image) bool { return len(i.Tags) == 1 && i.Tags["env"] == "prod" }},
		{"deprecate now", func(c *ami.Client, ctx context.Context) error { return c.Deprecate(ctx, region, img.ID, time.Now()) },
			func(i ami.Image) bool { return i.Deprecated(time.Now().Add(2 * time.Minute)) }},
		{"deprecate later", func(c *ami.Client, ctx context.Context) error {
			return c.Deprecate(ctx, region, img.ID, time.Date(2100, 1, 1, 0, 0, 29, 0, time.UTC))
		}, func(i ami.Image) bool { return i.DeprecatedAt.Equal(time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)) }},
		{"not deprecated", func(c *ami.Client, ctx context.Context) error {
			return c.Deprecate(ctx, region, img.ID, time.Time{})
		}, func(i ami.Image) bool { return i.DeprecatedAt.IsZero() }},
		{"disable", func(c *ami.Client, ctx context.Context) error { return c.Disable(ctx, region, img.ID) },
			func(i ami.Image) bool {
				return ami.Problem(i) == "is disabled" && sharedWith(t, a, img.ID) == "" && !starts(t, a, img.ID)
			}},
		{"enable", func(c *ami.Client, ctx context.Context) error { return c.Enable(ctx, region, img.ID) },
			func(i ami.Image) bool { return ami.Problem(i) == "" && starts(t, a, img.ID) }},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		err := step.run(c, ctx)
		cancel()
		if err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		got, err := c.Get(t.Context(), region, img.ID)
		if err != nil || !step.want(got) {
			t.Errorf("%s: got %+v, %v, shared with %q", step.name, got, err, sharedWith(t, a, img.ID))
		}
	}
	out, err := a.EC2(region).DescribeSnapshotAttribute(t.Context(), &ec2.DescribeSnapshotAttributeInput{
		SnapshotId: &img.RootSnapshot, Attribute: types.SnapshotAttributeNameCreateVolumePermission})
	if err != nil || len(out.CreateVolumePermissions) != 1 || *out.CreateVolumePermissions[0].UserId != account {
		t.Errorf("the snapshot has %v, %v", out, err)
	}
}

func sharedWith(t *testing.T, a *emulator.AWS, id string) string {
	t.Helper()
	out, err := a.EC2(region).DescribeImageAttribute(t.Context(), &ec2.DescribeImageAttributeInput{
		ImageId: &id, Attribute: types.ImageAttributeNameLaunchPermission})
	if err != nil {
		t.Fatal(err)
	}
	var who []string
	for _, p := range out.LaunchPermissions {
		who = append(who, aws.ToString(p.UserId)+aws.ToString(p.OrganizationArn)+aws.ToString(p.OrganizationalUnitArn))
	}
	return strings.Join(who, " ")
}

// starts reports whether an instance can be started from an AMI, and whether EC2 shows the AMI to
// whoever does not ask for disabled ones: that is the same.
func starts(t *testing.T, a *emulator.AWS, id string) bool {
	t.Helper()
	_, err := a.EC2(region).RunInstances(t.Context(), &ec2.RunInstancesInput{
		ImageId: &id, MinCount: aws.Int32(1), MaxCount: aws.Int32(1)})
	images, listErr := a.Images(t.Context(), region)
	if listErr != nil {
		t.Fatal(listErr)
	}
	shown := slices.ContainsFunc(images, func(i emulator.Image) bool { return i.ID == id })
	if shown != (err == nil) {
		t.Errorf("EC2 shows it: %v; but starting it: %v", shown, err)
	}
	return shown
}

// TestImages_foreign: nobody can change an AMI of Amazon.
func TestImages_foreign(t *testing.T) {
	t.Parallel()
	a := start(t)
	c := client(a, keys("test", "test"))
	id, err := a.SourceAMI(t.Context(), region)
	if err != nil {
		t.Fatal(err)
	}
	img, err := c.Get(t.Context(), region, id)
	if err != nil {
		t.Fatal(err)
	}
	for name, err := range map[string]error{
		"share":     c.Share(t.Context(), region, []ami.Image{img}, ami.Permission{Accounts: []string{account}}),
		"disable":   c.Disable(t.Context(), region, id),
		"deprecate": c.Deprecate(t.Context(), region, id, time.Now()),
	} {
		want := name + " " + id + " in " + region + ": "
		if err == nil || !strings.HasPrefix(err.Error(), want) || !strings.Contains(err.Error(), "It belongs to another account") {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// TestPolicy takes every permission away from a user, one after another, and wants to read its name.
func TestPolicy(t *testing.T) {
	t.Parallel()
	a := start(t)
	img := image(t, a, client(a, keys("test", "test")))
	later := time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)
	steps := func(c *ami.Client, user aws.CredentialsProvider) error {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		for _, step := range []func() error{
			func() error {
				return c.Share(ctx, region, []ami.Image{img}, ami.Permission{Accounts: []string{account}})
			},
			func() error { return c.Tag(ctx, region, []string{img.ID}, map[string]string{"k": "v"}) },
			func() error { return c.Untag(ctx, region, []string{img.ID}, "k") },
			func() error { return c.Deprecate(ctx, region, img.ID, later) },
			func() error { return c.Deprecate(ctx, region, img.ID, time.Time{}) },
			func() error { return c.Disable(ctx, region, img.ID) },
			func() error { return c.Enable(ctx, region, img.ID) },
			func() error {
				_, err := ssm(ctx, a, region, user, "PutParameter", map[string]any{"Name": "/images/base", "Value": img.ID,
					"Type": "String", "DataType": "aws:ec2:image", "Overwrite": true})
				return err
			},
			func() error {
				body, err := ssm(ctx, a, region, user, "GetParameter", map[string]any{"Name": "/images/base"})
				if err == nil && (!strings.Contains(body, img.ID) || !strings.Contains(body, "aws:ec2:image")) {
					return fmt.Errorf("the parameter is %s", body)
				}
				return err
			},
			func() error {
				body, err := ssm(ctx, a, region, user, "GetParameters", map[string]any{"Names": []string{"/images/base"}})
				if err == nil && !strings.Contains(body, img.ID) {
					return fmt.Errorf("the parameters are %s", body)
				}
				return err
			},
		} {
			if err := step(); err != nil {
				return err
			}
		}
		return nil
	}
	all := emulator.Policy{Version: "2012-10-17", Statement: []emulator.Statement{{Effect: "Allow", Resource: []string{"*"}, Action: []string{
		"ec2:DescribeImages", "ec2:CreateTags", "ec2:DeleteTags", "ec2:DescribeImageAttribute", "ec2:ModifyImageAttribute",
		"ec2:DescribeSnapshotAttribute", "ec2:ModifySnapshotAttribute", "ec2:EnableImageDeprecation",
		"ec2:DisableImageDeprecation", "ec2:DisableImage", "ec2:EnableImage",
		"ssm:PutParameter", "ssm:GetParameter", "ssm:GetParameters"}}}}
	try := func(name string, policy emulator.Policy) error {
		t.Helper()
		if err := a.Enforce(t.Context(), false); err != nil {
			t.Fatal(err)
		}
		// Each starts from an image that is not shared with anybody.
		admin := client(a, keys("test", "test"))
		for _, reset := range []func() error{
			func() error { return admin.Disable(t.Context(), region, img.ID) },
			func() error { return admin.Enable(t.Context(), region, img.ID) },
			func() error { return admin.Deprecate(t.Context(), region, img.ID, time.Time{}) },
		} {
			if err := reset(); err != nil {
				t.Fatal(err)
			}
		}
		_, err := a.EC2(region).ModifySnapshotAttribute(t.Context(), &ec2.ModifySnapshotAttributeInput{
			SnapshotId: &img.RootSnapshot, CreateVolumePermission: &types.CreateVolumePermissionModifications{
				Remove: []types.CreateVolumePermission{{UserId: aws.String(account)}}}})
		if err != nil {
			t.Fatal(err)
		}
		user, err := a.CreateUser(t.Context(), name, policy)
		if err != nil {
			t.Fatal(err)
		}
		if err := a.Enforce(t.Context(), true); err != nil {
			t.Fatal(err)
		}
		provider := keys(user.AccessKey, user.SecretKey)
		return steps(client(a, provider), provider)
	}
	if err := try("all", all); err != nil {
		t.Fatal(err)
	}
	for i, action := range all.Actions() {
		err := try(fmt.Sprint("user", i), all.Without(action))
		if err == nil || !strings.Contains(err.Error(), action) {
			t.Errorf("without %s: got %v", action, err)
		}
	}
}

// TestParameters: a parameter exists in one region only.
func TestParameters(t *testing.T) {
	t.Parallel()
	a := start(t)
	user := keys("test", "test")
	put := func(region, value string) {
		_, err := ssm(t.Context(), a, region, user, "PutParameter", map[string]any{
			"Name": "/images/base", "Value": value, "Type": "String", "DataType": "aws:ec2:image"})
		if err != nil {
			t.Fatal(err)
		}
	}
	put("eu-west-1", "ami-0a1b2c3d")
	if body, err := ssm(t.Context(), a, "eu-central-1", user, "GetParameter", map[string]any{"Name": "/images/base"}); err == nil ||
		!strings.Contains(err.Error(), "ParameterNotFound") {
		t.Errorf("in another region: got %s, %v", body, err)
	}
	put("eu-central-1", "ami-0b1b2c3d")
	for region, want := range map[string]string{"eu-west-1": "ami-0a1b2c3d", "eu-central-1": "ami-0b1b2c3d"} {
		body, err := ssm(t.Context(), a, region, user, "GetParameter", map[string]any{"Name": "/images/base"})
		if err != nil || !strings.Contains(body, want) {
			t.Errorf("%s: got %s, %v", region, body, err)
		}
	}
}

// ssm makes a signed request, and returns the body of the response.
func ssm(
	ctx context.Context, a *emulator.AWS, region string, keys aws.CredentialsProvider, action string, in any,
) (string, error) {
	text, err := json.Marshal(in)
	if err != nil {
		return "", err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, a.Endpoint+"/", bytes.NewReader(text))
	if err != nil {
		return "", err
	}
	req.Header.Set("Content-Type", "application/x-amz-json-1.1")
	req.Header.Set("X-Amz-Target", "AmazonSSM."+action)
	user, err := keys.Retrieve(ctx)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(text)
	err = v4.NewSigner().SignHTTP(ctx, user, req, hex.EncodeToString(sum[:]), "ssm", region, time.Now())
	if err != nil {
		return "", err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("ssm:%s: %s: %s", action, res.Status, body)
	}
	return string(body), err
}
