// SPDX-License-Identifier: MPL-2.0

package acceptance

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/packer-chain/packer-plugin-chain/test/lab/packercli"
)

const (
	copyRegion = "eu-central-1"
	// emulatedUbuntu is the AMI of Canonical's that the emulator has.
	emulatedUbuntu = "ubuntu/images/hvm-ssd/ubuntu-xenial-16.04-amd64-server-*"
)

// exampleLab has the two folders of example/ committed, and their variables set for the emulator.
func exampleLab(t *testing.T) *lab {
	t.Helper()
	l := newLab(t)
	l.check(l.repo.CopyFrom(filepath.Join(root, "example")))
	l.commit("add the example")
	l.packer = l.packer.With("PKR_VAR_ubuntu="+emulatedUbuntu, `PKR_VAR_copy_to=["`+copyRegion+`"]`)
	for _, folder := range []string{"base", "snowflake"} {
		wantCode(t, 0, l.run(folder, "init", "."))
	}
	return l
}

// document is what a test reads of a manifest or ref, as a user of jq would.
type document struct {
	Builds []struct {
		Name          string `json:"name"`
		BuilderType   string `json:"builder_type"`
		ArtifactID    string `json:"artifact_id"`
		PackerRunUUID string `json:"packer_run_uuid"`
		Files         []struct {
			Name, SHA256 string
			Size         int64
		} `json:"files"`
	} `json:"builds"`
	LastRunUUID string `json:"last_run_uuid"`
	Chain       struct {
		Image, Fingerprint string
		Seq                int
		Published          *bool
		AMIs               map[string]string `json:"amis"`
		Ancestors          []string
		Parents            []struct {
			Image, AMI  string
			ManifestURI string `json:"manifest_uri"`
			SHA256      string `json:"manifest_sha256"`
		}
		Labels map[string]string
	} `json:"chain"`
	// The fields of a ref.
	Fingerprint string
	Moves       []any
}

func parseDocument(t *testing.T, body []byte) document {
	t.Helper()
	var d document
	if err := json.Unmarshal(body, &d); err != nil {
		t.Fatalf("%v\n%s", err, body)
	}
	return d
}

// local reads a file of the repository.
func (l *lab) local(name string) document {
	l.t.Helper()
	body, err := os.ReadFile(filepath.Join(l.repo.Dir, name))
	l.check(err)
	return parseDocument(l.t, body)
}

// keys are the objects of the registry below the image, sorted.
func (l *lab) keys(image string) []string {
	l.t.Helper()
	var keys []string
	for key := range l.objects() {
		if below, ok := strings.CutPrefix(key, "chain/"+image+"/"); ok {
			keys = append(keys, below)
		}
	}
	slices.Sort(keys)
	return keys
}

func (l *lab) ref(image, name string) document {
	l.t.Helper()
	body, ok := l.objects()["chain/"+image+"/refs/"+name+".json"]
	if !ok {
		l.t.Fatalf("no ref %s of %s in %v", name, image, slices.Sorted(maps.Keys(l.objects())))
	}
	return parseDocument(l.t, body)
}

// unchanged ends the test if packer built something.
func (l *lab) wantNothingBuilt(before int, result packercli.Result) {
	l.t.Helper()
	if n := len(l.images(region)); n != before {
		l.t.Fatalf("%d AMIs, want %d as before\n%s", n, before, result)
	}
}

// TestAccChain is the chain from end to end, as the README tells it.
func TestAccChain(t *testing.T) {
	t.Parallel()
	l := exampleLab(t)

	base := l.mustBuild("base")
	wantOutput(t, base, "first build of baseline-ubuntu", "ref latest -> ")
	snow := l.mustBuild("snowflake")
	wantOutput(t, snow, "first build of snowflake", "local manifest: ")
	if n := l.launched(); n != 2 {
		t.Fatalf("%d instances, want 2", n)
	}
	l.wantTagged("baseline-ubuntu", "snowflake")
	l.wantPublished("baseline-ubuntu", nil)
	l.wantPublished("snowflake", []string{"baseline-ubuntu"})
	first := l.local("snowflake/manifest-snowflake.json")

	t.Log("nothing changed: nothing is built, and everything is left as after a build")
	for _, folder := range []string{"base", "snowflake"} {
		l.check(removeAll(filepath.Join(l.repo.Dir, folder), "manifest-*.json"))
		result := l.mustBuild(folder)
		wantOutput(t, result, "unchanged: nothing is built")
		l.wantNothingBuilt(2, result)
	}
	if n := l.launched(); n != 2 {
		t.Errorf("%d instances, want 2 as before", n)
	}
	again := l.local("snowflake/manifest-snowflake.json")
	if again.Chain.AMIs[region] != first.Chain.AMIs[region] || again.Chain.AMIs[region] == "" {
		t.Errorf("the local manifest names %v, want %v", again.Chain.AMIs, first.Chain.AMIs)
	}

	t.Log("a change in snowflake builds snowflake only")
	l.append("snowflake/tasks/docker.sh", "# changed\n")
	l.commit("change snowflake")
	l.wantNothingBuilt(2, l.mustBuild("base"))
	changed := l.mustBuild("snowflake")
	wantOutput(t, changed, "template: ", " -> ")
	l.wantNothingBuilt(3, changed)

	t.Log("a change in base builds base, and then snowflake")
	l.append("base/tasks/upgrade.sh", "# changed\n")
	l.commit("change base")
	wantOutput(t, l.mustBuild("base"), "template: ")
	child := l.mustBuild("snowflake")
	wantOutput(t, child, "parent baseline-ubuntu: ami-", " -> ami-")
	l.wantNothingBuilt(5, child)
	second := l.ref("snowflake", "latest").Fingerprint

	t.Log("a revert finds the old images, and moves latest back")
	_, err := l.repo.Revert(t.Context())
	l.check(err)
	l.mustBuild("base")
	reverted := l.mustBuild("snowflake")
	wantOutput(t, reverted, "unchanged", "ref latest -> ")
	l.wantNothingBuilt(5, reverted)
	if now := l.ref("snowflake", "latest"); now.Fingerprint == second || len(now.Moves) < 3 {
		t.Errorf("latest is on %s, with %d moves", now.Fingerprint, len(now.Moves))
	}
}

// wantTagged checks the tags of every AMI and snapshot, in both regions.
func (l *lab) wantTagged(names ...string) {
	l.t.Helper()
	for _, name := range names {
		for _, where := range []string{region, copyRegion} {
			found := 0
			for _, image := range l.images(where) {
				if image.Tags["chain:image"] != name {
					continue
				}
				found++
				l.wantTags(where+" "+image.ID, image.Tags)
				if len(image.Snapshots) == 0 {
					l.t.Errorf("%s in %s has no snapshot", image.ID, where)
				}
				for id, tags := range image.Snapshots {
					l.wantTags(where+" "+id, tags)
				}
			}
			if found != 1 {
				l.t.Errorf("%d AMIs of %s in %s, want 1", found, name, where)
			}
		}
	}
}

func (l *lab) wantTags(what string, tags map[string]string) {
	l.t.Helper()
	for _, key := range []string{
		"chain:image", "chain:fingerprint", "chain:git-sha", "chain:commit", "chain:manifest", "OS_Name", "OS_Version",
	} {
		if tags[key] == "" {
			l.t.Errorf("%s has no tag %s: %v", what, key, tags)
		}
	}
}

// wantPublished checks what the registry holds after the first build of an image.
func (l *lab) wantPublished(image string, ancestors []string) {
	l.t.Helper()
	ref := l.ref(image, "latest")
	keys := l.keys(image)
	if len(keys) != 4 || keys[0] != "builds/"+ref.Fingerprint+".json" || !strings.HasPrefix(keys[1], "refs/commit-") ||
		!strings.HasPrefix(keys[2], "refs/git-") {
		l.t.Errorf("the registry holds %v", keys)
	}
	body := l.objects()["chain/"+image+"/"+keys[0]]
	m := parseDocument(l.t, body)
	if m.Chain.Image != image || m.Chain.AMIs[region] == "" || m.Chain.AMIs[copyRegion] == "" {
		l.t.Errorf("%s", body)
	}
	last := m.Builds[len(m.Builds)-1]
	want := copyRegion + ":" + m.Chain.AMIs[copyRegion] + "," + region + ":" + m.Chain.AMIs[region]
	if last.ArtifactID != want || m.LastRunUUID == "" || last.PackerRunUUID != m.LastRunUUID {
		l.t.Errorf("jq '.builds[-1].artifact_id' is %s, want %s", last.ArtifactID, want)
	}
	if !slices.Equal(m.Chain.Ancestors, ancestors) {
		l.t.Errorf("ancestors of %s are %v, want %v", image, m.Chain.Ancestors, ancestors)
	}
	for _, parent := range m.Chain.Parents {
		if parent.AMI == "" || parent.SHA256 == "" || !strings.HasPrefix(parent.ManifestURI, l.registry+"/"+parent.Image+"/builds/") {
			l.t.Errorf("parent of %s: %+v", image, parent)
		}
	}
	for _, region := range []string{region, copyRegion} {
		for _, tagged := range l.images(region) {
			if tagged.ID == m.Chain.AMIs[region] && tagged.Tags["chain:image"] != image {
				l.t.Errorf("the manifest of %s names %s of %s", image, tagged.ID, tagged.Tags["chain:image"])
			}
		}
	}
}

func (l *lab) append(name, text string) {
	l.t.Helper()
	body, err := os.ReadFile(filepath.Join(l.repo.Dir, name))
	l.check(err)
	l.check(l.repo.Write(name, string(body)+text))
}

func removeAll(dir, pattern string) error {
	names, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := os.Remove(name); err != nil {
			return err
		}
	}
	return nil
}
