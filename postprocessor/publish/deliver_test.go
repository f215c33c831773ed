// SPDX-License-Identifier: MPL-2.0

package publish

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/packer-chain/packer-plugin-chain/internal/registry"
)

// TestParameterValues: each parameter names one AMI, or it is an error before anything is written.
func TestParameterValues(t *testing.T) {
	const amd, arm = "ami-0a1b2c3d4e5f60718", "ami-0b1b2c3d4e5f60718"
	of := func(source, architecture string, amis map[string]string) registry.Build {
		return registry.Build{Source: source, Architecture: architecture, AMIs: amis}
	}
	one := []registry.Build{of("amazon-ebs.app", "x86_64", map[string]string{"eu-west-1": amd, "us-east-1": arm})}
	two := []registry.Build{
		of("amazon-ebs.amd", "x86_64", map[string]string{"eu-west-1": amd}),
		of("amazon-ebs.arm", "arm64", map[string]string{"eu-west-1": arm}),
	}
	alike := []registry.Build{two[0], of("amazon-ebs.arm", "x86_64", two[1].AMIs)}
	for name, tt := range map[string]struct {
		name   string
		builds []registry.Build
		want   map[string]map[string]string
		error  string
	}{
		"two regions": {name: "/images/{image}/{channel}", builds: one, want: map[string]map[string]string{
			"eu-west-1": {"/images/app/stable": amd}, "us-east-1": {"/images/app/stable": arm}}},
		"by architecture": {name: "/images/{image}/{architecture}", builds: two, want: map[string]map[string]string{
			"eu-west-1": {"/images/app/x86_64": amd, "/images/app/arm64": arm}}},
		"by source": {name: "/images/{source}", builds: alike, want: map[string]map[string]string{
			"eu-west-1": {"/images/amazon-ebs.amd": amd, "/images/amazon-ebs.arm": arm}}},
		"two AMIs of one name": {name: "/images/{image}", builds: two, error: "would name " + amd + " and " + arm + " in eu-west-1: put {architecture} or {source} into its name"},
		"of one architecture":  {name: "/images/{architecture}", builds: alike, error: "would name " + amd + " and " + arm},
		"no AMI":               {name: "/images/{image}", builds: []registry.Build{{Source: "file.app", ArtifactID: "File"}}, error: "is not an AMI"},
		"a reserved name":      {name: "/{source}/x", builds: []registry.Build{of("aws-x.app", "", one[0].AMIs)}, error: "reserves"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := parameterValues(SSMParameter{Name: tt.name}, "app", "stable", registry.Target{Builds: tt.builds})
			if tt.error == "" {
				if diff := cmp.Diff(tt.want, got); diff != "" || err != nil {
					t.Error(diff, err)
				}
			} else if err == nil || !strings.Contains(err.Error(), tt.error) {
				t.Errorf("got %v, want %q in it", err, tt.error)
			}
		})
	}
}

// TestConfigure_delivery refuses before the bake what would fail after it.
func TestConfigure_delivery(t *testing.T) {
	const block = "ssm_parameter {\n  name = %NAME\n}\n"
	named := func(name string) string { return strings.Replace(block, "%NAME", `"`+name+`"`, 1) }
	for name, tt := range map[string]struct {
		options string
		sources []string
		want    string
	}{
		"good":               {options: named("/images/{image}/{channel}") + "share {\n accounts = [\"111122223333\"]\n}"},
		"two channels":       {options: `channels = ["a", "b"]` + "\n" + named("/images/{image}"), want: "ssm_parameter[0].name must have {channel}, because there are several channels"},
		"two channels, told": {options: `channels = ["a", "b"]` + "\n" + named("/images/{channel}")},
		"two sources":        {options: named("/images/{image}"), sources: []string{"amazon-ebs.a", "file.image"}, want: "needs {architecture} or {source} in its name: image app has an AMI of each source"},
		"two sources, told":  {options: named("/images/{source}"), sources: []string{"amazon-ebs.a", "file.image"}},
		"no channel":         {options: "channels = []\n" + named("/images/{image}"), want: "share and ssm_parameter need a channel"},
		"the same twice":     {options: named("/x/{image}") + named("/x/{image}"), want: `ssm_parameter[1].name repeats "/x/{image}"`},
		"what SSM refuses":   {options: named("images/{image}"), want: "must begin with \"/\""},
		"an unknown word":    {options: named("/images/{name}"), want: "got {name}"},
		"no account":         {options: "share {\n accounts = [\"1111\"]\n}", want: `share.accounts[0] must be the 12-digit id of an account, got "1111"`},
		"no organization": {options: "share {\n organizations = [\"o-exampleorgid\"]\n}",
			want: "share.organizations[0] must be the ARN of an organization"},
		"a unit":        {options: "share {\n organizations = [\"arn:aws:organizations::111122223333:ou/o-exampleorgid/ou-exam-pleouid1\"]\n}"},
		"nobody":        {options: "share {}", want: "share needs accounts or organizations"},
		"a role of air": {options: "ssm_parameter {\n name = \"/x/{image}\"\n assume_role {\n role_arn = \"admin\"\n }\n}", want: "ssm_parameter[0].assume_role.role_arn"},
	} {
		t.Run(name, func(t *testing.T) {
			rec := newRecord(folder(t))
			rec.Sources = tt.sources
			if len(tt.sources) > 0 {
				rec.Pending = tt.sources
			}
			_, err := tryConfigure(t, "file", rec, tt.options)
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("got %v, want %q in it", err, tt.want)
			}
		})
	}
}
