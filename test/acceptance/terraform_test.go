// SPDX-License-Identifier: MPL-2.0

package acceptance

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
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

// TestAccConsumers_terraform plans example/terraform in an account with a chain that Packer built:
// each way to find the AMI, and each image that it refuses. Nothing is applied, so it does not show
// that EC2 resolves the parameter at a launch.
func TestAccConsumers_terraform(t *testing.T) {
	newPacker(t)
	t.Parallel()
	tf := newTerraform(t)
	c := newConsumers(t)
	tf.env = append(tf.env, c.aws.Env(region)...)

	// After a rollback, the newest AMI with the tag is still the one that was left.
	c.must("rollback")
	const resolve = "resolve:ssm:/images/snowflake/production"
	for by, want := range map[string][3]string{
		"parameter": {c.old, c.commits[0], resolve},
		"channel":   {c.old, c.commits[0], c.old},
		"tag":       {c.current, c.commits[2], c.current},
	} {
		if got := tf.mustPlan("by=" + by).values(); got != want {
			t.Errorf("by %s, the AMI, its commit and that of the launch template are %v, want %v",
				by, got, want)
		}
	}

	tf.refuses(c.old+" of snowflake is older than 1s", "max_age=1s")
	for _, revoked := range []string{c.old, c.base} {
		c.check(c.aws.Tag(t.Context(), region, revoked, "chain:revoked", "CVE-2026-0001"))
		tf.refuses("Revoked: "+revoked+", in production of snowflake.", "by=channel")
		c.untag(revoked, "chain:revoked")
	}
	// An ancestor that is no parent is in the document only.
	document := c.pointer("snowflake/channels/production").(map[string]any)
	document["ancestors"] = append(document["ancestors"].([]any), map[string]any{
		"image": "hardened", "amis": map[string]string{region + "/amazon-ebs.a": c.branch}})
	c.put(document)
	c.check(c.aws.Tag(t.Context(), region, c.branch, "chain:revoked", "CVE-2026-0001"))
	tf.refuses("Revoked: "+c.branch+", in production of snowflake.", "by=channel")

	c.untag(c.old, "chain:manifest")
	tf.refuses(c.old + " was never published.")

	// Whoever can write to the bucket cannot make it launch the AMI of another image or account.
	c.point(c.base)
	tf.refuses(c.base+" is not an AMI of snowflake.", "by=channel")
	foreign, err := c.aws.SourceAMI(t.Context(), region)
	c.check(err)
	c.point(foreign)
	tf.refuses("returned no results", "by=channel")
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
	if folder := os.Getenv(providerVariable); folder != "" {
		init = append(init, "-plugin-dir="+folder)
	}
	if out, code := tf.run(init...); code != 0 {
		t.Skipf("the AWS provider cannot be had, and %s names none: %s", providerVariable, out)
	}
	for _, args := range [][]string{{"validate", "-no-color"}, {"fmt", "-check", "-diff"}} {
		if out, code := tf.run(args...); code != 0 {
			t.Fatalf("terraform %s\n%s", args[0], out)
		}
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

// plan is a plan with some variables, into the file "plan".
func (tf *terraform) plan(variables ...string) (string, int) {
	tf.t.Helper()
	args := []string{"plan", "-no-color", "-lock=false", "-out=plan"}
	for _, variable := range variables {
		args = append(args, "-var="+variable)
	}
	return tf.run(args...)
}

// refuses wants a plan to fail with a text.
func (tf *terraform) refuses(text string, variables ...string) {
	tf.t.Helper()
	if out, code := tf.plan(variables...); code != 1 || !contains(unboxed(out), text) {
		tf.t.Errorf("plan %v: exit code %d, want 1 and %q\n%s", variables, code, text, out)
	}
}

// unboxed is what terraform prints, without the frame of its errors.
func unboxed(out string) string {
	return strings.NewReplacer("│", "", "╷", "", "╵", "").Replace(out)
}

// planned is a plan in JSON, as far as the test reads it.
type planned struct {
	Values struct {
		Outputs map[string]struct{ Value string }
		Root    struct {
			Resources []struct {
				Type   string
				Values map[string]any
			}
		} `json:"root_module"`
	} `json:"planned_values"`
}

// mustPlan wants a plan to succeed.
func (tf *terraform) mustPlan(variables ...string) planned {
	tf.t.Helper()
	if out, code := tf.plan(variables...); code != 0 {
		tf.t.Fatalf("plan %v: exit code %d\n%s", variables, code, out)
	}
	out, code := tf.run("show", "-json", "plan")
	var plan planned
	if err := json.Unmarshal([]byte(out), &plan); err != nil || code != 0 {
		tf.t.Fatalf("show: exit code %d, %v\n%s", code, err, out)
	}
	return plan
}

// values are the AMI, its commit, and what the launch template has in the place of an AMI.
func (p planned) values() [3]string {
	values := [3]string{p.Values.Outputs["ami"].Value, p.Values.Outputs["commit"].Value}
	for _, resource := range p.Values.Root.Resources {
		if resource.Type == "aws_launch_template" {
			values[2], _ = resource.Values["image_id"].(string)
		}
	}
	return values
}
