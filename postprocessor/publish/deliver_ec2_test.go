// SPDX-License-Identifier: MPL-2.0

package publish

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/packer-chain/packer-plugin-chain/internal/ami/amitest"
	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
	"github.com/packer-chain/packer-plugin-chain/internal/parameter/parametertest"
	"github.com/packer-chain/packer-plugin-chain/internal/record"
	"github.com/packer-chain/packer-plugin-chain/internal/registry"
)

const (
	here, there = "eu-west-1", "us-east-1"
	snapshot    = "snap-0a1b2c3d"
	account     = "111122223333"
	unit        = "arn:aws:organizations::111122223333:ou/o-exampleorgid/ou-exam-pleouid1"
	path        = "/images/app/production"
	byPath      = "ssm_parameter {\n name = \"/images/{image}/{channel}\"\n}\n"
	toOthers    = "share {\n accounts = [\"" + account + "\"]\n organizations = [\"" + unit + "\"]\n}\n"
)

// shop is an account with the image app in two regions, found in the channel latest. It is promoted
// to production.
type shop struct {
	cloud
	rec record.Record
	ssm *parametertest.Server
}

func newShop(t *testing.T) *shop {
	t.Helper()
	s := &shop{cloud: cloud{t, folder(t)}, ssm: parametertest.Start(t)}
	t.Setenv("AWS_ENDPOINT_URL_SSM", s.ssm.URL)
	s.rec = s.record("run", regionAMIs[here], regionAMIs[there])
	return s
}

// record publishes an image of a run, and returns the record that data "chain" has of it.
func (s *shop) record(run, amiHere, amiThere string) record.Record {
	s.t.Helper()
	entry := manifest.Entry{Name: "image", BuilderType: "amazon-ebs", BuilderID: "mitchellh.amazonebs", PackerRunUUID: run,
		ArtifactID: here + ":" + amiHere + "," + there + ":" + amiThere, Images: []manifest.Image{
			{Provider: manifest.ProviderAWS, Region: here, ID: amiHere, Architecture: "x86_64", Snapshots: []string{snapshot}},
			{Provider: manifest.ProviderAWS, Region: there, ID: amiThere, Architecture: "x86_64", Snapshots: []string{snapshot}}}}
	facts := newRecord(s.dir).Facts
	got, err := open(s.t, s.dir).Publish(s.t.Context(), facts, []manifest.Entry{entry}, nil)
	check(s.t, err)
	at := registry.TargetOf(print1, []manifest.Entry{entry})
	at.Content, at.GitSHA, at.Origin, at.Line = facts.Git.Content, sha1, facts.Git.Origin, main
	at.Position = registry.Position{Commit: sha1, CommitTime: now, DecidedAt: now.Add(time.Hour)}
	return record.Record{Facts: got.Manifest.Chain.Facts, Registry: s.dir, Entries: []manifest.Entry{entry},
		Reason: "the image of channel latest", DecidedAt: at.DecidedAt, Pointer: &record.Pointer{Target: at, Channel: "latest", Seq: 1}}
}

// promote runs the post-processor with a script of EC2. A region that is not named is not asked.
func (s *shop) promote(options string, steps map[string][]amitest.Step) (*screen, error) {
	s.t.Helper()
	all := map[string][]amitest.Step{here: nil, there: nil}
	maps.Copy(all, steps)
	server := amitest.Serve(all)
	ui := &screen{}
	p := configured(s.t, "chain", s.rec, s.access(server.URL)+production+"\n"+options)
	_, _, _, err := p.PostProcess(s.t.Context(), ui, s.rec.Artifact())
	if scriptErr := server.Close(); scriptErr != nil {
		s.t.Errorf("the script of EC2: %v\n%v, %q", scriptErr, err, ui.red)
	}
	return ui, err
}

func (s *shop) access(ec2 string) string {
	return fmt.Sprintf("region = %q\naccess_key = \"AKIDEXAMPLE\"\nsecret_key = \"secret\"\ncustom_endpoint_ec2 = %q\n", here, ec2)
}

// inBoth returns a script for each region.
func inBoth(steps func(region string) []amitest.Step) map[string][]amitest.Step {
	return map[string][]amitest.Step{here: steps(here), there: steps(there)}
}

// looked is what happens in a region where nothing but a look is needed.
func (s *shop) looked(region string) []amitest.Step { return []amitest.Step{s.tagged(region)} }

// wantParameters wants the parameters of production to name these AMIs; "" that they do not exist.
func (s *shop) wantParameters(amiHere, amiThere string) {
	s.t.Helper()
	for region, want := range map[string]string{here: amiHere, there: amiThere} {
		got := s.ssm.Shown(region, path)
		if got.Value != want || want != "" && (got.Type != "String" || got.DataType != parametertest.Image) {
			s.t.Errorf("%s: the parameter is %+v, want %s", region, got, want)
		}
	}
}

// untouched wants no request that changes something, and no move.
func (s *shop) untouched(err error, want ...string) {
	s.t.Helper()
	for _, text := range want {
		if err == nil || !strings.Contains(err.Error(), text) {
			s.t.Errorf("got %v\nwant %q in it", err, text)
		}
	}
	if points(s.t, s.dir, "production") {
		s.t.Error("production is moved")
	}
	for _, region := range []string{here, there} {
		if n := s.ssm.Seen(region, parametertest.Put) + s.ssm.Seen(region, parametertest.Get); n > 0 {
			s.t.Errorf("%s: %d requests to SSM", region, n)
		}
	}
}

// TestDeliver_parameters writes the parameters in every region once the channel has moved, and
// leaves them alone when nothing is to be done.
func TestDeliver_parameters(t *testing.T) {
	s := newShop(t)
	var mu sync.Mutex
	var early []string
	s.ssm.Check = func(id string) (time.Duration, bool) {
		mu.Lock()
		defer mu.Unlock()
		if !points(t, s.dir, "production") {
			early = append(early, id)
		}
		return 0, true
	}
	ui, err := s.promote(byPath, inBoth(s.looked))
	check(t, err)
	if len(early) > 0 {
		t.Errorf("%q were written before the channel moved", early)
	}
	for region, id := range map[string]string{here: regionAMIs[here], there: regionAMIs[there]} {
		if line := region + ": parameter " + path + " = " + id; !slices.Contains(ui.said, line) {
			t.Errorf("got %q, want %q", ui.said, line)
		}
	}
	s.wantParameters(regionAMIs[here], regionAMIs[there])
	ui, err = s.promote(byPath, inBoth(s.looked))
	check(t, err)
	if s.ssm.Seen(here, parametertest.Put) != 1 || s.ssm.Seen(there, parametertest.Put) != 1 || slices.ContainsFunc(ui.said, func(line string) bool { return strings.Contains(line, "parameter") }) {
		t.Errorf("to repeat it writes again: %q", ui.said)
	}
	// A parameter that was lost is written again by whoever finds the channel there.
	s.ssm.Set(there, path, parametertest.Parameter{Value: ami2, Type: "String", DataType: parametertest.Image})
	_, err = s.promote(byPath, inBoth(s.looked))
	check(t, err)
	s.wantParameters(regionAMIs[here], regionAMIs[there])

	// A rollback delivers too.
	older := s.record("older", ami1, ami2)
	older.Pointer.CommitTime = now.Add(-time.Minute)
	older.Pointer.Commit, older.Pointer.Content = sha2, map[string]string{"app": sha2}
	s.rec = older
	_, err = s.promote(byPath+"allow_rollback = true", map[string][]amitest.Step{
		here: {amitest.Describe(amitest.Image{ID: ami1})}, there: {amitest.Describe(amitest.Image{ID: ami2})}})
	check(t, err)
	s.wantParameters(ami1, ami2)
}

// TestDeliver_share gives the permissions before the channel moves: to accounts and organizations
// on the AMI, to accounts on the snapshots.
func TestDeliver_share(t *testing.T) {
	s := newShop(t)
	launch := func(region string, have ...string) amitest.Step {
		return amitest.LaunchPermission(regionAMIs[region], have...)
	}
	volume := func(have ...string) amitest.Step { return amitest.VolumePermission(snapshot, have...) }
	given := func(region string) []amitest.Step {
		return []amitest.Step{s.tagged(region), launch(region),
			amitest.Done("ModifyImageAttribute", "ImageId", regionAMIs[region], "LaunchPermission.Add.1.UserId", account,
				"LaunchPermission.Add.2.OrganizationalUnitArn", unit), volume(),
			amitest.Done("ModifySnapshotAttribute", "SnapshotId", snapshot, "CreateVolumePermission.Add.1.UserId", account),
			launch(region, account, unit), volume(account)}
	}
	refused := []amitest.Step{s.tagged(there), launch(there), amitest.Refuse(403, "UnauthorizedOperation", "no").On("ModifyImageAttribute")}
	_, err := s.promote(byPath+toOthers, map[string][]amitest.Step{here: given(here), there: refused})
	s.untouched(err, "promote app: share "+regionAMIs[there]+" in "+there+": ", "ec2:ModifyImageAttribute")

	have := func(region string) []amitest.Step {
		return []amitest.Step{s.tagged(region), launch(region, account, unit), volume(account)}
	}
	ui, err := s.promote(byPath+toOthers, map[string][]amitest.Step{here: have(here), there: given(there)})
	check(t, err)
	if !slices.ContainsFunc(ui.said, func(line string) bool { return strings.HasPrefix(line, "shared with "+account) }) || !points(t, s.dir, "production") {
		t.Errorf("got %q", ui.said)
	}
	s.wantParameters(regionAMIs[here], regionAMIs[there])
	_, err = s.promote(byPath+toOthers, inBoth(have))
	check(t, err)
}

// TestDeliver_tags adds the tags of a promotion in every region, and to the snapshots. It names no
// other key, so those of the build stay.
func TestDeliver_tags(t *testing.T) {
	s := newShop(t)
	const options = "tags = { Release = \"7\" }"
	with := map[string]string{"chain:image": "app", "Release": "7"}
	put := func(region string) amitest.Step {
		step := s.tag(region)
		maps.Copy(step.Want, map[string]string{"Tag.1.Key": "Release", "Tag.1.Value": "7", "Tag.2.Key": ""})
		return step
	}
	_, err := s.promote(options, map[string][]amitest.Step{
		here:  {s.tagged(here), put(here), s.shown(here, with)},
		there: {s.tagged(there), amitest.Refuse(403, "UnauthorizedOperation", "no").On("CreateTags")}})
	s.untouched(err, "promote app: tag "+regionAMIs[there], "ec2:CreateTags is not allowed")
	_, err = s.promote(options, map[string][]amitest.Step{
		here:  {s.shown(here, with), amitest.Tag(snapshot)}, // Snapshots are never looked at.
		there: {s.tagged(there), put(there), s.shown(there, with)}})
	check(t, err)
	if !points(t, s.dir, "production") {
		t.Error("production is not moved")
	}
}

// TestDeliver_notGood changes nothing at all if an AMI is not good in one region.
func TestDeliver_notGood(t *testing.T) {
	image := amitest.Image{ID: regionAMIs[there]}
	const all = byPath + toOthers + "tags = { Release = \"7\" }"
	for name, tt := range map[string]struct {
		steps []amitest.Step
		want  string
	}{
		"gone":       {[]amitest.Step{amitest.Describe(), amitest.NotFound().On("DescribeImages")}, "is gone or not visible"},
		"of others":  {[]amitest.Step{amitest.Describe(), amitest.Describe(amitest.Image{ID: image.ID, Owner: "999999999999"}), amitest.Describe()}, "belongs to 999999999999, not to self"},
		"revoked":    {[]amitest.Step{amitest.Describe(amitest.Image{ID: image.ID, Tags: map[string]string{"chain:revoked": "leaked"}})}, "is revoked: leaked"},
		"deprecated": {[]amitest.Step{amitest.Describe(amitest.Image{ID: image.ID, Deprecated: "2026-06-01T12:00:00.000Z"})}, "has been deprecated since 2026-06-01T12:00:00Z"},
		"disabled":   {[]amitest.Step{amitest.Describe(amitest.Image{ID: image.ID, State: "disabled"})}, "is disabled"},
		"not seen":   {[]amitest.Step{amitest.Refuse(403, "UnauthorizedOperation", "no").On("DescribeImages")}, "ec2:DescribeImages is not allowed"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newShop(t)
			_, err := s.promote(all, map[string][]amitest.Step{here: s.looked(here), there: tt.steps})
			s.untouched(err, "promote app: ", there, tt.want)
			if tt.want != "ec2:DescribeImages is not allowed" {
				s.untouched(err, regionAMIs[there]+" in "+there+" "+tt.want, "Build the image again: it needs a good AMI in every region. No channel is moved.")
			}
		})
	}
	t.Run("revoked in the manifest since", func(t *testing.T) {
		s := newShop(t)
		mark := manifest.Revocation{Change: manifest.Change{Reason: "leaked"}}
		_, err := open(t, s.dir).Revoke(t.Context(), "app", s.rec.Pointer.Target, mark)
		check(t, err)
		_, err = s.promote(all, inBoth(s.looked))
		s.untouched(err, "promote app: ", "was revoked at ", ": leaked")
	})
}

// TestDeliver_notMoved delivers nothing of a channel that stays where it is, or that this run may
// not move: the run of a template tags its AMIs, and that is all.
func TestDeliver_notMoved(t *testing.T) {
	for name, tt := range map[string]struct {
		before func(t *testing.T, dir string, rec *record.Record)
		want   string // empty: it moves
	}{
		"a feature branch": {func(_ *testing.T, _ string, rec *record.Record) {
			rec.Git.Line = manifest.Line{Kind: manifest.LineBranch, Name: "feature"}
		}, "channel production is not moved: branch feature is not one of main"},
		"uncommitted": {func(_ *testing.T, _ string, rec *record.Record) { rec.Git.Dirty = true }, "no channel is moved: "},
		"incomplete": {func(_ *testing.T, _ string, rec *record.Record) {
			rec.Sources = []string{"amazon-ebs.image", "file.x"}
			rec.Pending = rec.Sources
		}, "app is incomplete: "},
		"older": {func(t *testing.T, dir string, _ *record.Record) { moved(t, dir, "production", nil) }, "channel production stays on 222222222222: a newer commit"},
		"held back": {func(t *testing.T, dir string, rec *record.Record) {
			moved(t, dir, "production", func(r *registry.Request) {
				r.To.Fingerprint, r.To.Content = print1, rec.Git.Content
				r.To.Commit, r.To.CommitTime = sha1, now
			})
			moved(t, dir, "production", func(r *registry.Request) { older(r); r.AllowRollback = true })
		}, "channel production stays on 222222222222: a rollback left what this run has"},
		"moved": {func(*testing.T, string, *record.Record) {}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := &shop{cloud: cloud{t, folder(t)}, ssm: parametertest.Start(t)}
			t.Setenv("AWS_ENDPOINT_URL_SSM", s.ssm.URL)
			rec := newRecord(s.dir)
			tt.before(t, s.dir, &rec)
			options := production + "\nbranches = [\"main\"]\nssm_parameter {\n name = \"/images/{image}/{channel}/{source}\"\n}\n" +
				"share {\n organizations = [\"" + unit + "\"]\n}\n"
			if tt.want != "" {
				ui, err := s.publish("amazon-ebs", rec, options, nil)
				s.untouched(err)
				if said := slices.Concat(ui.said, ui.red); err != nil || !slices.ContainsFunc(said, func(line string) bool { return strings.Contains(line, tt.want) }) {
					t.Errorf("got %v, %q, want %q", err, said, tt.want)
				}
				return
			}
			steps := map[string][]amitest.Step{}
			for region, id := range regionAMIs {
				steps[region] = append(s.smooth(region), s.tagged(region), amitest.LaunchPermission(id),
					amitest.Done("ModifyImageAttribute", "ImageId", id, "LaunchPermission.Add.1.OrganizationalUnitArn", unit, "LaunchPermission.Add.2.UserId", ""),
					amitest.LaunchPermission(id, unit))
			}
			ui, err := s.publish("amazon-ebs", rec, options, steps)
			check(t, err)
			for region, id := range regionAMIs {
				if got := s.ssm.Shown(region, path+"/amazon-ebs.image").Value; got != id || len(ui.red) > 0 {
					t.Errorf("%s: the parameter is %q, want %s; in red: %q", region, got, id, ui.red)
				}
			}
		})
	}
}
