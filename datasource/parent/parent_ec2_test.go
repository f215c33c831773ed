// SPDX-License-Identifier: MPL-2.0

package parent

import (
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/zclconf/go-cty/cty"

	"github.com/packer-chain/packer-plugin-chain/internal/ami/amitest"
	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
)

const (
	here, there = "eu-west-1", "us-east-1"
	amiHere     = "ami-0a1b2c3d4e5f60718"
	amiThere    = "ami-0c2d3e4f5a6b70819"
	account2    = "210987654321"
)

// publishedAMI is a registry in a folder, with one image that is an AMI in two regions, in the
// channel "latest".
func publishedAMI(t *testing.T) (dir string) {
	t.Helper()
	return publishedAMIs(t, map[string]string{here: amiHere, there: amiThere})
}

func publishedAMIs(t *testing.T, amis map[string]string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	publish(t, dir, chain(print1), baked("run", amis))
	return dir
}

// baked is what a run built; amis maps region to AMI.
func baked(run string, amis map[string]string) manifest.Entry {
	entry := manifest.Entry{Name: "image", BuilderType: "amazon-ebs", PackerRunUUID: run, BuildTime: now.Unix(), ArtifactID: run}
	for _, region := range slices.Sorted(maps.Keys(amis)) {
		entry.Images = append(entry.Images, manifest.Image{Provider: "aws", Region: region, ID: amis[region]})
	}
	return entry
}

// fromEC2 resolves the parent with a scripted EC2. It returns the id of the AMI.
func fromEC2(t *testing.T, options string, steps map[string][]amitest.Step) (string, error) {
	t.Helper()
	return fromServer(t, amitest.Start(t, steps).URL, options)
}

func fromServer(t *testing.T, url, options string) (string, error) {
	t.Helper()
	value, err := valueFrom(t, url, options)
	return attribute(value, err, "id"), err
}

// valueFrom returns all outputs.
func valueFrom(t *testing.T, url, options string) (cty.Value, error) {
	t.Helper()
	var d Datasource
	errs := configure(t, &d, fmt.Sprintf(`
		image               = "base"
		region              = %q
		access_key          = "AKIDEXAMPLE"
		secret_key          = "secret"
		custom_endpoint_ec2 = %q
		%s`, here, url, options))
	if errs != nil {
		t.Fatal(errs)
	}
	return d.Execute()
}

// lookedFor is a request for one AMI by id, as the owner's.
func lookedFor(id, owner string, response amitest.Step) amitest.Step {
	response.Want = map[string]string{
		"Action": "DescribeImages", "Filter.1.Name": "image-id", "Filter.1.Value.1": id, "Filter.1.Value.2": "",
		"Owner.1": owner, "IncludeDisabled": "true", "IncludeDeprecated": "true"}
	return response
}

// explained is a request for one AMI of any owner, to explain what became of it.
func explained(response amitest.Step) amitest.Step {
	response.Want = map[string]string{"Action": "DescribeImages", "ImageId.1": amiHere, "Owner.1": ""}
	return response
}

// TestEC2_parent has EC2 in every state in which a parent may be found. The request counts: nothing
// is asked more often than written here.
func TestEC2_parent(t *testing.T) {
	offline(t)
	is := func(state string) amitest.Step {
		return lookedFor(amiHere, "self", amitest.Describe(amitest.Image{ID: amiHere, State: state, Reason: "disk broke"}))
	}
	none := lookedFor(amiHere, "self", amitest.Describe())
	foreign := amitest.Image{ID: amiHere, Owner: account2}
	old := amitest.Image{ID: amiHere, Deprecated: "2026-01-01T00:00:00.000Z"}
	empty := amitest.Step{Body: amitest.Page("more")}
	const lenient = `on_missing = "empty"`
	tests := []struct {
		name, options string
		steps         []amitest.Step
		wantErr       []string // empty: found
	}{
		{name: "available", steps: []amitest.Step{is("available")}},
		{name: "on the third page", steps: []amitest.Step{
			lookedFor(amiHere, "self", empty), {Want: map[string]string{"NextToken": "more"}, Body: amitest.Page("even more")},
			{Want: map[string]string{"NextToken": "even more"}, Body: amitest.Page("", amitest.Image{ID: amiHere})}}},
		{name: "throttled", steps: []amitest.Step{amitest.Throttled(), amitest.Throttled(), is("available")}},
		{name: "pending", steps: []amitest.Step{is("pending"), is("pending"), is("available")}},
		{name: "gone", steps: []amitest.Step{none, none, explained(amitest.NotFound())},
			wantErr: []string{amiHere + " is gone or not visible", "Build and publish base first"}},
		{name: "gone, and an empty response", steps: []amitest.Step{none, none, explained(amitest.Describe())},
			wantErr: []string{amiHere + " is gone or not visible", "Allowed AMIs"}},
		{name: "disabled", steps: []amitest.Step{is("disabled"), explained(is("disabled"))},
			wantErr: []string{amiHere + " is disabled"}},
		{name: "failed", steps: []amitest.Step{is("failed"), explained(is("failed"))},
			wantErr: []string{amiHere + " has failed: disk broke"}},
		{name: "deprecated", steps: []amitest.Step{lookedFor(amiHere, "self", amitest.Describe(old))},
			wantErr: []string{amiHere + " in " + here + " has been deprecated since 2026-01-01T00:00:00Z", "allow_deprecated = true"}},
		{name: "deprecated, and allowed", options: "allow_deprecated = true",
			steps: []amitest.Step{lookedFor(amiHere, "self", amitest.Describe(old))}},
		{name: "of another account", steps: []amitest.Step{none, none, explained(amitest.Describe(foreign)), none},
			wantErr: []string{amiHere + " belongs to " + account2 + ", not to self"}},
		{name: "shared by another account, without tags", options: `owners = ["` + account2 + `"]`,
			steps: []amitest.Step{lookedFor(amiHere, account2, amitest.Describe(foreign))}},
		{name: "denied", options: lenient,
			steps:   []amitest.Step{amitest.Refuse(403, "UnauthorizedOperation", "You are not authorized.")},
			wantErr: []string{"find " + amiHere + " in " + here + ": ec2:DescribeImages is not allowed", "need ec2:DescribeImages in " + here}},
		{name: "region not enabled", options: lenient,
			steps:   []amitest.Step{amitest.Refuse(403, "OptInRequired", "You are not subscribed to this service.")},
			wantErr: []string{"The region " + here + " is not enabled for this account or does not exist"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			id, err := fromEC2(t, fmt.Sprintf("registry = %q\n%s", publishedAMI(t), tt.options),
				map[string][]amitest.Step{here: tt.steps})
			wantParent(t, id, err, tt.wantErr)
		})
	}
}

func wantParent(t *testing.T, id string, err error, wantErr []string) {
	t.Helper()
	if wantErr == nil && (err != nil || id != amiHere) {
		t.Errorf("got %q, %v; want %s", id, err, amiHere)
	}
	for _, want := range wantErr {
		if err == nil || !strings.HasPrefix(err.Error(), "resolve image base: ") || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q in it", err, want)
		}
	}
}

// TestEC2_regions wants the parent in two regions, and asks for both while it reads the manifest.
func TestEC2_regions(t *testing.T) {
	offline(t)
	both := func(second ...amitest.Step) map[string][]amitest.Step {
		return map[string][]amitest.Step{
			here:  {lookedFor(amiHere, "self", amitest.Describe(amitest.Image{ID: amiHere}))},
			there: second,
		}
	}
	found := amitest.Describe(amitest.Image{ID: amiThere})
	for name, tt := range map[string]struct {
		steps   []amitest.Step
		wantErr []string
	}{
		"both":    {steps: []amitest.Step{lookedFor(amiThere, "self", found)}},
		"pending": {steps: []amitest.Step{amitest.Describe(amitest.Image{ID: amiThere, State: "pending"}), found}},
		"gone in the second": {steps: []amitest.Step{amitest.Describe(), amitest.Describe(), amitest.NotFound()},
			wantErr: []string{"names no usable AMI in " + there + ": " + amiThere + " is gone"}},
		"the second is not enabled": {steps: []amitest.Step{amitest.Refuse(401, "AuthFailure", "not able to validate")},
			wantErr: []string{"find " + amiThere + " in " + there, "The region " + there + " is not enabled for this account"}},
	} {
		t.Run(name, func(t *testing.T) {
			id, err := fromEC2(t, fmt.Sprintf("registry = %q\nregions = [%q]", publishedAMI(t), there), both(tt.steps...))
			wantParent(t, id, err, tt.wantErr)
		})
	}
}

// TestEC2_sameIDInTwoRegions has a manifest that names an AMI of one region in another too. What
// EC2 said of it was kept by id, so that one region counted for both.
func TestEC2_sameIDInTwoRegions(t *testing.T) {
	offline(t)
	dir := publishedAMIs(t, map[string]string{here: amiHere, there: amiHere})
	gone := []amitest.Step{amitest.Describe(), explained(amitest.NotFound())}
	for name, tt := range map[string]struct {
		options string
		there   []amitest.Step
	}{
		"asked for while the manifest is read": {"", append([]amitest.Step{amitest.Describe()}, gone...)},
		"asked for after it":                   {fmt.Sprintf("fingerprint = %q\nresolve_by = [\"registry\"]", print1), gone},
	} {
		t.Run(name, func(t *testing.T) {
			id, err := fromEC2(t, fmt.Sprintf("registry = %q\nregions = [%q]\n%s", dir, there, tt.options), map[string][]amitest.Step{
				here: {amitest.Describe(amitest.Image{ID: amiHere})}, there: tt.there})
			wantParent(t, id, err, []string{"names no usable AMI in " + there + ": " + amiHere + " is gone"})
		})
	}
}

// TestEC2_manifestTwice has a file to which two post-processors "manifest" of one build wrote. The
// AMI was taken for several.
func TestEC2_manifestTwice(t *testing.T) {
	offline(t)
	build := fmt.Sprintf(`{"builder_type": "amazon-ebs", "artifact_id": "%s:%s", "packer_run_uuid": "run"}`, here, amiHere)
	path := filepath.Join(t.TempDir(), "packer-manifest.json")
	check(t, os.WriteFile(path, fmt.Appendf(nil, `{"builds": [%s, %s], "last_run_uuid": "run"}`, build, build), 0o644))
	id, err := fromEC2(t, fmt.Sprintf("local_manifest = %q", path), map[string][]amitest.Step{here: {
		lookedFor(amiHere, "self", amitest.Describe(amitest.Image{ID: amiHere}))}})
	wantParent(t, id, err, nil)
}

// TestEC2_tag looks for tags: over several pages, and in vain if another account shares the
// image.
func TestEC2_tag(t *testing.T) {
	offline(t)
	tags := map[string]string{
		"chain:git-sha": sha1, "chain:image": "base", "chain:fingerprint": print1, "chain:manifest": "s3://acme-images/m.json"}
	older := amitest.Image{ID: amiThere, Tags: tags, Created: "2026-04-01T00:00:00.000Z"}
	options := fmt.Sprintf("git_sha = %q", sha1)
	want := map[string]string{"Filter.2.Name": "tag:chain:git-sha", "Filter.2.Value.1": sha1, "Owner.1": "self"}

	id, err := fromEC2(t, options, map[string][]amitest.Step{here: {
		{Want: want, Body: amitest.Page("2", older)}, {Want: map[string]string{"NextToken": "2"}, Body: amitest.Page("3")},
		{Want: map[string]string{"NextToken": "3"}, Body: amitest.Page("", amitest.Image{ID: amiHere, Tags: tags})}}})
	wantParent(t, id, err, nil)

	_, err = fromEC2(t, options+"\nowners = [\""+account2+"\"]", map[string][]amitest.Step{here: {amitest.Describe()}})
	wantParent(t, "", err, []string{
		"no available AMI in " + here + " with tag chain:git-sha = " + sha1 + " that belongs to " + account2,
		"Only the account that owns an AMI sees its tags: across accounts use registry or local_manifest."})
}

// TestEC2_pendingIsNotMissing: with on_missing = "empty" or fallback_ami a parent that is being
// made would be passed over, and the image built on something else.
func TestEC2_pendingIsNotMissing(t *testing.T) {
	offline(t)
	pending := amitest.Describe(amitest.Image{ID: amiHere, State: "pending"})
	for _, options := range []string{`on_missing = "empty"`, `fallback_ami = "` + amiThere + `"`} {
		id, err := fromEC2(t, fmt.Sprintf("registry = %q\n%s", publishedAMI(t), options),
			map[string][]amitest.Step{here: {pending, amitest.Describe(amitest.Image{ID: amiHere})}})
		wantParent(t, id, err, nil)
	}
}

// TestS3_denied: without s3:ListBucket S3 returns 403 for an object that does not exist. That must
// not be taken for a parent that is missing.
func TestS3_denied(t *testing.T) {
	offline(t)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprint(w, "<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>")
	}))
	defer server.Close()
	bucket := fmt.Sprintf("registry = \"s3://acme-images/chain\"\nregistry_access {\n endpoint = %q\n use_path_style = true\n}\n", server.URL)
	for _, lenient := range []string{"", `on_missing = "empty"`, `fallback_ami = "` + amiThere + `"`, `git_sha = "` + sha1 + `"`} {
		id, err := fromEC2(t, bucket+lenient, nil)
		wantParent(t, id, err, []string{"read s3://acme-images/chain/base/", "access denied", "s3:GetObject", "s3:ListBucket"})
	}
}
