// SPDX-License-Identifier: MPL-2.0

package manifest

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestManifest_Mark marks one build of two, and takes the mark off again. Only what is repeated
// changes nothing, so that whoever lost a response learns that the write landed.
func TestManifest_Mark(t *testing.T) {
	m, _ := Merge(nil, facts(), []Entry{entry("run-1", "app", "ami-1")}, at(1), "w1")
	m, _ = Merge(m, facts(), []Entry{entry("run-2", "app", "ami-2")}, at(2), "w2")
	second := func(e Entry) bool { return e.PackerRunUUID == "run-2" }
	mark := &Revocation{Change: Change{At: at(3), Reason: "leaked"}}

	marked, changed := m.Mark(second, mark, "w3")
	if !changed || marked.Chain.Seq != 3 || marked.Chain.WriteID != "w3" || !marked.Chain.UpdatedAt.Equal(at(2)) {
		t.Fatalf("got %+v", marked.Chain)
	}
	if marked.Builds[0].Revoked != nil || marked.Builds[1].Revoked.Reason != "leaked" || m.Builds[1].Revoked != nil {
		t.Errorf("got %+v, and %+v before", marked.Builds, m.Builds)
	}
	if diff := cmp.Diff(map[string]string{"eu-west-1": "ami-1"}, marked.Chain.AMIs); diff != "" {
		t.Error(diff)
	}
	other := &Revocation{Change: Change{At: at(4), Reason: "again"}}
	if again, changed := marked.Mark(second, other, "w4"); changed || again != marked {
		t.Errorf("a mark is kept: %+v", again.Builds[1].Revoked)
	}
	// What is done to the AMIs is added, with how they were before that was done first.
	for i, what := range []string{EC2Disable, EC2Deprecate, EC2Disable, EC2Deprecate} {
		other.EC2, other.DeprecatedAt = []string{what}, map[string]time.Time{"eu-west-1/ami-2": at(10 + i)}
		before := marked
		if marked, changed = before.Mark(second, other, "w4"); changed != (i < 2) {
			t.Errorf("%d: changed is %t: %+v", i, changed, marked.Builds[1].Revoked)
		}
		if i == 0 && len(before.Builds[1].Revoked.EC2) > 0 {
			t.Error("the mark before has changed too")
		}
	}
	want := Revocation{Change: mark.Change, EC2: []string{EC2Deprecate, EC2Disable},
		DeprecatedAt: map[string]time.Time{"eu-west-1/ami-2": at(11)}}
	if diff := cmp.Diff(want, *marked.Builds[1].Revoked); diff != "" {
		t.Error(diff)
	}
	back, changed := marked.Mark(second, nil, "w5")
	if !changed || back.Builds[1].Revoked != nil || back.Chain.AMIs["eu-west-1"] != "ami-2" || back.Chain.Seq != 6 {
		t.Errorf("got %+v, %+v", back.Builds[1], back.Chain)
	}
	if _, changed := back.Mark(second, nil, "w6"); changed {
		t.Error("there is no mark to take off")
	}
}
