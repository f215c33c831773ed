// SPDX-License-Identifier: MPL-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"github.com/packer-chain/packer-plugin-chain/internal/access"
	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
	"github.com/packer-chain/packer-plugin-chain/internal/registry"
	"github.com/packer-chain/packer-plugin-chain/test/lab/emulator"
	"github.com/packer-chain/packer-plugin-chain/test/lab/program"
)

const (
	permittedRegion = "eu-west-1"
	permittedBucket = "acme-images"
)

// promisePermissions publishes and resolves an image with exactly the policy that README.md prints, in an
// account that enforces it; and then with each action taken away, which must give an error that names it.
func promisePermissions(ctx context.Context, _ *Run) (Result, error) {
	result := Result{Note: "s3:ListBucket is not in it: the emulator does not need it, see TestS3_denied"}
	if _, err := program.Moto(ctx); err != nil {
		return result, fmt.Errorf("%w: %w", errNoTool, err)
	}
	policy, err := printedPolicy()
	if err != nil {
		return result, err
	}
	aws, err := emulator.Start(io.Discard)
	if err != nil {
		return result, err
	}
	defer func() { _ = aws.Stop() }()
	if err := aws.CreateBucket(ctx, permittedBucket); err != nil {
		return result, err
	}
	var broken []error
	for _, less := range append([]string{""}, policy.Actions()...) {
		if less == "s3:ListBucket" {
			continue
		}
		result.Tried++
		if err := tryPolicy(ctx, aws, policy, less); err != nil {
			result.Lost++
			broken = append(broken, err)
		}
	}
	return result, errors.Join(broken...)
}

// printedPolicy is that of README.md.
func printedPolicy() (emulator.Policy, error) {
	root, err := repository()
	if err != nil {
		return emulator.Policy{}, err
	}
	return emulator.ReadPolicy(filepath.Join(root, "README.md"))
}

// tryPolicy works as a user who has all of the policy but less, which may be empty.
func tryPolicy(ctx context.Context, aws *emulator.AWS, policy emulator.Policy, less string) error {
	if err := aws.Enforce(ctx, false); err != nil {
		return err
	}
	name := "without-" + strings.ReplaceAll(less, ":", "-")
	id, err := aws.CreateImage(ctx, permittedRegion, name)
	if err != nil {
		return err
	}
	user, err := aws.CreateUser(ctx, name, policy.Without(less))
	if err != nil {
		return err
	}
	if err := aws.Enforce(ctx, true); err != nil {
		return err
	}
	err = publishAs(ctx, &access.Config{
		Region: permittedRegion, AccessKey: user.AccessKey, SecretKey: user.SecretKey, CustomEndpointEc2: aws.Endpoint,
		RegistryAccess: &access.RegistryAccess{Endpoint: aws.Endpoint, UsePathStyle: true},
	}, strings.ToLower(name), id)
	switch {
	case less == "" && err != nil:
		return fmt.Errorf("the policy of README.md is not enough: %w", err)
	case less != "" && err == nil:
		return fmt.Errorf("%s is not needed", less)
	case less != "" && !strings.Contains(err.Error(), less):
		return fmt.Errorf("without %s the error does not name it: %w", less, err)
	}
	return nil
}

// publishAs tags an AMI, publishes it, and resolves it again.
func publishAs(ctx context.Context, options *access.Config, image, id string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	conn := access.Open(ctx, options, "s3://"+permittedBucket+"/chain", nil)
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
	if err := images.Tag(ctx, permittedRegion, []string{id}, map[string]string{"chain:image": image}); err != nil {
		return err
	}
	fingerprint := strings.Repeat("1", 64)
	stored, err := reg.Publish(ctx, []manifest.Entry{{
		Name: "image", BuilderType: "amazon-ebs", PackerRunUUID: "run", BuildTime: time.Now().Unix(),
		ArtifactID: permittedRegion + ":" + id,
		Images:     []manifest.Image{{Provider: manifest.ProviderAWS, Region: permittedRegion, ID: id}},
	}}, manifest.Chain{Image: image, Fingerprint: fingerprint})
	if err != nil {
		return err
	}
	to := registry.Target{Fingerprint: fingerprint, ManifestSeq: stored.Manifest.Chain.Seq, ManifestSHA256: stored.SHA256}
	if _, err := reg.Move(ctx, image, "latest", to, registry.Always, "torture"); err != nil {
		return err
	}
	ref, err := reg.Ref(ctx, image, "latest")
	if err != nil {
		return err
	}
	if _, err := reg.Follow(ctx, ref); err != nil {
		return err
	}
	there, err := images.Lookup(ctx, map[string][]string{permittedRegion: {id}}, nil)
	if err == nil && len(there) != 1 {
		err = fmt.Errorf("find %s: it is not there", id)
	}
	return err
}
