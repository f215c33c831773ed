// SPDX-License-Identifier: MPL-2.0

package acceptance

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// providerVariable names a folder with the AWS provider, as "terraform providers mirror" makes it,
// for machines that cannot reach the registry of Terraform. Elsewhere terraform init fetches it.
const providerVariable = "CHAIN_TERRAFORM_PROVIDERS"

// TestAccConsumers_owners checks that no AMI is looked up in example/terraform, or in a block of
// HCL on a page, without an owner: anybody can make an AMI of any name that the account sees.
func TestAccConsumers_owners(t *testing.T) {
	texts := files(t, filepath.Join(root, "example/terraform"), ".tf")
	for page, text := range files(t, filepath.Join(root, "docs"), ".md") {
		for _, match := range fence.FindAllStringSubmatch(text, -1) {
			texts[page] += match[1]
		}
	}
	lookups := 0
	for path, text := range texts {
		file, diags := hclsyntax.ParseConfig([]byte(text), path, hcl.InitialPos)
		if diags.HasErrors() {
			t.Errorf("%s: %v", path, diags)
			continue
		}
		for _, block := range file.Body.(*hclsyntax.Body).Blocks {
			if block.Type != "data" || !strings.Contains(block.Labels[0], "ami") {
				continue
			}
			lookups++
			if block.Body.Attributes["owners"] == nil {
				t.Errorf("%s: %v has no owners", path, block.Labels)
			}
		}
	}
	if lookups < 3 {
		t.Errorf("only %d lookups were found", lookups)
	}
}

// testTerraform plans example/terraform: each way to find the AMI, and each image that it refuses.
// Nothing is applied, so it does not show that EC2 resolves the parameter at a launch.
func testTerraform(t *testing.T, c *consumers) {
	tf := newTerraform(t)
	tf.env = append(tf.env, c.aws.Env(region)...)

	// After a rollback, the newest AMI with the tag is still the one that was left. Newer ones were
	// never promoted, or never published.
	c.must("rollback")
	c.make("chain:image=snowflake", "chain:manifest=s3://acme-images/a")
	c.make("chain:image=snowflake", "Release=production")
	for by, want := range map[string]planned{
		"parameter": {c.old, c.commits[0], "resolve:ssm:/images/snowflake/production", latest},
		"channel":   {c.old, c.commits[0], c.old, latest},
		"tag":       {c.current, c.commits[2], c.current, latest},
	} {
		if got := tf.mustPlan("by=" + by); got != want {
			t.Errorf("by %s, the plan has %+v, want %+v", by, got, want)
		}
	}

	// An ancestor that is no parent is in the document only.
	document := c.pointer("snowflake/channels/production").(map[string]any)
	document["ancestors"] = append(document["ancestors"].([]any), map[string]any{
		"image": "hardened", "amis": map[string]string{region + "/amazon-ebs.a": c.branch}})
	c.put(document)
	for _, ami := range []string{c.old, c.base, c.branch} {
		c.check(c.aws.Tag(t.Context(), region, ami, "chain:revoked", "CVE-2026-0001"))
	}
	const end = ", in production of snowflake."
	tf.refuses([]string{"Revoked: " + c.branch + ", " + c.old + ", " + c.base + end,
		c.old + " of snowflake is older than 1s."}, "by=channel", "max_age=1s")
	c.untag(c.old, "chain:revoked")
	tf.refuses([]string{"Revoked: " + c.base + end}, "by=parameter")

	// Whoever can write to the bucket cannot make it launch the AMI of another image or account.
	c.untag(c.base, "chain:manifest")
	c.point(c.base)
	tf.refuses([]string{c.base + " is not an AMI of snowflake.", c.base + " was never published."},
		"by=channel")
	foreign, err := c.aws.SourceAMI(t.Context(), region)
	c.check(err)
	c.point(foreign)
	tf.refuses([]string{"returned no results"}, "by=channel")
}

// make makes an AMI without Packer, with tags such as KEY=VALUE.
func (c *consumers) make(tags ...string) {
	c.t.Helper()
	id, err := c.aws.CreateImage(c.t.Context(), region, strings.Join(tags, " "))
	c.check(err)
	for _, tag := range tags {
		key, value, _ := strings.Cut(tag, "=")
		c.check(c.aws.Tag(c.t.Context(), region, id, key, value))
	}
}

// untag removes a tag of an AMI.
func (c *consumers) untag(ami, key string) {
	c.t.Helper()
	_, err := c.aws.EC2(region).DeleteTags(c.t.Context(), &ec2.DeleteTagsInput{
		Resources: []string{ami}, Tags: []types.Tag{{Key: aws.String(key)}}})
	c.check(err)
}

// point writes another AMI into the document of the channel production.
func (c *consumers) point(ami string) {
	c.t.Helper()
	document := c.pointer("snowflake/channels/production").(map[string]any)
	document["amis"] = map[string]string{region: ami}
	c.put(document)
}

// put writes the document of the channel production, as JSON, which the provider wants to know.
func (c *consumers) put(document map[string]any) {
	c.t.Helper()
	text, err := json.Marshal(document)
	c.check(err)
	_, err = c.aws.S3(region).PutObject(c.t.Context(), &s3.PutObjectInput{
		Bucket: aws.String(bucket), Key: aws.String("chain/snowflake/channels/production.json"),
		ContentType: aws.String("application/json"), Body: bytes.NewReader(text)})
	c.check(err)
}

// terraform is a copy of example/terraform that is initialized.
type terraform struct {
	t        *testing.T
	bin, dir string
	env      []string
}

// newTerraform skips the test on a machine that has no Terraform or OpenTofu, or cannot have the
// AWS provider. The files are well-formed even so: see TestAccConsumers_owners.
func newTerraform(t *testing.T) *terraform {
	t.Helper()
	tf := &terraform{t: t, dir: t.TempDir()}
	for _, name := range []string{"terraform", "tofu"} {
		if path, err := exec.LookPath(name); err == nil && tf.bin == "" {
			tf.bin = path
		}
	}
	if tf.bin == "" {
		t.Skip("terraform is missing, and tofu too: install one of them")
	}
	for path, text := range files(t, filepath.Join(root, "example/terraform"), ".tf") {
		path = filepath.Join(tf.dir, filepath.Base(path))
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	tf.env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + tf.dir, "CHECKPOINT_DISABLE=1",
		"TF_IN_AUTOMATION=1", "TF_INPUT=0", `TF_VAR_subnets=["subnet-0a1b2c3d4e5f60718"]`}
	init := []string{"init", "-no-color", "-backend=false"}
	folder := os.Getenv(providerVariable)
	if folder != "" {
		init = append(init, "-plugin-dir="+folder)
	}
	if out, code := tf.run(init...); code != 0 {
		if folder != "" {
			t.Fatalf("terraform init\n%s", out)
		}
		t.Skipf("the AWS provider cannot be had, and %s names none: %s", providerVariable, out)
	}
	if out, code := tf.run("fmt", "-check", "-diff"); code != 0 {
		t.Fatalf("terraform fmt\n%s", out)
	}
	return tf
}

// run runs terraform, and returns what it prints and its exit code.
func (tf *terraform) run(args ...string) (string, int) {
	tf.t.Helper()
	cmd := exec.CommandContext(tf.t.Context(), tf.bin, args...)
	cmd.Dir, cmd.Env = tf.dir, tf.env
	out, err := cmd.CombinedOutput()
	if err != nil && cmd.ProcessState == nil {
		tf.t.Fatal(err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// plan is a plan with some variables. It returns what it prints, without the frames of errors.
func (tf *terraform) plan(variables ...string) (string, int) {
	tf.t.Helper()
	args := []string{"plan", "-no-color", "-lock=false"}
	for _, variable := range variables {
		args = append(args, "-var="+variable)
	}
	out, code := tf.run(args...)
	return strings.NewReplacer("│", "", "╷", "", "╵", "").Replace(out), code
}

// refuses wants a plan to fail with each text.
func (tf *terraform) refuses(texts []string, variables ...string) {
	tf.t.Helper()
	out, code := tf.plan(variables...)
	for _, text := range texts {
		if code != 1 || !contains(out, text) {
			tf.t.Errorf("plan %v: exit code %d, want 1 and %q\n%s", variables, code, text, out)
		}
	}
}

// latest is the version of the launch template that the group has: the one that is planned too.
const latest = "(known after apply)"

// planned is what a plan has: the AMI, its commit, what the launch template has in the place of an
// AMI, and the version of the template that the group launches.
type planned struct{ ami, commit, imageID, version string }

// mustPlan wants a plan to succeed.
func (tf *terraform) mustPlan(variables ...string) planned {
	tf.t.Helper()
	out, code := tf.plan(variables...)
	if code != 0 {
		tf.t.Fatalf("plan %v: exit code %d\n%s", variables, code, out)
	}
	_, group, _ := strings.Cut(out, `"aws_autoscaling_group"`)
	value := func(text, name string) string {
		match := regexp.MustCompile(`(?m)^ *\+ ` + name + ` += (.*)$`).FindStringSubmatch(text)
		if match == nil {
			tf.t.Fatalf("plan %v has no %s\n%s", variables, name, out)
		}
		return strings.Trim(match[1], `"`)
	}
	return planned{value(out, "ami"), value(out, "commit"), value(out, "image_id"),
		value(group, "version")}
}
