// SPDX-License-Identifier: MPL-2.0

package image

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/zclconf/go-cty/cty"

	"github.com/packer-chain/packer-plugin-chain/internal/ami/amitest"
	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
	"github.com/packer-chain/packer-plugin-chain/internal/manifest/manifesttest"
	"github.com/packer-chain/packer-plugin-chain/internal/option/optiontest"
	"github.com/packer-chain/packer-plugin-chain/internal/record"
	"github.com/packer-chain/packer-plugin-chain/internal/tags"
)

// recordOf is the record among the outputs.
func recordOf(t *testing.T, value cty.Value, err error) record.Record {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	rec, err := record.Decode(value.GetAttr("record").AsString())
	if err != nil {
		t.Fatal(err)
	}
	return rec
}

// tagged is an AMI with a fingerprint. uri is that of its manifest, if it was published.
func tagged(id, fingerprint, uri string) amitest.Image {
	image := amitest.Image{ID: id, Tags: map[string]string{tags.Fingerprint: fingerprint}}
	if uri != "" {
		image.Tags[tags.Manifest] = uri
	}
	return image
}

// TestEC2_abandoned has AMIs of a run whose test or publication failed. The next run builds again,
// and names them. What goes wrong with that fails no run.
func TestEC2_abandoned(t *testing.T) {
	optiontest.Offline(t)
	const left = "ami-0d3e4f5a6b7081920"
	unpublished := entry("2", now)
	unpublished.Name, unpublished.BuilderType, unpublished.ArtifactID = "image", "amazon-ebs", here+":"+left
	unpublished.Images = []manifest.Image{{Provider: "aws", Region: here, ID: left}}
	gone := func() manifest.Entry {
		return manifest.Entry{Name: "image", BuilderType: "amazon-ebs", PackerRunUUID: "run", BuildTime: now.Unix(),
			ArtifactID: here + ":" + ami1, Images: []manifest.Image{{Provider: "aws", Region: here, ID: ami1}}}
	}
	both := fmt.Sprintf("regions = [%q]\nsources = [\"amazon-ebs.image\", \"amazon-ebs.other\"]", here)
	tests := map[string]struct {
		options string
		prepare func(t *testing.T, rec record.Record)
		steps   func(fingerprint string) []amitest.Step
		want    []string
	}{
		"a test failed": {steps: func(f string) []amitest.Step {
			return []amitest.Step{amitest.Describe(tagged(left, f, ""), tagged(ami2, f, "s3://b/m.json"))}
		}, want: []string{left + " in " + here}},
		"nothing was left": {steps: func(string) []amitest.Step { return []amitest.Step{amitest.Describe()} }},
		"not allowed": {steps: func(string) []amitest.Step {
			return []amitest.Step{amitest.Refuse(403, "UnauthorizedOperation", "You are not authorized.")}
		}},
		// No run asks about a region without being sure that there is AWS.
		"no regions": {options: " ", steps: func(string) []amitest.Step { return nil }},
		"the image that was published is gone": {
			prepare: func(t *testing.T, rec record.Record) { publish(t, rec, gone()) },
			steps: func(f string) []amitest.Step {
				return []amitest.Step{lookedFor(ami1, amitest.Describe()), amitest.Describe(tagged(left, f, ""), tagged(ami1, f, ""))}
			}, want: []string{left + " in " + here}},
		"all builds are revoked": {
			prepare: func(t *testing.T, rec record.Record) {
				old := gone()
				old.Revoked = manifesttest.Revoked("leaked", now)
				onlyPublish(t, rec, old)
			},
			steps: func(f string) []amitest.Step { return []amitest.Step{amitest.Describe(tagged(left, f, ""))} },
			want:  []string{left + " in " + here}},
		// It is still to be published, and is not abandoned.
		"one source is in the local manifest": {options: both,
			prepare: func(t *testing.T, rec record.Record) { local(t, rec, new(bool), unpublished) },
			steps: func(f string) []amitest.Step {
				return []amitest.Step{lookedFor(left, amitest.Describe(amitest.Image{ID: left})), amitest.Describe(tagged(left, f, ""), tagged(ami2, f, ""))}
			}, want: []string{ami2 + " in " + here}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			newRepo(t, app)
			if tt.options == "" {
				tt.options = fmt.Sprintf("regions = [%q]", here)
			}
			sources := strings.TrimPrefix(tt.options, fmt.Sprintf("regions = [%q]", here))
			first := looked(t, sources, "first build of app")
			if tt.prepare != nil {
				tt.prepare(t, first)
			}
			value, err := fromEC2(t, tt.options, map[string][]amitest.Step{here: tt.steps(first.Fingerprint)})
			rec := recordOf(t, value, err)
			if diff := cmp.Diff(tt.want, rec.Abandoned); diff != "" || len(rec.Pending) == 0 {
				t.Errorf("pending %q; %s", rec.Pending, diff)
			}
		})
	}
}

// TestEC2_unmarked has an image that was published by a run which ended before it tagged the AMIs
// with the address of their manifest.
func TestEC2_unmarked(t *testing.T) {
	optiontest.Offline(t)
	publishedAMI(t)
	is := func(id, uri string) amitest.Step { return lookedFor(id, amitest.Describe(tagged(id, "f", uri))) }
	const uri = "s3://acme-images/m.json"
	none := amitest.Describe()
	for name, tt := range map[string]struct {
		options   string
		here, far []amitest.Step
		want      bool
	}{
		"marked":              {here: []amitest.Step{is(ami1, uri)}},
		"not marked":          {here: []amitest.Step{is(ami1, "")}, want: true},
		"both are marked":     {options: `"us-east-1"`, here: []amitest.Step{is(ami1, uri)}, far: []amitest.Step{is(ami2, uri)}},
		"the second is not":   {options: `"us-east-1"`, here: []amitest.Step{is(ami1, uri)}, far: []amitest.Step{is(ami2, "")}, want: true},
		"one is to be built":  {options: `"us-east-1"`, here: []amitest.Step{is(ami1, ""), none}, far: []amitest.Step{lookedFor(ami2, none)}},
		"both, and not first": {options: `"us-east-1"`, here: []amitest.Step{is(ami1, "")}, far: []amitest.Step{is(ami2, uri)}, want: true},
	} {
		t.Run(name, func(t *testing.T) {
			value, err := fromEC2(t, fmt.Sprintf("regions = [%q, %s]", here, tt.options), map[string][]amitest.Step{here: tt.here, far: tt.far})
			if rec := recordOf(t, value, err); rec.Unmarked != tt.want {
				t.Errorf("got %v for %q", rec.Unmarked, rec.Pending)
			}
		})
	}
}

// TestEC2_unmarkedYet has an AMI that this run is going to publish and to tag.
func TestEC2_unmarkedYet(t *testing.T) {
	optiontest.Offline(t)
	newRepo(t, app)
	rec := looked(t, "", "first build of app")
	local(t, rec, new(bool), manifest.Entry{Name: "image", BuilderType: "amazon-ebs", PackerRunUUID: "run", BuildTime: now.Unix(),
		ArtifactID: here + ":" + ami1, Images: []manifest.Image{{Provider: "aws", Region: here, ID: ami1}}})
	value, err := fromEC2(t, "", map[string][]amitest.Step{here: {lookedFor(ami1, amitest.Describe(tagged(ami1, rec.Fingerprint, "")))}})
	if rec = recordOf(t, value, err); !rec.Unpublished || rec.Unmarked {
		t.Errorf("unpublished %v, unmarked %v", rec.Unpublished, rec.Unmarked)
	}
}

// TestEC2_notAsked: an image that is not an AMI needs no AWS, even if there is one.
func TestEC2_notAsked(t *testing.T) {
	optiontest.Offline(t)
	newRepo(t, app)
	publish(t, looked(t, "", "first build of app"), entry("1", now))
	value, err := fromEC2(t, "", nil)
	if rec := recordOf(t, value, err); len(rec.Pending) > 0 || rec.Unmarked || value.GetAttr("id").AsString() != "File-1" {
		t.Errorf("got %+v", rec)
	}
}
