// SPDX-License-Identifier: MPL-2.0

package publish

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/packer-chain/packer-plugin-chain/internal/ami/amitest"
	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
	"github.com/packer-chain/packer-plugin-chain/internal/record"
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

// bare is the AMI of a region as the builder left it, tagged as the post-processor leaves it.
func (c cloud) bare(region string) amitest.Step {
	return amitest.Describe(amitest.Image{ID: regionAMIs[region], Snapshots: []string{"snap-0a1b2c3d"}})
}

func (c cloud) tagged(region string) amitest.Step {
	return amitest.Describe(amitest.Image{ID: regionAMIs[region], Snapshots: []string{"snap-0a1b2c3d"}, Tags: map[string]string{
		"chain:image": "app", "chain:manifest": filepath.Join(c.dir, "app", "builds", print1+".json")}})
}

func (c cloud) tag(region string) amitest.Step {
	return amitest.Tag(regionAMIs[region], "snap-0a1b2c3d")
}

// smooth is what happens in a region where all is well: look, tag, and read back.
func (c cloud) smooth(region string) []amitest.Step {
	return []amitest.Step{c.bare(region), c.tag(region), c.tagged(region)}
}

// publish runs the post-processor with the script, in which regions that are not named are smooth.
func (c cloud) publish(builderType string, rec record.Record, options string, steps map[string][]amitest.Step) (*screen, error) {
	c.t.Helper()
	all := map[string][]amitest.Step{}
	for region := range regionAMIs {
		all[region] = c.smooth(region)
		if own, ok := steps[region]; ok {
			all[region] = own
		}
	}
	server := amitest.Serve(all)
	ui, err := process(c.t, configured(c.t, builderType, rec, fmt.Sprintf("region = \"eu-west-1\"\naccess_key = \"AKIDEXAMPLE\"\n"+
		"secret_key = \"secret\"\ncustom_endpoint_ec2 = %q\n%s", server.URL, options)), &fakeArtifact{id: regionArtifact})
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
				amitest.Times(k, amitest.NotFound().On("DescribeImages")), []amitest.Step{c.tagged(region)})
		},
		"throttled": func(c cloud, region string) []amitest.Step {
			return slices.Concat(
				amitest.Times(3, amitest.Throttled().On("DescribeImages")), []amitest.Step{c.bare(region)},
				amitest.Times(3, amitest.Throttled().On("CreateTags")), []amitest.Step{refuse("Throttling"), c.tag(region)},
				amitest.Times(3, amitest.Throttled().On("DescribeImages")), []amitest.Step{c.tagged(region)})
		},
		"pending": func(c cloud, region string) []amitest.Step {
			pending := amitest.Describe(amitest.Image{ID: regionAMIs[region], State: "pending"})
			return append(amitest.Times(3, pending), c.smooth(region)...)
		},
		"snapshot not known yet, tags not shown yet": func(c cloud, region string) []amitest.Step {
			return []amitest.Step{c.bare(region), refuse("InvalidSnapshot.NotFound"), c.tag(region), c.bare(region), c.tagged(region)}
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

// TestEC2_oneRegionRefuses: the others are tagged, nothing is published, the text names the region,
// and the same build again does only what is missing.
func TestEC2_oneRegionRefuses(t *testing.T) {
	const region = "us-east-1"
	id := regionAMIs[region]
	crowded := map[string]string{"chain:image": "app"}
	for i := range 49 {
		crowded[fmt.Sprintf("k%d", i)] = ""
	}
	full := amitest.Describe(amitest.Image{ID: id, Snapshots: []string{"snap-0a1b2c3d"}, Tags: crowded})
	deny := func(action string) amitest.Step {
		return amitest.Refuse(403, "UnauthorizedOperation", "You are not authorized.").On(action)
	}
	optIn := amitest.Refuse(403, "OptInRequired", "You are not subscribed.").On("DescribeImages")
	for name, tt := range map[string]struct {
		steps func(c cloud) []amitest.Step
		want  []string
	}{
		"not allowed to tag": {func(c cloud) []amitest.Step {
			return []amitest.Step{c.bare(region), deny("CreateTags")}
		},
			[]string{"tag " + id + ", snap-0a1b2c3d in us-east-1: ec2:CreateTags is not allowed", "need ec2:CreateTags in us-east-1"}},
		"not allowed to look": {func(cloud) []amitest.Step { return []amitest.Step{deny("DescribeImages")} },
			[]string{"find " + id + " in us-east-1: ec2:DescribeImages is not allowed", "need ec2:DescribeImages in us-east-1"}},
		"too many tags": {func(cloud) []amitest.Step {
			return []amitest.Step{full, amitest.Refuse(400, "TagLimitExceeded", "over").On("CreateTags")}
		}, []string{"TagLimitExceeded", id + " in us-east-1 has 50 already; of the new ones these are missing: chain:manifest."}},
		"tag policy": {func(c cloud) []amitest.Step {
			return []amitest.Step{c.bare(region), amitest.Refuse(400, "TagPolicyViolation", "env is missing").On("CreateTags")}
		}, []string{"env is missing", "A tag policy of the organization refuses the tags"}},
		"region not enabled": {func(cloud) []amitest.Step { return []amitest.Step{optIn} },
			[]string{"find " + id + " in us-east-1: ", "The region us-east-1 is not enabled for this account"}},
		"failed": {func(cloud) []amitest.Step {
			return []amitest.Step{amitest.Describe(amitest.Image{ID: id, State: "failed", Reason: "disk broke"})}
		}, []string{"find " + id + " in us-east-1: " + id + " has failed: disk broke"}},
	} {
		t.Run(name, func(t *testing.T) {
			c := cloud{t, folder(t)}
			ui, err := c.publish("amazon-ebs", newRecord(c.dir), "", map[string][]amitest.Step{region: tt.steps(c)})
			check(t, err)
			c.wantUnpublished(ui, tt.want...)

			again := c.done()
			again[region] = c.smooth(region)
			ui, err = c.publish("chain", passedThrough(c.dir, copied(t, localPath), true), "", again)
			if err != nil || len(ui.red) > 0 || !points(t, c.dir, "latest") || copied(t, localPath).Chain.Published != nil {
				t.Errorf("running it again does not finish: %v, %q", err, ui.red)
			}
		})
	}
}

// done are the regions as they are when all their tags exist: only the snapshots are tagged again.
func (c cloud) done() map[string][]amitest.Step {
	steps := map[string][]amitest.Step{}
	for region := range regionAMIs {
		steps[region] = []amitest.Step{c.tagged(region), amitest.Tag("snap-0a1b2c3d")}
	}
	return steps
}

// wantUnpublished checks that only the text and the local manifest name the image.
func (c cloud) wantUnpublished(ui *screen, want ...string) {
	c.t.Helper()
	want = append(want, "The manifest is not published.", "The image is kept: "+regionArtifact, "run the same packer build again")
	for _, text := range want {
		if len(ui.red) != 1 || !strings.Contains(ui.red[0], text) {
			c.t.Errorf("got %q, want %q in it", ui.red, text)
		}
	}
	if stored(c.t, c.dir) != nil || points(c.t, c.dir, "latest") || points(c.t, c.dir, "git-"+sha1) {
		c.t.Error("something is published")
	}
	if local := copied(c.t, localPath); local.Chain.Published == nil || *local.Chain.Published {
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
	ui, err := c.publish("amazon-ebs", newRecord(c.dir), "", nil)
	const want = "warning: amazon-ebs.image was in ap-south-1 and is in eu-central-1, eu-west-1, us-east-1 now: "
	if err != nil || len(ui.red) != 1 || !strings.HasPrefix(ui.red[0], want) {
		t.Errorf("got %v, %q, want %q", err, ui.red, want)
	}
}

// TestEC2_fail has the error of the region end the build, and nothing published.
func TestEC2_fail(t *testing.T) {
	c := cloud{t, folder(t)}
	deny := amitest.Refuse(403, "UnauthorizedOperation", "You are not authorized.").On("DescribeImages")
	_, err := c.publish("amazon-ebs", newRecord(c.dir), `on_failure = "fail"`, map[string][]amitest.Step{"us-east-1": {deny}})
	if err == nil || !strings.Contains(err.Error(), "in us-east-1: ec2:DescribeImages is not allowed") ||
		!strings.HasSuffix(err.Error(), "The manifest is not published.") || stored(t, c.dir) != nil {
		t.Errorf("got %v", err)
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
			steps := c.done()
			steps["us-east-1"] = amitest.Times(1000, tt.response)
			server := amitest.Serve(steps)
			ui, err := process(t, configured(t, "amazon-ebs", newRecord(c.dir), fmt.Sprintf("region = \"eu-west-1\"\n"+
				"access_key = \"AKIDEXAMPLE\"\nsecret_key = \"secret\"\npublish_timeout = \"1s\"\ncustom_endpoint_ec2 = %q", server.URL)),
				&fakeArtifact{id: regionArtifact})
			check(t, err)
			_ = server.Close()
			if server.Seen("us-east-1", "DescribeImages") < 2 {
				t.Error("it was asked for once only")
			}
			c.wantUnpublished(ui, "find "+regionAMIs["us-east-1"]+" in us-east-1: gave up after ", tt.want)
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
	ui, err := process(t, configured(t, "file", newRecord("s3://acme-images/chain"), options), &fakeArtifact{id: "File"})
	check(t, err)
	for _, want := range []string{"s3://acme-images/chain/app/builds/", "access denied", "s3:ListBucket", "The manifest is not published."} {
		if len(ui.red) != 1 || !strings.Contains(ui.red[0], want) {
			t.Errorf("got %q, want %q in it", ui.red, want)
		}
	}
}
