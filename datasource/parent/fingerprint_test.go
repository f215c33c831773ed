// SPDX-License-Identifier: MPL-2.0

package parent

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/packer-chain/packer-plugin-chain/internal/ami/amitest"
	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
	"github.com/packer-chain/packer-plugin-chain/internal/record"
)

// other is an AMI of no build.
const other = "ami-0d3e4f5a6b708192a"

// TestFingerprint_severalBuilds has an image that was built twice from the same parts. The
// fingerprint means the newest build, and the record says that there are others. An AMI says which
// one is meant.
func TestFingerprint_severalBuilds(t *testing.T) {
	offline(t)
	dir := t.TempDir()
	first, second := baked("run1", map[string]string{here: amiHere}), baked("run2", map[string]string{here: amiThere})
	publish(t, dir, chain(print1), first)
	publish(t, dir, chain(print1), second)
	for name, tt := range map[string]struct {
		options string
		want    string // an AMI; empty: not found
		others  []string
	}{
		"the newest": {want: amiThere, others: []string{here + ": " + amiHere}},
		"the first":  {options: fmt.Sprintf("ami = %q", amiHere), want: amiHere},
		"the second": {options: fmt.Sprintf("ami = %q", amiThere), want: amiThere},
		"none of it": {options: fmt.Sprintf("ami = %q", other)},
	} {
		t.Run(name, func(t *testing.T) {
			steps := map[string][]amitest.Step{}
			if tt.want != "" {
				steps[here] = []amitest.Step{lookedFor(tt.want, "self", amitest.Describe(amitest.Image{ID: tt.want}))}
			}
			value, err := valueFrom(t, amitest.Start(t, steps).URL,
				fmt.Sprintf("registry = %q\nfingerprint = %q\nresolve_by = [\"registry\"]\n%s", dir, print1, tt.options))
			if tt.want == "" {
				wantParent(t, "", err, []string{print1 + ".json has no build with " + other})
				return
			}
			wantID(t, value, err, tt.want)
			rec, err := record.Decode(value.GetAttr("record").AsString())
			check(t, err)
			if diff := cmp.Diff(tt.others, rec.Pointer.Others); diff != "" || len(rec.Entries) != 1 || rec.Pointer.Builds[0].AMIs[here] != tt.want {
				t.Errorf("got %+v, %s", rec.Pointer, diff)
			}
		})
	}
}

// TestRunOf has an image of two sources. What one run made belongs together.
func TestRunOf(t *testing.T) {
	a, b, later := baked("run1", map[string]string{here: amiHere}), baked("run1", map[string]string{here: amiThere}), baked("run2", map[string]string{here: other})
	b.Name = "other"
	m := &manifest.Manifest{Builds: []manifest.Entry{a, b, later}}
	if diff := cmp.Diff([]manifest.Entry{a, b}, runOf(m, amiThere)); diff != "" {
		t.Error(diff)
	}
	if run := runOf(m, "ami-00000000"); run != nil {
		t.Errorf("got %+v", run)
	}
}
