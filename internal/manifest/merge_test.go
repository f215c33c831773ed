// SPDX-License-Identifier: MPL-2.0

package manifest

import (
	"fmt"
	"strings"
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
	first.Builds[0].Revoked = revoked("bad kernel")
	second, changed := Merge(first, facts(), []Entry{entry("run-2", "app", "ami-2")}, at(2), "w2")
	if !changed || second.Chain.Seq != 2 || second.Chain.WriteID != "w2" || second.LastRunUUID != "run-2" {
		t.Errorf("second: %+v", second.Chain)
	}
	if !second.Chain.CreatedAt.Equal(at(1)) || !second.Chain.UpdatedAt.Equal(at(2)) {
		t.Errorf("times: created %s, updated %s", second.Chain.CreatedAt, second.Chain.UpdatedAt)
	}
	if len(second.Live()) != 1 || second.Live()[0].PackerRunUUID != "run-2" {
		t.Error("a new build counts, and the one that was revoked stays it")
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

// An ancestor is an image, its fingerprint and its AMIs: of two builds of one image, both are below.
func TestAncestors(t *testing.T) {
	amis := map[string]string{"eu-west-1": "ami-1"}
	base, base2 := Ancestor{Image: "base", Fingerprint: "1", AMIs: amis}, Ancestor{Image: "base", Fingerprint: "2", AMIs: amis}
	rebuilt := Ancestor{Image: "base", Fingerprint: "1", AMIs: map[string]string{"eu-west-1": "ami-2"}}
	os := Ancestor{Image: "os"}
	parents := []Parent{
		{Image: "runtime", Fingerprint: "3", AMIs: amis, Ancestors: []Ancestor{base, os}},
		{Image: "tools", Ancestors: []Ancestor{{Image: "base", Fingerprint: "1", AMIs: map[string]string{"eu-west-1": "ami-1"}}, base2, rebuilt}},
		{Image: "tools"},
		{},
	}
	want := []Ancestor{{Image: "runtime", Fingerprint: "3", AMIs: amis}, {Image: "tools"}, base, os, base2, rebuilt}
	if diff := cmp.Diff(want, Ancestors(parents)); diff != "" {
		t.Error(diff)
	}
	if got := Ancestors(nil); got == nil || len(got) != 0 {
		t.Errorf("no parents must be an empty list and not null, got %#v", got)
	}
}

func TestManifest_Conflict(t *testing.T) {
	app, arm := entry("run-1", "app", "ami-1"), entry("run-1", "arm", "ami-2")
	again, twice := entry("run-2", "app", "ami-3"), entry("run-1", "app", "ami-4")
	revoked := app
	revoked.Revoked = &Revocation{}
	const two = "source amazon-ebs.app has made two artifacts in one run, eu-west-1:ami-1 and eu-west-1:ami-4\n\n" +
		`Give each its own source block, with its own name, and list all in sources of data "chain-image".`
	file := func(name string) []Entry {
		return []Entry{{Name: "app", BuilderType: "file", PackerRunUUID: "run-1", ArtifactID: "File", Files: []File{{Name: name}}}}
	}
	twoFiles := strings.NewReplacer("amazon-ebs", "file", "eu-west-1:ami-1", "File", "eu-west-1:ami-4", "File").Replace(two)
	const foreign = "source amazon-ebs.arm publishes into the image of source amazon-ebs.app\n\n" +
		`If the image consists of both, set sources = ["amazon-ebs.app", "amazon-ebs.arm"] in data "chain-image". ` +
		"If not, give each image its own name."
	both := []string{"amazon-ebs.app", "amazon-ebs.arm"}
	for name, tt := range map[string]struct {
		have, add []Entry
		sources   []string
		want      string
	}{
		"nothing is there":                   {add: []Entry{app}},
		"a second run":                       {have: []Entry{app}, add: []Entry{again}},
		"the same once more":                 {have: []Entry{app}, add: []Entry{app}},
		"two artifacts of one source":        {have: []Entry{app}, add: []Entry{twice}, want: two},
		"two artifacts, with sources":        {have: []Entry{app}, add: []Entry{twice}, sources: both, want: two},
		"the same file once more":            {have: file("a"), add: file("a")},
		"two files, whose id says nothing":   {have: file("a"), add: file("b"), want: twoFiles},
		"another source":                     {have: []Entry{app}, add: []Entry{arm}, want: foreign},
		"another source, with sources":       {have: []Entry{app}, add: []Entry{arm}, sources: both},
		"another source, of another run":     {have: []Entry{again}, add: []Entry{arm}, want: foreign},
		"another source, after a revocation": {have: []Entry{revoked}, add: []Entry{arm}},
		"two artifacts, one of them revoked": {have: []Entry{revoked}, add: []Entry{twice}},
		// Images of older versions have several sources without a list. What is there is no conflict.
		"all are there already": {have: []Entry{app, arm}, add: []Entry{app, arm}},
		"one is new":            {have: []Entry{app}, add: []Entry{app, arm}, want: foreign},
	} {
		t.Run(name, func(t *testing.T) {
			got := ""
			if err := (&Manifest{Builds: tt.have}).Conflict(tt.add, tt.sources); err != nil {
				got = err.Error()
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// The names and ids in the error are whatever someone wrote.
func TestManifest_Conflict_hostile(t *testing.T) {
	bad := entry("run-1", "\x1b[2J", "ami-1\x1b]0;x\a")
	worse := bad
	worse.ArtifactID = "x\ny"
	for _, m := range []*Manifest{{Builds: []Entry{bad}}, {Builds: []Entry{entry("run-1", "app", "ami-1")}}} {
		if err := m.Conflict([]Entry{worse}, nil); err == nil || strings.ContainsAny(err.Error(), "\x1b\a") || strings.Contains(err.Error(), "x\ny") {
			t.Errorf("got %q", err)
		}
	}
}

func revoked(reason string) *Revocation {
	return &Revocation{Change: Change{Reason: reason, At: at(1)}}
}

// What is revoked does not make up the image any more, unless nothing else is left.
func TestManifest_Live(t *testing.T) {
	old, now := entry("run-1", "app", "ami-1"), entry("run-2", "app", "ami-2")
	now.Revoked = revoked("bad kernel")
	m := &Manifest{Builds: []Entry{old, now}, Chain: &Chain{Facts: Facts{Sources: []string{"amazon-ebs.app"}}}}
	if diff := cmp.Diff([]Entry{old}, m.Live()); diff != "" || len(m.Builds) != 2 {
		t.Error(diff, m.Builds)
	}
	if diff := cmp.Diff([]Entry{old}, m.Current()); diff != "" || len(m.MissingSources()) > 0 {
		t.Error(diff, m.MissingSources())
	}
	m.Builds[0].Revoked = revoked("bad, too")
	if len(m.Live()) > 0 || len(m.Current()) != 1 || m.Current()[0].ArtifactID != now.ArtifactID || len(m.MissingSources()) != 0 {
		t.Errorf("live %v, current %v, missing %v", m.Live(), m.Current(), m.MissingSources())
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
