// SPDX-License-Identifier: MPL-2.0

package image

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/zclconf/go-cty/cty"

	"github.com/packer-chain/packer-plugin-chain/internal/ami/amitest"
	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
	"github.com/packer-chain/packer-plugin-chain/internal/option/optiontest"
)

const here, far = "eu-west-1", "us-east-1"

// publishedAMI is the repository of an image that is published, and an AMI in two regions.
func publishedAMI(t *testing.T) {
	t.Helper()
	newRepo(t, app)
	publish(t, looked(t, "", "first build of app"), manifest.Entry{
		Name: "image", BuilderType: "amazon-ebs", PackerRunUUID: "run", BuildTime: now.Unix(),
		ArtifactID: here + ":" + ami1 + "," + far + ":" + ami2,
		Images:     []manifest.Image{{Provider: "aws", Region: here, ID: ami1}, {Provider: "aws", Region: far, ID: ami2}},
	})
}

// fromEC2 looks for the image with a scripted EC2.
func fromEC2(t *testing.T, options string, steps map[string][]amitest.Step) (cty.Value, error) {
	t.Helper()
	server := amitest.Start(t, steps)
	return execute(t, fmt.Sprintf("region = %q\naccess_key = \"AKIDEXAMPLE\"\nsecret_key = \"secret\"\ncustom_endpoint_ec2 = %q\n%s",
		here, server.URL, options))
}

// lookedFor is a request for one AMI by id, as the owner's.
func lookedFor(id string, response amitest.Step) amitest.Step {
	response.Want = map[string]string{
		"Action": "DescribeImages", "Filter.1.Name": "image-id", "Filter.1.Value.1": id, "Filter.1.Value.2": "", "Owner.1": "self"}
	return response
}

// TestEC2_build has EC2 in every state in which the image may be found. The request counts: nothing
// is asked more often than written here.
func TestEC2_build(t *testing.T) {
	optiontest.Offline(t)
	is := func(state string) amitest.Step {
		return lookedFor(ami1, amitest.Describe(amitest.Image{ID: ami1, State: state, Reason: "disk\nbroke"}))
	}
	tests := []struct {
		name  string
		steps []amitest.Step
		want  string
	}{
		{"available", []amitest.Step{is("available")}, "unchanged"},
		{"on the third page", []amitest.Step{
			lookedFor(ami1, amitest.Step{Body: amitest.Page("2")}), {Want: map[string]string{"NextToken": "2"}, Body: amitest.Page("3")},
			{Want: map[string]string{"NextToken": "3"}, Body: amitest.Page("", amitest.Image{ID: ami1})}}, "unchanged"},
		{"throttled", []amitest.Step{amitest.Throttled(), amitest.Throttled(), is("available")}, "unchanged"},
		{"pending", []amitest.Step{is("pending"), is("pending"), is("available")}, "unchanged"},
		{"pending, then failed", []amitest.Step{is("pending"), is("failed")}, ami1 + " in " + here + " has failed: disk broke"},
		{"gone, or of another account", []amitest.Step{lookedFor(ami1, amitest.Describe())}, ami1 + " in " + here + " is gone"},
		{"disabled", []amitest.Step{is("disabled")}, ami1 + " in " + here + " is disabled"},
		{"deprecated", []amitest.Step{lookedFor(ami1, amitest.Describe(
			amitest.Image{ID: ami1, Deprecated: "2026-01-01T00:00:00.000Z"}))}, ami1 + " in " + here + " has been deprecated since 2026-01-01T00:00:00Z"},
		{"revoked", []amitest.Step{lookedFor(ami1, amitest.Describe(
			amitest.Image{ID: ami1, Tags: map[string]string{"chain:revoked": "CVE"}}))}, ami1 + " in " + here + " is revoked: CVE"},
	}
	publishedAMI(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := fromEC2(t, "", map[string][]amitest.Step{here: tt.steps})
			if err != nil {
				t.Fatal(err)
			}
			needed := tt.want != "unchanged"
			if got.GetAttr("reason").AsString() != tt.want || got.GetAttr("needed").True() != needed {
				t.Errorf("needed %#v because of %#v, want %q", got.GetAttr("needed"), got.GetAttr("reason"), tt.want)
			}
			if id := got.GetAttr("id").AsString(); needed != (id == "") || (!needed && id != ami1) {
				t.Errorf("id %q", id)
			}
		})
	}
}

// TestEC2_refused: what could not be asked is an error, and never a reason to build.
func TestEC2_refused(t *testing.T) {
	optiontest.Offline(t)
	publishedAMI(t)
	for name, tt := range map[string]struct {
		response amitest.Step
		want     []string
	}{
		"denied": {amitest.Refuse(403, "UnauthorizedOperation", "You are not authorized."),
			[]string{"find " + ami2 + " in " + far + ": ec2:DescribeImages is not allowed", "need ec2:DescribeImages in " + far}},
		"region not enabled": {amitest.Refuse(403, "OptInRequired", "You are not subscribed."),
			[]string{"The region " + far + " is not enabled for this account or does not exist"}},
		"expired": {amitest.Refuse(400, "RequestExpired", "Request has expired."), []string{"The credentials have expired"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := fromEC2(t, fmt.Sprintf("regions = [%q, %q]", here, far), map[string][]amitest.Step{
				here: {lookedFor(ami1, amitest.Describe(amitest.Image{ID: ami1}))}, far: {tt.response}})
			for _, want := range tt.want {
				if err == nil || !strings.HasPrefix(err.Error(), "find image app: ") || !strings.Contains(err.Error(), want) {
					t.Errorf("got %v, want %q in it", err, want)
				}
			}
		})
	}
}

// TestEC2_regions has the image in one of two regions only.
func TestEC2_regions(t *testing.T) {
	optiontest.Offline(t)
	publishedAMI(t)
	got, err := fromEC2(t, fmt.Sprintf("regions = [%q, %q]", here, far), map[string][]amitest.Step{
		here: {lookedFor(ami1, amitest.Describe(amitest.Image{ID: ami1})), amitest.Describe()}, far: {lookedFor(ami2, amitest.Describe())}})
	if err != nil {
		t.Fatal(err)
	}
	var missing []string
	for _, region := range got.GetAttr("missing_regions").AsValueSlice() {
		missing = append(missing, region.AsString())
	}
	if want := ami2 + " in " + far + " is gone"; got.GetAttr("reason").AsString() != want || !slices.Equal(missing, []string{far}) {
		t.Errorf("reason %#v, missing %q; want %s", got.GetAttr("reason"), missing, want)
	}
}

// TestS3_denied: without s3:ListBucket S3 returns 403 for an object that does not exist. That must
// not be taken for a first build.
func TestS3_denied(t *testing.T) {
	optiontest.Offline(t)
	newRepo(t, app)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet {
			t.Errorf("a look sends %s %s", r.Method, r.URL)
		}
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprint(w, "<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>")
	}))
	defer server.Close()
	var d Datasource
	if errs := optiontest.Texts(d.Configure(optiontest.Decode(t, &Datasource{}, fmt.Sprintf(`
		image = "app"
		registry = "s3://acme-images/chain"
		path = "app"
		region = "eu-west-1"
		access_key = "AKIDEXAMPLE"
		secret_key = "secret"
		registry_access {
			endpoint = %q
			use_path_style = true
		}`, server.URL)))); errs != nil {
		t.Fatal(errs)
	}
	_, err := d.Execute()
	for _, want := range []string{"find image app: read s3://acme-images/chain/app/", "access denied", "s3:GetObject", "s3:ListBucket"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q in it", err, want)
		}
	}
}
