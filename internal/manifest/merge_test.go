// SPDX-License-Identifier: MPL-2.0

package manifest

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMerge(t *testing.T) {
	first, changed := Merge(nil, facts(), []Entry{entry("run-1", "app", "ami-1")}, at(1), "w1")
	if !changed || first.Chain.Seq != 1 || first.Chain.Schema != Schema || first.LastRunUUID != "run-1" {
		t.Fatalf("begin: %+v", first.Chain)
	}
	if again, changed := Merge(first, facts(), []Entry{entry("run-1", "app", "ami-1")}, at(2), "w2"); changed || again != first {
		t.Error("an entry that is there already must be recognised as our own")
	}
	first.Chain.Revoked = "bad kernel"
	second, changed := Merge(first, facts(), []Entry{entry("run-2", "app", "ami-2")}, at(2), "w2")
	if !changed || second.Chain.Seq != 2 || second.Chain.WriteID != "w2" || second.LastRunUUID != "run-2" {
		t.Errorf("second: %+v", second.Chain)
	}
	if !second.Chain.CreatedAt.Equal(at(1)) || !second.Chain.UpdatedAt.Equal(at(2)) {
		t.Errorf("times: created %s, updated %s", second.Chain.CreatedAt, second.Chain.UpdatedAt)
	}
	if second.Chain.Revoked != "" {
		t.Error("a new build takes the revocation off")
	}
	if len(second.Builds) != 2 || len(first.Builds) != 1 {
		t.Errorf("got %d builds, and %d in the old manifest", len(second.Builds), len(first.Builds))
	}
	if diff := cmp.Diff(map[string]string{"eu-west-1": "ami-2"}, second.Chain.AMIs); diff != "" {
		t.Error(diff)
	}
}

func TestManifest_Current(t *testing.T) {
	tests := map[string]struct {
		builds  []Entry
		sources []string
		want    []string
		missing []string
	}{
		"one source, built twice": {
			builds: []Entry{entry("run-1", "app", "ami-1"), entry("run-2", "app", "ami-2")},
			want:   []string{"eu-west-1:ami-2"},
		},
		"two sources of one run": {
			builds: []Entry{entry("run-1", "arm64", "ami-1"), entry("run-1", "amd64", "ami-2")},
			want:   []string{"eu-west-1:ami-2", "eu-west-1:ami-1"},
		},
		"two sources, each by its own job": {
			builds:  []Entry{entry("run-1", "arm64", "ami-1"), entry("run-2", "amd64", "ami-2")},
			sources: []string{"amazon-ebs.amd64", "amazon-ebs.arm64"},
			want:    []string{"eu-west-1:ami-2", "eu-west-1:ami-1"},
		},
		"one is still to come": {
			builds:  []Entry{entry("run-1", "arm64", "ami-1")},
			sources: []string{"amazon-ebs.amd64", "amazon-ebs.arm64"},
			want:    []string{"eu-west-1:ami-1"}, missing: []string{"amazon-ebs.amd64"},
		},
		"a source that does not count": {
			builds:  []Entry{entry("run-1", "arm64", "ami-1"), entry("run-1", "debug", "ami-2")},
			sources: []string{"amazon-ebs.arm64"},
			want:    []string{"eu-west-1:ami-1"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			m := &Manifest{Builds: tt.builds, Chain: &Chain{Facts: Facts{Sources: tt.sources}}}
			var got []string
			for _, e := range m.Current() {
				got = append(got, e.ArtifactID)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(tt.missing, m.MissingSources()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestAMIMap(t *testing.T) {
	amd, arm := entry("run-1", "amd64", "ami-1"), entry("run-1", "arm64", "ami-2")
	if diff := cmp.Diff(map[string]string{"eu-west-1": "ami-1"}, AMIMap([]Entry{amd})); diff != "" {
		t.Error(diff)
	}
	want := map[string]string{"eu-west-1/amazon-ebs.amd64": "ami-1", "eu-west-1/amazon-ebs.arm64": "ami-2"}
	if diff := cmp.Diff(want, AMIMap([]Entry{amd, arm})); diff != "" {
		t.Error(diff)
	}
	file := Entry{Name: "f", BuilderType: "file", Images: []Image{{Provider: "file", ID: "x"}}}
	if got := AMIMap([]Entry{file}); len(got) != 0 {
		t.Errorf("a file is not an AMI: %v", got)
	}
}

// An image that is built again and again keeps its newest entries, and all that are current.
func TestMerge_forgets(t *testing.T) {
	first := entry("run-0", "other", "ami-0")
	m, _ := Merge(nil, facts(), []Entry{first}, at(0), "w0")
	for i := range maxPast + 50 {
		run := fmt.Sprint("run-", i+1)
		m, _ = Merge(m, facts(), []Entry{entry(run, "app", "ami-"+run)}, at(1), run)
	}
	last := m.Builds[len(m.Builds)-1]
	if len(m.Builds) != maxPast+2 || last.PackerRunUUID != fmt.Sprint("run-", maxPast+50) {
		t.Errorf("got %d entries, the last of %s", len(m.Builds), last.PackerRunUUID)
	}
	if m.Builds[0].PackerRunUUID != "run-0" || m.Builds[1].PackerRunUUID != "run-50" {
		t.Errorf("kept %s and %s", m.Builds[0].PackerRunUUID, m.Builds[1].PackerRunUUID)
	}
}

// Entries that are there twice are added once.
func TestMerge_twice(t *testing.T) {
	one := entry("run-1", "app", "ami-1")
	m, _ := Merge(nil, facts(), []Entry{one, one}, at(1), "w1")
	if len(m.Builds) != 1 {
		t.Errorf("got %d entries", len(m.Builds))
	}
}

func TestAncestors(t *testing.T) {
	parents := []Parent{
		{Image: "runtime", Ancestors: []string{"base", "os"}},
		{Image: "tools", Ancestors: []string{"base"}},
	}
	if diff := cmp.Diff([]string{"runtime", "tools", "base", "os"}, Ancestors(parents)); diff != "" {
		t.Error(diff)
	}
	if got := Ancestors(nil); got == nil || len(got) != 0 {
		t.Errorf("no parents must be an empty list and not null, got %#v", got)
	}
}

func TestIdentity(t *testing.T) {
	file := Entry{Name: "f", BuilderType: "file", ArtifactID: "File", Files: []File{{Name: "a", SHA256: "1"}}}
	same, changed := file, file
	same.PackerRunUUID = "another run"
	changed.Files = []File{{Name: "a", SHA256: "2"}}
	if Identity([]Entry{file}) != Identity([]Entry{same}) {
		t.Error("the same result is the same image")
	}
	if Identity([]Entry{file}) == Identity([]Entry{changed}) {
		t.Error("another result is another image")
	}
}
