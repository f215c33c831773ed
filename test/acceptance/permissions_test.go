// SPDX-License-Identifier: MPL-2.0

package acceptance

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/packer-chain/packer-plugin-chain/test/lab/emulator"
)

// ownKeys are options of every component of the plugin. The Amazon plugin takes its credentials,
// those of an administrator, from the environment.
const ownKeys = "access_key = var.access_key\n  secret_key = var.secret_key"

// restricted is a template with keys for the plugin, in the place of these comments.
func restricted(t *testing.T, name string, comments ...string) string {
	t.Helper()
	var texts []string
	for _, comment := range comments {
		texts = append(texts, comment, ownKeys)
	}
	return template(t, name, texts...) +
		"\nvariable \"access_key\" {}\nvariable \"secret_key\" { sensitive = true }\n"
}

// restrictedLab has a base and a child, and an account that enforces permissions.
func restrictedLab(t *testing.T) (*lab, emulator.Policy) {
	t.Helper()
	l := newLab(t, restricted(t, "ami", "# image options", "# post-processor options"))
	l.write("app/app.pkr.hcl", restricted(t, "child",
		"# parent options", "# image options", "# post-processor options"))
	l.commit("add the child")
	policy, err := emulator.ReadPolicy(root+"/README.md", "To build")
	l.check(err)
	admin, err := l.aws.CreateUser(t.Context(), "admin", emulator.Everything)
	l.check(err)
	l.packer = l.packer.With(
		"AWS_ACCESS_KEY_ID="+admin.AccessKey, "AWS_SECRET_ACCESS_KEY="+admin.SecretKey)
	return l, policy
}

// as gives the plugin the keys of a new user, and enforces permissions from then on.
func (l *lab) as(name string, policy emulator.Policy) {
	l.t.Helper()
	l.check(l.aws.Enforce(l.t.Context(), false))
	user, err := l.aws.CreateUser(l.t.Context(), name, policy)
	l.check(err)
	l.packer = l.packer.With(
		"PKR_VAR_access_key="+user.AccessKey, "PKR_VAR_secret_key="+user.SecretKey)
	l.check(l.aws.Enforce(l.t.Context(), true))
}

// TestAccPermissions builds a chain with exactly the actions of the policy in README.md.
func TestAccPermissions(t *testing.T) {
	t.Parallel()
	l, policy := restrictedLab(t)
	want := []string{
		"ec2:CreateTags", "ec2:DescribeImages", "s3:GetObject", "s3:ListBucket", "s3:PutObject"}
	if diff := cmp.Diff(want, policy.Actions()); diff != "" {
		t.Fatalf("README.md prints other actions than are tested here: %s", diff)
	}
	l.as("plugin", policy)
	for _, folder := range []string{"base", "app"} {
		wantOutput(t, l.mustBuild(folder), "first build of ", "channel latest -> ")
		wantOutput(t, l.mustBuild(folder), "unchanged: nothing is built")
	}
	l.check(l.aws.Enforce(t.Context(), false))
	l.wantImages(2, l.mustBuild("app"))
	for _, image := range l.images(region) {
		if image.Tags["chain:manifest"] == "" {
			t.Errorf("%s is not tagged: %v", image.Name, image.Tags)
		}
	}

	l.as("blind", policy.Without("ec2:DescribeImages"))
	wantOutput(t, wantCode(t, 1, l.build("app")),
		"resolve image base: find ami-", "ec2:DescribeImages is not allowed")
}

// TestAccPermissions_less takes each action away, and wants an error that names it. That of
// s3:ListBucket is tested beside the data sources: the emulator does not need it.
func TestAccPermissions_less(t *testing.T) {
	t.Parallel()
	l, policy := restrictedLab(t)
	built := 0
	const notPublished = "The manifest is not published."
	for _, tt := range []struct {
		action string
		// built is true if the image is built, and then cannot be published.
		built bool
		want  []string
	}{
		{"s3:GetObject", false, []string{
			"find image base: read s3://acme-images/chain/base/", "access denied"}},
		{"s3:PutObject", true, []string{
			"publish base: ", "access denied", notPublished, "Packer keeps the image "}},
		{"ec2:CreateTags", true, []string{
			"tag ami-", " in " + region + ": ec2:CreateTags is not allowed", notPublished}},
		{"ec2:DescribeImages", true, []string{
			"find ami-", " in " + region + ": ec2:DescribeImages is not allowed", notPublished}},
	} {
		t.Log("without " + tt.action)
		l.write("base/notes.txt", tt.action+"\n")
		l.commit("without " + tt.action)
		l.as("without-"+strings.ReplaceAll(tt.action, ":", "-"), policy.Without(tt.action))
		result := wantCode(t, 1, l.build("base"))
		wantOutput(t, result, append(tt.want, tt.action)...)
		if tt.built {
			built++
		}
		l.check(l.aws.Enforce(t.Context(), false))
		l.wantImages(built, result)

		l.as("again-"+strings.ReplaceAll(tt.action, ":", "-"), policy)
		again := l.mustBuild("base")
		if tt.built {
			wantOutput(t, again,
				"built by an earlier run that could not publish it", "channel latest -> ")
		} else {
			built++
		}
		l.check(l.aws.Enforce(t.Context(), false))
		l.wantImages(built, again)
	}
}
