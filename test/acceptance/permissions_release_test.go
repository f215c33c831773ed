// SPDX-License-Identifier: MPL-2.0

package acceptance

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/packer-chain/packer-plugin-chain/test/lab/emulator"
)

// delivery has a promotion do all that it can do.
const delivery = `tags = { Release = var.to[0] }
    share { accounts = [var.account] }
    ssm_parameter { name = "/images/{image}/{channel}" }
    ` + ownKeys

// releaseLab has an image, a policy of README.md, and the template that needs it.
func releaseLab(t *testing.T, name, heading, template string) (*lab, emulator.Policy) {
	t.Helper()
	l, _ := restrictedLab(t)
	policy, err := emulator.ReadPolicy(root+"/README.md", heading)
	l.check(err)
	l.write(name+"/"+name+".pkr.hcl", template)
	l.commit("add " + name)
	l.as("builder", emulator.Everything)
	l.mustBuild("base")
	l.check(l.aws.Enforce(t.Context(), false))
	return l, policy
}

// set sets variables of the templates.
func (l *lab) set(pairs ...string) {
	for _, pair := range pairs {
		l.packer = l.packer.With("PKR_VAR_" + pair)
	}
}

// without runs a template with the policy less one action, and wants an error that names it.
func (l *lab) without(policy emulator.Policy, action, folder string, want ...string) {
	l.t.Helper()
	l.t.Log("without " + action)
	l.as("without-"+strings.ReplaceAll(action, ":", "-"), policy.Without(action))
	result := wantCode(l.t, 1, l.build(folder))
	if strings.HasPrefix(action, "ec2:") {
		want = append(want, action+" is not allowed")
	}
	wantOutput(l.t, result, append(want, action)...)
	l.check(l.aws.Enforce(l.t.Context(), false))
}

// with runs a template with the whole policy.
func (l *lab) with(policy emulator.Policy, name, folder string, want ...string) {
	l.t.Helper()
	l.as(name, policy)
	wantOutput(l.t, l.mustBuild(folder), want...)
	l.check(l.aws.Enforce(l.t.Context(), false))
}

// wantActions wants the policy to have these actions.
func wantActions(t *testing.T, policy emulator.Policy, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, policy.Actions()); diff != "" {
		t.Fatalf("README.md prints other actions than are tested here: %s", diff)
	}
}

// TestAccPermissions_promote promotes with exactly the policy of README.md, and then with each action
// missing, but for s3:ListBucket: without it the emulator says of an object that it does not exist.
func TestAccPermissions_promote(t *testing.T) {
	t.Parallel()
	text := strings.Replace(restricted(t, "promote", "# parent options", "# post-processor options"),
		"allow_rollback = var.allow_rollback\n    "+ownKeys, "allow_rollback = var.allow_rollback\n    "+delivery, 1)
	l, policy := releaseLab(t, "promote", "To promote", text+"variable \"account\" {}\n")
	wantActions(t, policy, "ec2:CreateTags", "ec2:DescribeImageAttribute", "ec2:DescribeImages", "ec2:DescribeSnapshotAttribute",
		"ec2:ModifyImageAttribute", "ec2:ModifySnapshotAttribute", "s3:GetObject", "s3:ListBucket", "s3:PutObject",
		"ssm:GetParameter", "ssm:PutParameter")
	l.set("account=222222222222", `to=["production"]`)
	for _, run := range []string{"promoter", "promoter-again"} {
		l.with(policy, run, "promote", "channel production ")
	}
	parameter, err := l.aws.Parameter(t.Context(), region, "/images/base/production")
	l.check(err)
	if images := l.images(region); len(images) != 1 || images[0].ID != parameter || images[0].Tags["Release"] != "production" {
		t.Errorf("the parameter is %q: %v", parameter, images)
	}
	for i, tt := range []struct {
		action string
		moves  bool
		want   []string
	}{
		{"s3:GetObject", false, []string{"resolve image base: read s3://acme-images/chain/base/", "access denied"}},
		{"s3:PutObject", false, []string{"promote base: move channel ", "access denied"}},
		{"ec2:DescribeImages", false, []string{"find ami-", "is not allowed"}},
		{"ec2:CreateTags", false, []string{"promote base: tag ami-", "is not allowed"}},
		{"ec2:DescribeImageAttribute", false, []string{"promote base: share ami-", "is not allowed"}},
		{"ec2:ModifyImageAttribute", false, []string{"promote base: share ami-", "is not allowed"}},
		{"ec2:DescribeSnapshotAttribute", false, []string{"promote base: share snap-", "is not allowed"}},
		{"ec2:ModifySnapshotAttribute", false, []string{"promote base: share snap-", "is not allowed"}},
		{"ssm:GetParameter", true, []string{"promote base: write parameter /images/base/", "is not allowed"}},
		{"ssm:PutParameter", true, []string{"promote base: write parameter /images/base/", "is not allowed"}},
	} {
		channel := "without-" + strings.ToLower(strings.ReplaceAll(tt.action, ":", "-"))
		l.set(`to=["`+channel+`"]`, "account=33333333333"+string(rune('0'+i)))
		l.without(policy, tt.action, "promote", tt.want...)
		if moved := l.objects()["chain/base/channels/"+channel+".json"] != nil; moved != tt.moves {
			t.Errorf("without %s: the channel moved: %t", tt.action, moved)
		}
		l.with(policy, "again-"+channel, "promote", "channel "+channel, "/images/base/"+channel+" = ami-")
	}
	if len(l.images(region)) != 1 {
		t.Error("a promotion has baked an AMI")
	}
}

// TestAccPermissions_revoke revokes and restores with exactly the policy of README.md, and with each
// action missing. What is cut off is finished by the next run.
func TestAccPermissions_revoke(t *testing.T) {
	t.Parallel()
	l, policy := releaseLab(t, "revoke", "To revoke", restricted(t, "revoke", "# parent options", "# post-processor options"))
	wantActions(t, policy, "ec2:CreateTags", "ec2:DeleteTags", "ec2:DescribeImages", "ec2:DisableImage", "ec2:DisableImageDeprecation",
		"ec2:EnableImage", "ec2:EnableImageDeprecation", "s3:GetObject", "s3:ListBucket", "s3:PutObject")
	old := l.images(region)[0].ID
	fingerprint, _, _ := strings.Cut(l.keys("base/builds/")[0], ".")
	l.write("base/notes.txt", "2\n")
	l.commit("change")
	l.with(emulator.Everything, "builder-again", "base")
	l.set("fingerprint=" + fingerprint)
	state := func(want string) {
		t.Helper()
		got, err := l.aws.State(t.Context(), region, old)
		l.check(err)
		if got != want {
			t.Errorf("%s is %s, want %s", old, got, want)
		}
	}
	l.set("ec2=deprecate")
	l.without(policy, "s3:GetObject", "revoke", "resolve image base: read s3://acme-images/chain/base/")
	l.without(policy, "ec2:DescribeImages", "revoke", "find ami-")
	l.without(policy, "s3:ListBucket", "revoke", "revoke base: find out which channels point at it: ")
	l.without(policy, "s3:PutObject", "revoke", "revoke base: ", "access denied")
	l.without(policy, "ec2:CreateTags", "revoke", "revoke base: tag ami-")
	l.without(policy, "ec2:EnableImageDeprecation", "revoke", "revoke base: deprecate ami-")
	state("available")
	l.with(policy, "deprecate", "revoke", old+": tagged, deprecated")
	state("deprecated")
	l.set("ec2=disable")
	l.without(policy, "ec2:DisableImage", "revoke", "revoke base: disable ami-")
	l.with(policy, "disable", "revoke", old+": tagged, disabled")
	state("disabled")
	l.with(policy, "disable-again", "revoke", old+": tagged, disabled")
	l.set("restore=true")
	l.without(policy, "ec2:EnableImage", "revoke", "restore base: enable ami-")
	state("disabled")
	l.without(policy, "ec2:DisableImageDeprecation", "revoke", "restore base: remove the deprecation of ami-")
	l.without(policy, "ec2:DeleteTags", "revoke", "restore base: untag ami-")
	l.with(policy, "restore", "revoke", "base is restored", old+": untagged")
	state("available")
	l.with(policy, "restore-again", "revoke", "base was not revoked")
}
