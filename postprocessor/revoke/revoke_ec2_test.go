// SPDX-License-Identifier: MPL-2.0

package revoke

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/packer-chain/packer-plugin-chain/internal/ami/amitest"
	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
)

const because = "reason = \"" + reason + "\"\n"

// shown is an AMI as a region shows it.
type shown struct {
	revoked, state, deprecated string
}

func (s shown) in(region string) amitest.Step {
	image := amitest.Image{ID: ids[region], State: s.state, Deprecated: s.deprecated, Tags: map[string]string{"chain:image": "app"}}
	if s.revoked != "" {
		image.Tags["chain:revoked"] = s.revoked
	}
	return amitest.Describe(image)
}

// tag is the request that tags the AMI as revoked: not its snapshots.
func tag(region string) amitest.Step {
	step := amitest.Tag(ids[region])
	step.Want["Tag.1.Key"], step.Want["Tag.1.Value"] = "chain:revoked", reason
	return step
}

func untag(region string) amitest.Step {
	return amitest.Done("DeleteTags", "ResourceId.1", ids[region], "ResourceId.2", "", "Tag.1.Key", "chain:revoked", "Tag.1.Value", "", "Tag.2.Key", "")
}

func did(action, region string) amitest.Step { return amitest.Done(action, "ImageId", ids[region]) }

func denied(action string) amitest.Step {
	return amitest.Refuse(403, "UnauthorizedOperation", "You are not authorized.").On(action)
}

// soon is when EC2 deprecates what is to be deprecated now.
func soon() string { return stamp(time.Now().Truncate(time.Minute).Add(2 * time.Minute)) }

func stamp(at time.Time) string { return at.UTC().Format("2006-01-02T15:04:05.000Z") }

// both returns a script for each region.
func both(steps func(region string) []amitest.Step) map[string][]amitest.Step {
	return map[string][]amitest.Step{here: steps(here), there: steps(there)}
}

// TestRevoke marks the build in the registry and its AMIs in every region, and does what ec2 says.
// To repeat it writes nothing.
func TestRevoke(t *testing.T) {
	marked := shown{revoked: reason}
	for ec2, tt := range map[string]struct {
		first, again func(region string) []amitest.Step
		did          string
		ec2          []string
	}{
		"none": {
			func(r string) []amitest.Step { return []amitest.Step{shown{}.in(r), tag(r), marked.in(r)} },
			func(r string) []amitest.Step { return []amitest.Step{marked.in(r)} }, "tagged", nil},
		"deprecate": {
			func(r string) []amitest.Step {
				gone := shown{revoked: reason, deprecated: soon()}
				return []amitest.Step{shown{}.in(r), tag(r), marked.in(r), marked.in(r), did("EnableImageDeprecation", r), gone.in(r)}
			},
			func(r string) []amitest.Step {
				return []amitest.Step{shown{revoked: reason, deprecated: "2026-06-01T12:00:00.000Z"}.in(r)}
			}, "tagged, deprecated", []string{manifest.EC2Deprecate}},
		"disable": {
			func(r string) []amitest.Step {
				return []amitest.Step{shown{}.in(r), tag(r), marked.in(r), marked.in(r), did("DisableImage", r), shown{revoked: reason, state: "disabled"}.in(r)}
			},
			func(r string) []amitest.Step {
				return amitest.Times(2, shown{revoked: reason, state: "disabled"}.in(r))
			}, "tagged, disabled", []string{manifest.EC2Disable}},
	} {
		t.Run(ec2, func(t *testing.T) {
			w := newWorld(t)
			w.publish(amiEntry("run"))
			w.publish(amiEntry("other")) // of the same fingerprint
			options := because + "ec2 = \"" + ec2 + "\""
			ui, err := w.run(w.record("run"), options, both(tt.first))
			w.check(err)
			want := []string{"app is revoked: " + reason, here + ": " + ids[here] + ": " + tt.did, there + ": " + ids[there] + ": " + tt.did}
			for _, line := range want {
				if !slices.Contains(ui.said, line) || len(ui.red) > 0 {
					t.Errorf("got %q, %q, want %q", ui.said, ui.red, line)
				}
			}
			mark := w.mark("run")
			if mark == nil || mark.Reason != reason || mark.By == "" || mark.At.IsZero() || !slices.Equal(mark.EC2, tt.ec2) {
				t.Errorf("got %+v", mark)
			}
			if w.mark("other") != nil {
				t.Error("another build of the fingerprint is revoked")
			}
			seq := w.stored().Chain.Seq
			_, err = w.run(w.record("run"), strings.Replace(options, reason, "another reason", 1), both(tt.again))
			w.check(err)
			if diff := cmp.Diff(mark, w.mark("run")); diff != "" || w.stored().Chain.Seq != seq {
				t.Errorf("the second run wrote something: %s", diff)
			}
		})
	}
}

// TestRevoke_cutOff: EC2 refuses in one region, after the manifest. The same command finishes it,
// and does not lose what the AMIs were before.
func TestRevoke_cutOff(t *testing.T) {
	later := time.Now().Add(48 * time.Hour).UTC().Truncate(time.Minute)
	w := newWorld(t)
	w.publish(amiEntry("run"))
	first, marked := shown{deprecated: stamp(later)}, shown{revoked: reason, deprecated: stamp(later)}
	gone := shown{revoked: reason, deprecated: soon()}
	whole := func(r string) []amitest.Step {
		return []amitest.Step{first.in(r), tag(r), marked.in(r), marked.in(r), did("EnableImageDeprecation", r), gone.in(r)}
	}
	const options = because + `ec2 = "deprecate"`
	rec := w.record("run")
	_, err := w.run(rec, options, map[string][]amitest.Step{here: whole(here), there: {first.in(there), denied("CreateTags")}})
	wantError(t, err, "revoke app: tag "+ids[there]+" in "+there+": ec2:CreateTags is not allowed")
	if w.mark("run") == nil {
		t.Fatal("the manifest comes first: from then on nothing is built on the image")
	}
	// As long as EC2 has not reached the time, it is asked for it again.
	_, err = w.run(w.record("run"), options, map[string][]amitest.Step{here: {gone.in(here), gone.in(here)}, there: whole(there)})
	w.check(err)
	want := map[string]time.Time{here + "/" + ids[here]: later, there + "/" + ids[there]: later}
	if diff := cmp.Diff(want, w.mark("run").DeprecatedAt); diff != "" {
		t.Error(diff)
	}

	// Restored, both are deprecated when they were to be.
	_, err = w.run(w.record("run"), "restore = true", both(func(r string) []amitest.Step {
		return []amitest.Step{gone.in(r), gone.in(r),
			amitest.Done("EnableImageDeprecation", "ImageId", ids[r], "DeprecateAt", later.Format(time.RFC3339)), marked.in(r),
			marked.in(r), untag(r), first.in(r)}
	}))
	w.check(err)
	if w.mark("run") != nil {
		t.Error("the mark stays")
	}
}

// TestRevoke_lookRefused: whoever cannot see the AMIs changes nothing.
func TestRevoke_lookRefused(t *testing.T) {
	w := newWorld(t)
	w.publish(amiEntry("run"))
	_, err := w.run(w.record("run"), because, map[string][]amitest.Step{here: {shown{}.in(here)}, there: {denied("DescribeImages")}})
	wantError(t, err, "revoke app: find "+ids[there]+" in "+there+": ec2:DescribeImages is not allowed")
	if w.mark("run") != nil {
		t.Error("the manifest is marked")
	}
}

// TestRevoke_gone leaves an AMI alone that somebody has deregistered, and says so.
func TestRevoke_gone(t *testing.T) {
	w := newWorld(t)
	w.publish(amiEntry("run"))
	for _, options := range []string{because, "restore = true"} {
		steps := []amitest.Step{shown{}.in(here), tag(here), shown{revoked: reason}.in(here)}
		if w.mark("run") != nil {
			steps = []amitest.Step{shown{revoked: reason}.in(here), shown{revoked: reason}.in(here), untag(here), shown{}.in(here)}
		}
		ui, err := w.run(w.record("run"), options, map[string][]amitest.Step{here: steps,
			there: {amitest.Describe(), amitest.NotFound().On("DescribeImages")}})
		w.check(err)
		want := "warning: " + ids[there] + " in " + there + " is gone or not visible"
		if len(ui.red) != 1 || !strings.HasPrefix(ui.red[0], want) {
			t.Errorf("got %q, want %q", ui.red, want)
		}
	}
	if w.mark("run") != nil {
		t.Error("the mark stays")
	}
}

// TestRevoke_files needs no AWS for an image that is not an AMI.
func TestRevoke_files(t *testing.T) {
	w := newWorld(t)
	w.publish(fileEntry("run"))
	_, err := w.run(w.record("run"), because+`ec2 = "disable"`, nil)
	w.check(err)
	if w.mark("run") == nil {
		t.Error("the manifest is not marked")
	}
	_, err = w.run(w.record("run"), "restore = true", nil)
	w.check(err)
	if w.mark("run") != nil {
		t.Error("the mark stays")
	}
	entries, err := os.ReadDir(".")
	if err != nil || len(entries) > 0 {
		t.Errorf("it leaves files: %v, %v", entries, err)
	}
}

// TestRestore: EC2 comes first, so a run that is cut off is repeated, and what others did stays.
func TestRestore(t *testing.T) {
	marked, off := shown{revoked: reason}, shown{revoked: reason, state: "disabled"}
	const past = "2026-06-01T12:00:00.000Z"
	for name, tt := range map[string]struct {
		ec2           string // of the revocation
		before, after shown
		steps         []amitest.Step
		did           string
	}{
		"none":      {"none", marked, shown{}, nil, "untagged"},
		"disabled":  {"disable", off, shown{}, []amitest.Step{off.in(here), did("EnableImage", here), marked.in(here)}, "enabled, untagged"},
		"deprecate": {"deprecate", shown{reason, "", past}, shown{}, []amitest.Step{shown{reason, "", past}.in(here), did("DisableImageDeprecation", here), marked.in(here)}, "deprecation as before, untagged"},
		"disabled by others": {"deprecate", shown{reason, "disabled", past}, shown{"", "disabled", ""}, []amitest.Step{
			shown{reason, "disabled", past}.in(here), did("DisableImageDeprecation", here), off.in(here)}, "deprecation as before, untagged"},
		"deprecated by others": {"disable", shown{reason, "disabled", past}, shown{"", "", past}, []amitest.Step{
			shown{reason, "disabled", past}.in(here), did("EnableImage", here), shown{reason, "", past}.in(here)}, "enabled, untagged"},
		"all by others":              {"none", shown{reason, "disabled", past}, shown{"", "disabled", past}, nil, "untagged"},
		"enabled and untagged again": {"disable", shown{}, shown{}, nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			entry := amiEntry("run")
			entry.Images = entry.Images[:1]
			w.publish(entry)
			mark := manifest.Revocation{Change: manifest.Change{Reason: reason}}
			if tt.ec2 != "none" {
				mark.EC2 = []string{tt.ec2}
			}
			_, err := w.registry().Revoke(t.Context(), "app", w.record("run").Pointer.Target, mark)
			w.check(err)

			// In the end, the tag is taken off. EC2 refuses that first.
			begin := append([]amitest.Step{tt.before.in(here)}, tt.steps...)
			tagged := tt.after
			tagged.revoked = reason
			if tt.before.revoked != "" {
				_, err = w.run(w.record("run"), "restore = true", map[string][]amitest.Step{here: append(slices.Clone(begin), tagged.in(here), denied("DeleteTags"))})
				wantError(t, err, "restore app: untag "+ids[here]+" in "+here+": ec2:DeleteTags is not allowed")
				if w.mark("run") == nil {
					t.Fatal("the image counts again before its AMI does")
				}
				begin = append(begin, tagged.in(here), untag(here), tt.after.in(here))
			}
			ui, err := w.run(w.record("run"), "restore = true", map[string][]amitest.Step{here: begin})
			w.check(err)
			line := here + ": " + ids[here] + ": " + tt.did
			if slices.Contains(ui.said, line) != (tt.did != "") || !slices.Contains(ui.said, "app is restored") || w.mark("run") != nil {
				t.Errorf("got %q, %+v", ui.said, w.mark("run"))
			}
			seq := w.stored().Chain.Seq
			ui, err = w.run(w.record("run"), "restore = true", map[string][]amitest.Step{here: {tt.after.in(here)}})
			if w.check(err); w.stored().Chain.Seq != seq || !slices.Contains(ui.said, "app was not revoked") {
				t.Errorf("to restore it again writes something: %q", ui.said)
			}
		})
	}
}

// TestRestore_more takes back all that several revocations did.
func TestRestore_more(t *testing.T) {
	w := newWorld(t)
	entry := amiEntry("run")
	entry.Images = entry.Images[:1]
	w.publish(entry)
	marked, off := shown{revoked: reason}, shown{revoked: reason, state: "disabled"}
	gone, all := shown{reason, "", "2026-06-01T12:00:00.000Z"}, shown{reason, "disabled", "2026-06-01T12:00:00.000Z"}
	for _, run := range []struct {
		options string
		steps   []amitest.Step
	}{
		{because, []amitest.Step{shown{}.in(here), tag(here), marked.in(here)}},
		{because + `ec2 = "disable"`, []amitest.Step{marked.in(here), marked.in(here), did("DisableImage", here), off.in(here)}},
		{because + `ec2 = "deprecate"`, []amitest.Step{off.in(here), off.in(here), did("EnableImageDeprecation", here), all.in(here)}},
		{"restore = true", []amitest.Step{all.in(here), all.in(here), did("EnableImage", here), gone.in(here),
			gone.in(here), did("DisableImageDeprecation", here), marked.in(here), marked.in(here), untag(here), shown{}.in(here)}},
	} {
		_, err := w.run(w.record("run"), run.options, map[string][]amitest.Step{here: run.steps})
		if err != nil {
			t.Fatalf("%s: %v", run.options, err)
		}
	}
}
