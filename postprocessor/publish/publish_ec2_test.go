// SPDX-License-Identifier: MPL-2.0

package publish

import (
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/packer-chain/packer-plugin-chain/internal/ami/amitest"
	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
	"github.com/packer-chain/packer-plugin-chain/internal/record"
	"github.com/packer-chain/packer-plugin-chain/internal/registry"
)

// regionAMIs is an artifact of three regions.
var regionAMIs = map[string]string{
	"eu-central-1": "ami-0c1b2c3d4e5f60718", "eu-west-1": "ami-0a1b2c3d4e5f60718", "us-east-1": "ami-0e1b2c3d4e5f60718",
}

const regionArtifact = "eu-central-1:ami-0c1b2c3d4e5f60718,eu-west-1:ami-0a1b2c3d4e5f60718,us-east-1:ami-0e1b2c3d4e5f60718"

// cloud is a scripted EC2 for one registry.
type cloud struct {
	t   *testing.T
	dir string
}

// bare is the AMI of a region as the builder left it, tagged as it is before the manifest exists.
func (c cloud) bare(region string) amitest.Step { return c.shown(region, nil) }

func (c cloud) tagged(region string) amitest.Step {
	return c.shown(region, map[string]string{"chain:image": "app"})
}

func (c cloud) shown(region string, tags map[string]string) amitest.Step {
	return amitest.Describe(amitest.Image{ID: regionAMIs[region], Snapshots: []string{"snap-0a1b2c3d"}, Tags: tags})
}

func (c cloud) tag(region string) amitest.Step {
	return amitest.Tag(regionAMIs[region], "snap-0a1b2c3d")
}

// mark is the last request: the tag with the address of the manifest.
func (c cloud) mark(region string) amitest.Step {
	step := c.tag(region)
	step.Want["Tag.1.Key"], step.Want["Tag.2.Key"] = "chain:manifest", ""
	step.Want["Tag.1.Value"] = filepath.Join(c.dir, "app", "builds", print1+".json")
	return step
}

// smooth is what happens in a region where all is well: look, tag, read back, and mark.
func (c cloud) smooth(region string) []amitest.Step {
	return []amitest.Step{c.bare(region), c.tag(region), c.tagged(region), c.mark(region)}
}

// publish runs the post-processor with the script, in which regions that are not named are smooth.
func (c cloud) publish(builderType string, rec record.Record, options string, steps map[string][]amitest.Step) (*screen, error) {
	c.t.Helper()
	return c.publishArtifact(&fakeArtifact{id: regionArtifact}, builderType, rec, options, steps)
}

func (c cloud) publishArtifact(
	source *fakeArtifact, builderType string, rec record.Record, options string, steps map[string][]amitest.Step,
) (*screen, error) {
	c.t.Helper()
	all := map[string][]amitest.Step{}
	for region := range regionAMIs {
		all[region] = c.smooth(region)
	}
	maps.Copy(all, steps)
	server := amitest.Serve(all)
	ui, err := process(c.t, configured(c.t, builderType, rec, fmt.Sprintf("region = \"eu-west-1\"\naccess_key = \"AKIDEXAMPLE\"\n"+
		"secret_key = \"secret\"\ncustom_endpoint_ec2 = %q\n%s", server.URL, options)), source)
	if scriptErr := server.Close(); scriptErr != nil {
		c.t.Errorf("the script of EC2: %v\n%q", scriptErr, ui.red)
	}
	return ui, err
}

// TestEC2_publish has EC2 late, busy and slow, and publishes all the same.
func TestEC2_publish(t *testing.T) {
	refuse := func(code string) amitest.Step { return amitest.Refuse(400, code, "later").On("CreateTags") }
	for name, steps := range map[string]func(c cloud, region string) []amitest.Step{
		"smooth": func(c cloud, region string) []amitest.Step { return c.smooth(region) },
		"not known yet": func(c cloud, region string) []amitest.Step {
			const k = 3
			return slices.Concat(
				amitest.Times(k, amitest.NotFound().On("DescribeImages")), []amitest.Step{c.bare(region)},
				amitest.Times(k, amitest.NotFound().On("CreateTags")), []amitest.Step{c.tag(region)},
				amitest.Times(k, amitest.NotFound().On("DescribeImages")), []amitest.Step{c.tagged(region), c.mark(region)})
		},
		"throttled": func(c cloud, region string) []amitest.Step {
			return slices.Concat(
				amitest.Times(3, amitest.Throttled().On("DescribeImages")), []amitest.Step{c.bare(region)},
				amitest.Times(3, amitest.Throttled().On("CreateTags")), []amitest.Step{refuse("Throttling"), c.tag(region)},
				amitest.Times(3, amitest.Throttled().On("DescribeImages")), []amitest.Step{c.tagged(region), c.mark(region)})
		},
		"pending": func(c cloud, region string) []amitest.Step {
			pending := amitest.Describe(amitest.Image{ID: regionAMIs[region], State: "pending"})
			return append(amitest.Times(3, pending), c.smooth(region)...)
		},
		"snapshot not known yet, tags not shown yet": func(c cloud, region string) []amitest.Step {
			return []amitest.Step{c.bare(region), refuse("InvalidSnapshot.NotFound"), c.tag(region), c.bare(region), c.tagged(region), c.mark(region)}
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := cloud{t, folder(t)}
			ui, err := c.publish("amazon-ebs", newRecord(c.dir), "", map[string][]amitest.Step{
				"eu-west-1": steps(c, "eu-west-1"), "us-east-1": steps(c, "us-east-1")})
			if err != nil || len(ui.red) > 0 {
				t.Fatalf("got %v, in red: %q", err, ui.red)
			}
			m := stored(t, c.dir)
			if m == nil || len(m.Builds) != 1 || len(m.Builds[0].Images) != 3 || !points(t, c.dir, "latest") {
				t.Fatalf("got %+v", m)
			}
			for _, image := range m.Builds[0].Images {
				if image.Owner != "123456789012" || !slices.Equal(image.Snapshots, []string{"snap-0a1b2c3d"}) {
					t.Errorf("the manifest says of %s: %+v", image.ID, image)
				}
			}
		})
	}
}

// TestEC2_oneRegionRefuses: nothing is published, the text names the region, and the same build
// again does only what is missing. No region is tagged before all are looked at.
func TestEC2_oneRegionRefuses(t *testing.T) {
	const region = "us-east-1"
	id := regionAMIs[region]
	crowded := map[string]string{"chain:image": "app", "aws:x": ""}
	for i := range 49 {
		crowded[fmt.Sprintf("k%d", i)] = ""
	}
	deny := func(action string) amitest.Step {
		return amitest.Refuse(403, "UnauthorizedOperation", "You are not authorized.").On(action)
	}
	refuseTag := func(code, message string) func(c cloud) []amitest.Step {
		return func(c cloud) []amitest.Step {
			return []amitest.Step{c.bare(region), amitest.Refuse(400, code, message).On("CreateTags")}
		}
	}
	optIn := amitest.Refuse(403, "OptInRequired", "You are not subscribed.").On("DescribeImages")
	for name, tt := range map[string]struct {
		steps func(c cloud) []amitest.Step
		// looked is true if it fails before the other regions are tagged.
		looked bool
		want   []string
	}{
		"not allowed to tag": {func(c cloud) []amitest.Step { return []amitest.Step{c.bare(region), deny("CreateTags")} }, false,
			[]string{"tag " + id + ", snap-0a1b2c3d in us-east-1: ec2:CreateTags is not allowed", "need ec2:CreateTags in us-east-1"}},
		"not allowed to look": {func(cloud) []amitest.Step { return []amitest.Step{deny("DescribeImages")} }, true,
			[]string{"find " + id + " in us-east-1: ec2:DescribeImages is not allowed", "need ec2:DescribeImages in us-east-1"}},
		"no room for the last tag": {func(c cloud) []amitest.Step { return []amitest.Step{c.shown(region, crowded)} }, true,
			[]string{"tag " + id + " in us-east-1: it has 51 tags already, and would have 51; EC2 allows 50\n\nRemove some tags of the image"}},
		"too many tags on a snapshot": {refuseTag("TagLimitExceeded", "over"), false, []string{"TagLimitExceeded", "A resource can have 50 tags."}},
		"tag policy": {refuseTag("TagPolicyViolation", "env is missing"), false,
			[]string{"env is missing", "A tag policy of the organization refuses the tags"}},
		"region not enabled": {func(cloud) []amitest.Step { return []amitest.Step{optIn} }, true,
			[]string{"find " + id + " in us-east-1: ", "The region us-east-1 is not enabled for this account"}},
		"failed": {func(cloud) []amitest.Step {
			return []amitest.Step{amitest.Describe(amitest.Image{ID: id, State: "failed", Reason: "disk broke"})}
		}, true, []string{"find " + id + " in us-east-1: " + id + " has failed: disk broke"}},
	} {
		t.Run(name, func(t *testing.T) {
			c := cloud{t, folder(t)}
			steps, again := map[string][]amitest.Step{}, map[string][]amitest.Step{}
			for other := range regionAMIs {
				steps[other] = []amitest.Step{c.bare(other), c.tag(other)}
				again[other] = c.again(other)
				if tt.looked {
					steps[other], again[other] = steps[other][:1], c.smooth(other)
				}
			}
			steps[region], again[region] = tt.steps(c), c.smooth(region)
			_, err := c.publish("amazon-ebs", newRecord(c.dir), "", steps)
			c.wantUnpublished(err, tt.want...)

			ui, err := c.publish("chain", passedThrough(c.dir, copied(t, localPath(c.dir)), true), "", again)
			if err != nil || len(ui.red) > 0 || !points(t, c.dir, "latest") || copied(t, localPath(c.dir)).Chain.Published != nil {
				t.Errorf("running it again does not finish: %v, %q", err, ui.red)
			}
			if at := pointer(t, c.dir, registry.Channel, "latest"); len(at.Current().AMIs()) != 3 || !slices.Equal(at.Current().Architectures(), []string{"x86_64"}) {
				t.Errorf("the channel says %+v", at.Current())
			}
		})
	}
}

// again is what happens in a region where the tags exist: only the snapshots are tagged again.
func (c cloud) again(region string) []amitest.Step {
	return []amitest.Step{c.tagged(region), amitest.Tag("snap-0a1b2c3d"), c.tagged(region), c.mark(region)}
}

// wantUnpublished checks that only the error and the local manifest name the image.
func (c cloud) wantUnpublished(err error, want ...string) {
	c.t.Helper()
	want = append(want, "The manifest is not published.", "succeeded: "+regionArtifact, "run the same packer build again")
	for _, text := range want {
		if err == nil || !strings.Contains(err.Error(), text) {
			c.t.Errorf("got %v, want %q in it", err, text)
		}
	}
	if stored(c.t, c.dir) != nil || points(c.t, c.dir, "latest") || leaves(c.t, c.dir, "main") {
		c.t.Error("something is published")
	}
	if local := copied(c.t, localPath(c.dir)); local.Chain.Published == nil || *local.Chain.Published {
		c.t.Errorf("the local manifest does not say that it is not published: %+v", local.Chain)
	}
}

// TestEC2_turns publishes beside a job that makes the image in another region.
func TestEC2_turns(t *testing.T) {
	c := cloud{t, folder(t)}
	other := manifest.Entry{Name: "image", BuilderType: "amazon-ebs", PackerRunUUID: "other",
		Images: []manifest.Image{{Provider: manifest.ProviderAWS, Region: "ap-south-1", ID: ami2}}}
	_, err := open(t, c.dir).Publish(t.Context(), newRecord(c.dir).Facts, []manifest.Entry{other}, nil)
	check(t, err)
	rec := newRecord(c.dir)
	rec.Known = []string{"other"}
	ui, err := c.publish("amazon-ebs", rec, "", nil)
	const want = "warning: amazon-ebs.image was in ap-south-1 and is in eu-central-1, eu-west-1, us-east-1 now: "
	if err != nil || len(ui.red) != 1 || !strings.HasPrefix(ui.red[0], want) {
		t.Errorf("got %v, %q, want %q", err, ui.red, want)
	}
}

// TestEC2_keep prints the error of the region, and lets the build succeed.
func TestEC2_keep(t *testing.T) {
	c := cloud{t, folder(t)}
	steps := map[string][]amitest.Step{}
	for region := range regionAMIs {
		steps[region] = []amitest.Step{c.bare(region)}
	}
	steps["us-east-1"] = []amitest.Step{amitest.Refuse(403, "UnauthorizedOperation", "You are not authorized.").On("DescribeImages")}
	ui, err := c.publish("amazon-ebs", newRecord(c.dir), `on_failure = "keep"`, steps)
	for _, want := range []string{"in us-east-1: ec2:DescribeImages is not allowed", "The manifest is not published.\nThe image is kept: " + regionArtifact} {
		if err != nil || len(ui.red) != 1 || !strings.Contains(ui.red[0], want) || !copied(t, localPath(c.dir)).Unpublished() {
			t.Errorf("got %v, %q, want %q in it", err, ui.red, want)
		}
	}
}

// TestEC2_never: a region where the AMI does not appear, or stays pending, ends at publish_timeout.
// How often it is asked until then is a matter of chance.
func TestEC2_never(t *testing.T) {
	for name, tt := range map[string]struct {
		response amitest.Step
		want     string
	}{
		"not found": {amitest.NotFound(), "InvalidAMIID.NotFound"},
		"pending":   {amitest.Describe(amitest.Image{ID: regionAMIs["us-east-1"], State: "pending"}), ": the image is pending"},
		"throttled": {amitest.Throttled(), "RequestLimitExceeded"},
	} {
		t.Run(name, func(t *testing.T) {
			c := cloud{t, folder(t)}
			steps := map[string][]amitest.Step{}
			for region := range regionAMIs {
				steps[region] = []amitest.Step{c.bare(region)}
			}
			steps["us-east-1"] = amitest.Times(1000, tt.response)
			server := amitest.Serve(steps)
			_, err := process(t, configured(t, "amazon-ebs", newRecord(c.dir), fmt.Sprintf("region = \"eu-west-1\"\n"+
				"access_key = \"AKIDEXAMPLE\"\nsecret_key = \"secret\"\npublish_timeout = \"1s\"\ncustom_endpoint_ec2 = %q", server.URL)),
				&fakeArtifact{id: regionArtifact})
			_ = server.Close()
			if server.Seen("us-east-1", "DescribeImages") < 2 {
				t.Error("it was asked for once only")
			}
			c.wantUnpublished(err, "find "+regionAMIs["us-east-1"]+" in us-east-1: gave up after ", tt.want)
		})
	}
}

// TestS3_denied: without s3:ListBucket S3 returns 403 for a manifest that does not exist. Nothing
// is written blindly.
func TestS3_denied(t *testing.T) {
	folder(t)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPut && !strings.HasSuffix(r.URL.Path, "/conditional-write-test.json") {
			t.Errorf("%s %s", r.Method, r.URL)
		}
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprint(w, "<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>")
	}))
	defer server.Close()
	options := fmt.Sprintf("region = \"eu-west-1\"\naccess_key = \"AKIDEXAMPLE\"\nsecret_key = \"secret\"\n"+
		"registry_access {\n endpoint = %q\n use_path_style = true\n}", server.URL)
	_, err := process(t, configured(t, "file", newRecord("s3://acme-images/chain"), options), &fakeArtifact{id: "File"})
	for _, want := range []string{"s3://acme-images/chain/app/builds/", "access denied", "s3:ListBucket", "The manifest is not published."} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q in it", err, want)
		}
	}
}
