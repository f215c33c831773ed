// SPDX-License-Identifier: MPL-2.0

package publish

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/packer-chain/packer-plugin-chain/internal/access"
	"github.com/packer-chain/packer-plugin-chain/internal/ami/amitest"
	"github.com/packer-chain/packer-plugin-chain/internal/fingerprint"
	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
	"github.com/packer-chain/packer-plugin-chain/internal/record"
	"github.com/packer-chain/packer-plugin-chain/internal/registry"
	"github.com/packer-chain/packer-plugin-chain/internal/store"
	"github.com/packer-chain/packer-plugin-chain/internal/store/storetest/memstore"
)

// only returns scripts in which all regions are looked at, and none is tagged.
func (c cloud) only() map[string][]amitest.Step {
	steps := map[string][]amitest.Step{}
	for region := range regionAMIs {
		steps[region] = []amitest.Step{c.bare(region)}
	}
	return steps
}

// wantMistake checks that a mistake in the template fails the build, that nothing is published, and
// that the next run does not publish it either.
func (c cloud) wantMistake(err error, want string) {
	c.t.Helper()
	if err == nil || err.Error() != "publish app: "+want {
		c.t.Errorf("got %v, want %s", err, want)
	}
	if stored(c.t, c.dir) != nil || points(c.t, c.dir, "latest") || leaves(c.t, c.dir, "main") {
		c.t.Error("something is published")
	}
	if _, err := os.Stat(localPath(c.dir)); err == nil {
		c.t.Error("the next run would publish it")
	}
}

// TestEC2_source compares the AMI that the image was built on with what its record names.
func TestEC2_source(t *testing.T) {
	const built = "ami-0d3e4f5a6b708192a"
	base := manifest.Parent{Image: "base", Identity: ami1, AMI: ami1, AMIs: map[string]string{"eu-west-1": ami1, "us-east-1": ami2}}
	tools := manifest.Parent{Image: "tools", AMI: "ami-0e4f5a6b708192a3b"}
	docker := manifest.Parent{Image: "docker", Identity: "sha256:1"}
	_, components := fingerprint.Compute(fingerprint.Parts{Image: "app", Inputs: map[string]string{"ubuntu": built, "docker": "28"}})
	const remedy = "\n\nSet source_ami = data.chain.NAME.id, of the data source whose ref is in parents. Nothing was tagged or published."
	neither := []string{"warning: the image was built on " + built + ", which is neither a parent nor the value of an input: when a newer one appears, " +
		"nothing is built. Find it with data \"amazon-ami\", and add its id to inputs of data \"chain-image\""}
	shown := func(tags map[string]string) []amitest.Step {
		return []amitest.Step{amitest.Describe(amitest.Image{ID: built, Tags: tags})}
	}
	for name, tt := range map[string]struct {
		parents    []manifest.Parent
		components []manifest.Component
		source     string
		looked     []amitest.Step // in the region where it was built
		failed     string
		red        []string
	}{
		"the parent":                   {[]manifest.Parent{base}, nil, ami1, nil, "", nil},
		"the parent in another region": {[]manifest.Parent{base}, nil, ami2, nil, "", nil},
		"the second parent":            {[]manifest.Parent{tools, base}, nil, ami1, nil, "", nil},
		"the builder does not say":     {[]manifest.Parent{base}, nil, "", nil, "", nil},
		"the value of an input":        {nil, components, built, nil, "", nil},
		"an input beside a parent":     {[]manifest.Parent{docker}, components, built, nil, "", nil},
		"another than the parent":      {[]manifest.Parent{base}, nil, built, nil, "it was built on " + built + ", but its parent is " + ami1 + " (base)" + remedy, nil},
		"none of two": {[]manifest.Parent{base, docker, tools}, nil, built, nil,
			"it was built on " + built + ", but its parent is " + ami1 + " (base) or ami-0e4f5a6b708192a3b (tools)" + remedy, nil},
		"an image of this plugin, no parent": {nil, nil, built, shown(map[string]string{"chain:image": "base"}),
			"it was built on " + built + " in ap-south-1, which is image base of this plugin, but parents of data \"chain-image\" does not name it: " +
				"a new build of base would never reach it\n\nFind it with a data \"chain\", and set parents = [data.chain.NAME.ref]. Nothing was tagged or published.", nil},
		"neither":                     {nil, nil, built, shown(nil), "", neither},
		"neither, beside an artifact": {[]manifest.Parent{docker}, nil, built, shown(map[string]string{"Name": "x"}), "", neither},
		"neither, gone":               {nil, nil, built, []amitest.Step{amitest.NotFound().On("DescribeImages")}, "", neither},
		"neither, region not known":   {nil, nil, built, nil, "", neither},
	} {
		t.Run(name, func(t *testing.T) {
			c := cloud{t, folder(t)}
			rec := newRecord(c.dir)
			rec.Parents, rec.Components = tt.parents, tt.components
			source := &fakeArtifact{id: regionArtifact, state: map[string]any{
				"generated_data": map[any]any{"SourceAMI": tt.source, "BuildRegion": "ap-south-1"}}}
			if tt.looked == nil { // Nothing has to be looked at then.
				source.state["generated_data"] = map[any]any{"SourceAMI": tt.source}
			}
			if tt.failed != "" {
				c.wantMistake(c.untagged(source, rec, tt.looked), tt.failed)
				return
			}
			ui, err := c.publishArtifact(source, "amazon-ebs", rec, "", map[string][]amitest.Step{"ap-south-1": tt.looked})
			if err != nil || !slices.Equal(ui.red, tt.red) || !points(t, c.dir, "latest") {
				t.Errorf("got %v, %q", err, ui.red)
			}
		})
	}
}

// untagged publishes what fails before anything is tagged. The failure may end other requests
// before they are sent.
func (c cloud) untagged(source *fakeArtifact, rec record.Record, looked []amitest.Step) error {
	c.t.Helper()
	steps := c.only()
	steps["ap-south-1"] = looked
	server := amitest.Serve(steps)
	_, err := process(c.t, configured(c.t, "amazon-ebs", rec, fmt.Sprintf("region = \"eu-west-1\"\naccess_key = \"AKIDEXAMPLE\"\n"+
		"secret_key = \"secret\"\ncustom_endpoint_ec2 = %q\non_failure = \"keep\"\n", server.URL)), source)
	_ = server.Close()
	for region := range regionAMIs {
		if server.Seen(region, "CreateTags") > 0 {
			c.t.Errorf("AMIs in %s are tagged", region)
		}
	}
	return err
}

// TestEC2_mistakes are AMIs that cannot be those of the record. None is tagged.
func TestEC2_mistakes(t *testing.T) {
	const other = "us-east-1"
	id := regionAMIs[other]
	for name, tt := range map[string]struct {
		change func(*record.Record)
		image  amitest.Image
		none   bool // EC2 is not asked at all
		want   string
	}{
		"of another record": {func(*record.Record) {}, amitest.Image{Tags: map[string]string{"chain:fingerprint": print2}}, false,
			id + " in us-east-1 belongs to another record: it is tagged with fingerprint 222222222222, and not 111111111111\n\n" + otherRecord},
		"another architecture": {func(rec *record.Record) { rec.Architecture = "x86_64" }, amitest.Image{Arch: "arm64"}, false,
			id + " in us-east-1 is for arm64, and data \"chain-image\" has architecture x86_64\n\nCorrect one of the two. Nothing was tagged or published."},
		"a region is missing": {func(rec *record.Record) { rec.Regions = []string{"ap-south-1", "eu-west-1", "eu-north-1"} }, amitest.Image{}, true,
			"amazon-ebs.image has no AMI in ap-south-1, eu-north-1, where data \"chain-image\" looks for it\n\nLet the builder make it there " +
				"(ami_regions), or correct region or regions of data \"chain-image\". Nothing was tagged or published."},
	} {
		t.Run(name, func(t *testing.T) {
			c := cloud{t, folder(t)}
			rec := newRecord(c.dir)
			tt.change(&rec)
			steps := c.only()
			tt.image.ID = id
			steps[other] = []amitest.Step{amitest.Describe(tt.image)}
			if tt.none {
				steps = map[string][]amitest.Step{"eu-central-1": nil, "eu-west-1": nil, "us-east-1": nil}
			}
			_, err := c.publish("amazon-ebs", rec, `on_failure = "keep"`, steps)
			c.wantMistake(err, tt.want)
		})
	}
}

// TestEC2_sessionRegion: without regions, the image must be in the region of the session.
func TestEC2_sessionRegion(t *testing.T) {
	c := cloud{t, folder(t)}
	source := &fakeArtifact{id: "us-east-1:" + regionAMIs["us-east-1"]}
	_, err := c.publishArtifact(source, "amazon-ebs", newRecord(c.dir), "", map[string][]amitest.Step{"eu-central-1": nil, "eu-west-1": nil, "us-east-1": nil})
	if err == nil || !strings.HasPrefix(err.Error(), "publish app: amazon-ebs.image has no AMI in eu-west-1, ") {
		t.Errorf("got %v", err)
	}
}

// TestEC2_right has the tags of the record on the AMIs already, and the architecture that it names.
func TestEC2_right(t *testing.T) {
	c := cloud{t, folder(t)}
	rec := newRecord(c.dir)
	rec.Architecture, rec.Regions = "x86_64", []string{"us-east-1", "eu-west-1"}
	rec.Tags = map[string]string{"chain:image": "app", "chain:fingerprint": print1}
	steps := map[string][]amitest.Step{}
	for region := range regionAMIs {
		shown := c.shown(region, rec.Tags)
		steps[region] = []amitest.Step{shown, amitest.Tag("snap-0a1b2c3d"), shown, c.mark(region)}
	}
	ui, err := c.publish("amazon-ebs", rec, "", steps)
	if err != nil || len(ui.red) > 0 || !points(t, c.dir, "latest") {
		t.Errorf("got %v, %q", err, ui.red)
	}
}

// TestEC2_markIsLast: an AMI whose manifest was not written does not carry its address. The wait
// for the other tags, which do not show here, ends with the write.
func TestEC2_markIsLast(t *testing.T) {
	c := cloud{t, folder(t)}
	check(t, os.WriteFile(c.dir, nil, 0o644))
	steps := map[string][]amitest.Step{}
	for region := range regionAMIs {
		steps[region] = append([]amitest.Step{c.bare(region), c.tag(region)}, amitest.Times(100, c.bare(region))...)
	}
	server := amitest.Serve(steps)
	_, err := process(t, configured(t, "amazon-ebs", newRecord(c.dir), fmt.Sprintf("region = \"eu-west-1\"\naccess_key = \"AKIDEXAMPLE\"\n"+
		"secret_key = \"secret\"\npublish_timeout = \"15s\"\ncustom_endpoint_ec2 = %q\n", server.URL)), &fakeArtifact{id: regionArtifact})
	_ = server.Close()
	for region := range regionAMIs {
		if n := server.Seen(region, "CreateTags"); n != 1 {
			t.Errorf("%d requests to tag in %s, want 1", n, region)
		}
	}
	begin := "publish app: write the manifest: update " + filepath.Join(c.dir, "app", "builds", print1+".json") + ": not written: "
	if err == nil || !strings.HasPrefix(err.Error(), begin) || !strings.Contains(err.Error(), "\n\nThe manifest is not published.\n") ||
		strings.Contains(err.Error(), "not visible") {
		t.Errorf("got %v", err)
	}
}

// slow is a store that writes a manifest only a while after EC2 was asked for the tags.
type slow struct {
	*memstore.Store
	asked func() bool
}

func (s *slow) Put(ctx context.Context, key string, body []byte, tag string) (string, error) {
	for !s.asked() && ctx.Err() == nil {
		time.Sleep(time.Millisecond)
	}
	select {
	case <-ctx.Done():
		return "", fmt.Errorf("write %s: %w", key, store.ErrUnknown)
	case <-time.After(200 * time.Millisecond):
		return s.Store.Put(ctx, key, body, tag)
	}
}

// TestEC2_tagsUnreadable: the manifest is written all the same, and the text says so. Cause: the
// end of the wait for the tags broke the write off, and nobody knew whether it had landed.
func TestEC2_tagsUnreadable(t *testing.T) {
	const region = "us-east-1"
	source := &fakeArtifact{id: region + ":" + regionAMIs[region]}
	c := cloud{t, folder(t)}
	deny := amitest.Refuse(403, "UnauthorizedOperation", "You are not authorized.").On("DescribeImages")
	server := amitest.Start(t, map[string][]amitest.Step{region: {c.bare(region), c.tag(region), deny}})
	p := configured(t, "amazon-ebs", newRecord(c.dir), fmt.Sprintf("region = %q\naccess_key = \"AKIDEXAMPLE\"\n"+
		"secret_key = \"secret\"\ncustom_endpoint_ec2 = %q\n", region, server.URL))
	j := publication{config: p.config, ui: &screen{}, rec: newRecord(c.dir)}
	own, err := j.describe(t.Context(), source)
	check(t, err)
	conn := access.Open(t.Context(), &j.config.Config, c.dir, nil)
	reg := registry.New(&slow{memstore.New(), func() bool { return server.Seen(region, "DescribeImages") > 1 }})
	stored, _, err := j.publishManifest(t.Context(), conn, reg, source, own)
	err = j.failed(t.Context(), source, progress{own: own, stored: stored}, err)
	for _, want := range []string{"in us-east-1: ec2:DescribeImages is not allowed", "The manifest is published (memory://", "run the same packer build again: it builds nothing."} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q in it", err, want)
		}
	}
	if _, err := reg.Manifest(t.Context(), "app", print1); err != nil {
		t.Error(err)
	}
}

// TestEC2_repairMark marks what an earlier run published and could not mark. It does not fail a run
// that may not.
func TestEC2_repairMark(t *testing.T) {
	deny := amitest.Refuse(403, "UnauthorizedOperation", "You are not authorized.").On("CreateTags")
	for name, tt := range map[string]struct {
		unmarked bool
		steps    func(c cloud) []amitest.Step
		red      string
		fails    bool
	}{
		"unmarked": {true, func(c cloud) []amitest.Step { return []amitest.Step{c.mark("us-east-1")} }, "", false},
		"marked":   {false, func(cloud) []amitest.Step { return nil }, "", false},
		"denied": {true, func(cloud) []amitest.Step { return []amitest.Step{deny} },
			"warning: the AMIs still lack the tag chain:manifest: tag " + regionAMIs["us-east-1"], false},
		"failed": {true, func(cloud) []amitest.Step {
			return []amitest.Step{amitest.Refuse(400, "TagPolicyViolation", "env is missing").On("CreateTags")}
		}, "", true},
	} {
		t.Run(name, func(t *testing.T) {
			c := cloud{t, folder(t)}
			_, err := c.publish("amazon-ebs", newRecord(c.dir), "channels = []", nil)
			check(t, err)
			rec := passedThrough(c.dir, stored(t, c.dir), false)
			rec.Unmarked = tt.unmarked
			steps := map[string][]amitest.Step{}
			for region := range regionAMIs {
				if steps[region] = nil; tt.unmarked {
					steps[region] = []amitest.Step{c.mark(region)}
				}
			}
			steps["us-east-1"] = tt.steps(c)
			ui, err := c.publish("chain", rec, "", steps)
			if (err != nil) != tt.fails || points(t, c.dir, "latest") == tt.fails {
				t.Errorf("got %v", err)
			}
			if (tt.red == "") != (len(ui.red) == 0) || tt.red != "" && !strings.HasPrefix(ui.red[0], tt.red) {
				t.Errorf("in red: %q", ui.red)
			}
		})
	}
}

// TestEC2_architectures warns if the channel was on AMIs for other machines.
func TestEC2_architectures(t *testing.T) {
	c := cloud{t, folder(t)}
	moved(t, c.dir, "latest", func(r *registry.Request) { older(r); r.To.Builds[0].Architecture = "arm64" })
	ui, err := c.publish("amazon-ebs", newRecord(c.dir), "", nil)
	want := []string{"warning: channel latest was for arm64 and is for x86_64 now. If jobs build the template for one architecture each, " +
		"set architecture in data \"chain-image\", and give each its own image name"}
	if err != nil || !slices.Equal(ui.red, want) || !points(t, c.dir, "latest") {
		t.Errorf("got %v, %q", err, ui.red)
	}
}
