// SPDX-License-Identifier: MPL-2.0

package torture

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/packer-chain/packer-plugin-chain/internal/access"
	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
	"github.com/packer-chain/packer-plugin-chain/internal/registry"
	"github.com/packer-chain/packer-plugin-chain/test/lab/emulator"
)

const permittedRegion = "eu-west-1"

// TestPermissions publishes and resolves an image with exactly the policy that README.md prints, in
// an account that enforces it, and then without each action, which must give an error that names
// it.
func TestPermissions(t *testing.T) {
	ctx, n := begin(t)
	n.note = "s3:ListBucket is left out: the emulator does not need it, see TestS3_denied"
	aws := startAWS(ctx, t)
	policy, err := emulator.ReadPolicy("../../README.md", "To build")
	if err != nil {
		t.Fatal(err)
	}
	if err := aws.CreateBucket(ctx, bucket); err != nil {
		t.Fatal(err)
	}
	n.try(t, "whole policy", func(t *testing.T) {
		if err := publishAs(ctx, t, aws, policy, "whole-policy"); err != nil {
			t.Errorf("the policy of README.md is not enough: %v", err)
		}
	})
	for _, less := range policy.Actions() {
		if less == "s3:ListBucket" {
			continue
		}
		n.try(t, "without "+less, func(t *testing.T) {
			name := "without-" + strings.ReplaceAll(less, ":", "-")
			err := publishAs(ctx, t, aws, policy.Without(less), name)
			if err == nil {
				t.Errorf("%s is not needed", less)
			} else if !strings.Contains(err.Error(), less) {
				t.Errorf("the error does not name %s: %v", less, err)
			}
		})
	}
}

// publishAs tags an AMI, publishes it, and resolves it again, as a user who has the policy.
func publishAs(
	ctx context.Context, t *testing.T, aws *emulator.AWS, policy emulator.Policy, name string,
) error {
	t.Helper()
	var id string
	var user emulator.User
	err := aws.Enforce(ctx, false)
	if err == nil {
		id, err = aws.CreateImage(ctx, permittedRegion, name)
	}
	if err == nil {
		user, err = aws.CreateUser(ctx, name, policy)
	}
	if err == nil {
		err = aws.Enforce(ctx, true)
	}
	if err != nil {
		t.Fatal(err)
	}
	return publishAndResolve(ctx, &access.Config{
		Region: permittedRegion, AccessKey: user.AccessKey, SecretKey: user.SecretKey,
		CustomEndpointEc2: aws.Endpoint,
		RegistryAccess:    &access.RegistryAccess{Endpoint: aws.Endpoint, UsePathStyle: true},
	}, strings.ToLower(name), id)
}

func publishAndResolve(ctx context.Context, options *access.Config, image, id string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	conn := access.Open(ctx, options, "s3://"+bucket+"/chain", nil)
	images, err := conn.EC2()
	if err != nil {
		return err
	}
	reg, err := conn.Registry()
	if err != nil {
		return err
	}
	if _, err := images.Await(ctx, permittedRegion, []string{id}); err != nil {
		return err
	}
	tags := map[string]string{"chain:image": image}
	if err := images.Tag(ctx, permittedRegion, []string{id}, tags); err != nil {
		return err
	}
	fingerprint := strings.Repeat("1", 64)
	facts := manifest.Facts{Image: image, Fingerprint: fingerprint}
	stored, err := reg.Publish(ctx, facts, []manifest.Entry{{
		Name: "image", BuilderType: "amazon-ebs", PackerRunUUID: "run", BuildTime: time.Now().Unix(),
		ArtifactID: permittedRegion + ":" + id,
		Images:     []manifest.Image{{Provider: manifest.ProviderAWS, Region: permittedRegion, ID: id}},
	}}, nil)
	if err != nil {
		return err
	}
	to := registry.TargetOf(fingerprint, stored.Manifest.Current())
	to.DecidedAt = reg.Now()
	for _, name := range []registry.Name{mainLine, forward} {
		request := registry.Request{Image: image, Name: name, To: to, Stored: stored, Change: manifest.Change{By: "torture"}}
		if _, err := reg.Move(ctx, request, nil); err != nil {
			return err
		}
	}
	return resolveLatest(ctx, images, reg, image, id)
}

// resolveLatest follows the channel latest, and looks up the AMI.
func resolveLatest(
	ctx context.Context, images access.EC2, reg *registry.Registry, image, id string,
) error {
	latest, err := reg.Pointer(ctx, image, forward)
	if err != nil {
		return err
	}
	if _, err := reg.Follow(ctx, latest, latest.Moves[0]); err != nil {
		return err
	}
	found, err := images.Lookup(ctx, map[string][]string{permittedRegion: {id}}, nil)
	if err == nil && len(found) != 1 {
		err = fmt.Errorf("find %s: it does not exist", id)
	}
	return err
}
