// SPDX-License-Identifier: MPL-2.0

package ami

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/packer-chain/packer-plugin-chain/internal/ami/amitest"
)

const (
	organization = "arn:aws:organizations::111111111111:organization/o-abcdefghij"
	unit         = "arn:aws:organizations::111111111111:ou/o-abcdefghij/ou-abcd-11111111"
)

// launch expects that an image is shared with these accounts and no more.
func launch(id string, accounts ...string) amitest.Step {
	want := []string{"ImageId", id}
	for i, account := range append(accounts, "") {
		want = append(want, "LaunchPermission.Add."+string(rune('1'+i))+".UserId", account)
	}
	step := amitest.Done("ModifyImageAttribute", want...)
	step.Absent = []string{"LaunchPermission.Remove.1.UserId", "LaunchPermission.Add.1.Group"}
	return step
}

// volume expects that a snapshot is shared with these accounts and no more.
func volume(id string, accounts ...string) amitest.Step {
	want := []string{"SnapshotId", id}
	for i, account := range append(accounts, "") {
		want = append(want, "CreateVolumePermission.Add."+string(rune('1'+i))+".UserId", account)
	}
	step := amitest.Done("ModifySnapshotAttribute", want...)
	step.Absent = []string{"CreateVolumePermission.Remove.1.UserId", "CreateVolumePermission.Add.1.Group"}
	return step
}

func TestClient_Share(t *testing.T) {
	const one, two, snap = "111111111111", "222222222222", "snap-0a1b2c3d"
	image := Image{ID: idA, Owner: "123456789012", Snapshots: []string{snap}}
	both := Permission{Accounts: []string{two, one, two}}
	for name, tt := range map[string]struct {
		images []Image
		with   Permission
		steps  []amitest.Step
	}{
		"at once": {steps: []amitest.Step{
			amitest.LaunchPermission(idA), launch(idA, one, two), amitest.VolumePermission(snap), volume(snap, one, two),
			amitest.LaunchPermission(idA, two, one), amitest.VolumePermission(snap, one, two)}},
		"has it already": {steps: []amitest.Step{
			amitest.LaunchPermission(idA, "all", one, two, "333333333333"), amitest.VolumePermission(snap, two, one)}},
		"one of two accounts has it": {steps: []amitest.Step{
			amitest.LaunchPermission(idA, one), launch(idA, two), amitest.VolumePermission(snap, one, two),
			amitest.LaunchPermission(idA, one, two)}},
		"only the snapshot lacks it": {steps: []amitest.Step{
			amitest.LaunchPermission(idA, one, two), amitest.VolumePermission(snap, one), volume(snap, two),
			amitest.VolumePermission(snap, one, two)}},
		"organizations have no snapshots": {with: Permission{Organizations: []string{unit, organization}}, steps: []amitest.Step{
			amitest.LaunchPermission(idA),
			amitest.Done("ModifyImageAttribute", "ImageId", idA, "LaunchPermission.Add.1.OrganizationArn", organization,
				"LaunchPermission.Add.2.OrganizationalUnitArn", unit, "LaunchPermission.Add.1.UserId", "", "LaunchPermission.Add.3.UserId", ""),
			amitest.LaunchPermission(idA, organization, unit)}},
		"an organization has it already": {with: Permission{Organizations: []string{unit, organization}},
			steps: []amitest.Step{amitest.LaunchPermission(idA, unit, organization)}},
		"the owner needs none": {with: Permission{Accounts: []string{"123456789012"}}},
		"nobody":               {with: Permission{Accounts: []string{}}},
		"no image":             {images: []Image{}},
		"two images": {images: []Image{{ID: idA}, {ID: idB}}, steps: []amitest.Step{
			amitest.LaunchPermission(idA), launch(idA, one, two), amitest.LaunchPermission(idB), launch(idB, one, two),
			amitest.LaunchPermission(idA, one, two), amitest.LaunchPermission(idB, one, two)}},
		"throttled": {images: []Image{{ID: idA}}, steps: []amitest.Step{
			amitest.Throttled().On("DescribeImageAttribute"), amitest.LaunchPermission(idA),
			amitest.Throttled().On("ModifyImageAttribute"), launch(idA, one, two),
			amitest.Throttled().On("DescribeImageAttribute"), amitest.LaunchPermission(idA, one, two)}},
		"not known yet": {images: []Image{{ID: idA}}, steps: []amitest.Step{
			amitest.NotFound().On("DescribeImageAttribute"), amitest.LaunchPermission(idA),
			amitest.NotFound().On("ModifyImageAttribute"), launch(idA, one, two), amitest.LaunchPermission(idA, one, two)}},
		"not shown yet": {images: []Image{{ID: idA}}, steps: []amitest.Step{
			amitest.LaunchPermission(idA), launch(idA, one, two), amitest.LaunchPermission(idA),
			amitest.LaunchPermission(idA, one), amitest.LaunchPermission(idA, one, two)}},
	} {
		t.Run(name, func(t *testing.T) {
			if tt.images == nil {
				tt.images = []Image{image}
			}
			if tt.with.Accounts == nil && tt.with.Organizations == nil {
				tt.with = both
			}
			synctest.Test(t, func(t *testing.T) {
				c, _ := script(t, tt.steps...)
				if err := c.Share(t.Context(), "eu-west-1", tt.images, tt.with); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

func TestClient_Share_refused(t *testing.T) {
	const one, snap = "111111111111", "snap-0a1b2c3d"
	const where = "share " + idA + " in eu-west-1: "
	refused := func(action, code, message string) amitest.Step {
		return amitest.Refuse(400, code, message).On(action)
	}
	written := []amitest.Step{amitest.LaunchPermission(idA)}
	for name, tt := range map[string]struct {
		state string
		steps []amitest.Step
		want  []string
	}{
		"read denied": {steps: []amitest.Step{refused("DescribeImageAttribute", "UnauthorizedOperation", "no")},
			want: []string{where + "ec2:DescribeImageAttribute is not allowed", "need ec2:DescribeImageAttribute in eu-west-1"}},
		"write denied": {steps: append(written, refused("ModifyImageAttribute", "UnauthorizedOperation", "no")),
			want: []string{where + "ec2:ModifyImageAttribute is not allowed", "need ec2:ModifyImageAttribute in eu-west-1"}},
		"read of a snapshot denied": {steps: []amitest.Step{amitest.LaunchPermission(idA, one),
			refused("DescribeSnapshotAttribute", "UnauthorizedOperation", "no")},
			want: []string{"share " + snap + " in eu-west-1: ec2:DescribeSnapshotAttribute is not allowed"}},
		"write of a snapshot denied": {steps: []amitest.Step{amitest.LaunchPermission(idA, one), amitest.VolumePermission(snap),
			refused("ModifySnapshotAttribute", "UnauthorizedOperation", "no")},
			want: []string{"share " + snap + " in eu-west-1: ec2:ModifySnapshotAttribute is not allowed"}},
		"no such account": {steps: append(written, refused("ModifyImageAttribute", "InvalidAMIAttributeItemValue", "Invalid attribute item value")),
			want: []string{where, "Invalid attribute item value", "\n\nEC2 does not know all of these, or does not accept them: 111111111111. Check accounts"}},
		"another account's": {steps: []amitest.Step{refused("DescribeImageAttribute", "AuthFailure", "Not authorized for image:"+idA)},
			want: []string{where, "\n\nIt belongs to another account, and only that account can change it."}},
		"Marketplace": {steps: append(written, refused("ModifyImageAttribute", "OperationNotPermitted", "Image has a product code")),
			want: []string{where, "\n\nEC2 does not allow sharing this. An image that is built on one of AWS Marketplace"}},
		"default key": {steps: append(written, refused("ModifyImageAttribute", "InvalidParameter",
			"Snapshots encrypted with the AWS Managed CMK can't be shared. Specify another snapshot.")),
			want: []string{where, "\n\nA snapshot that is encrypted with the account's default key", "kms_key_id"}},
		"default key of a snapshot": {steps: []amitest.Step{amitest.LaunchPermission(idA, one), amitest.VolumePermission(snap),
			refused("ModifySnapshotAttribute", "OperationNotPermitted", "Encrypted snapshots with EBS default key cannot be shared")},
			want: []string{"share " + snap + " in eu-west-1: ", "\n\nA snapshot that is encrypted with the account's default key"}},
		"something else": {steps: append(written, refused("ModifyImageAttribute", "OperationNotPermitted", "the moon")),
			want: []string{where, "OperationNotPermitted: the moon"}},
		"disabled": {state: "disabled", want: []string{where + "it is disabled, and EC2 shares no disabled AMI"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, _ := script(t, tt.steps...)
				image := Image{ID: idA, Owner: "123456789012", State: tt.state, Snapshots: []string{snap}}
				err := c.Share(t.Context(), "eu-west-1", []Image{image}, Permission{Accounts: []string{one}})
				for _, want := range tt.want {
					if err == nil || !strings.Contains(err.Error(), want) {
						t.Errorf("got %v\nwant %q in it", err, want)
					}
				}
			})
		})
	}
}

func TestClient_Share_deadline(t *testing.T) {
	for name, tt := range map[string]struct {
		steps []amitest.Step
		want  string
	}{
		"never shown": {steps: append([]amitest.Step{amitest.LaunchPermission(idA), launch(idA, "111111111111")},
			amitest.Times(6, amitest.LaunchPermission(idA))...),
			want: "EC2 accepted it, but still shows no permission for 111111111111"},
		"always busy": {steps: append([]amitest.Step{amitest.LaunchPermission(idA)},
			amitest.Times(6, amitest.Throttled().On("ModifyImageAttribute"))...), want: "RequestLimitExceeded"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, log := script(t, tt.steps...)
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				defer cancel()
				err := c.Share(ctx, "eu-west-1", []Image{{ID: idA}}, Permission{Accounts: []string{"111111111111"}})
				if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), tt.want) ||
					!strings.HasPrefix(err.Error(), "share "+idA+" in eu-west-1: gave up after 10s: ") {
					t.Errorf("got %v, want %q in it", err, tt.want)
				}
				if len(log.notes) == 0 || !strings.Contains(log.notes[0], idA+" in eu-west-1: ") {
					t.Errorf("it said %q", log.notes)
				}
			})
		})
	}
}
