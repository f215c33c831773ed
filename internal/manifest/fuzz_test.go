// SPDX-License-Identifier: MPL-2.0

package manifest

import (
	"strings"
	"testing"
	"time"
)

// FuzzRewrite is what a publication does with whatever lies at its address: it is refused, or taken
// with nothing lost, and what is written is read again.
func FuzzRewrite(f *testing.F) {
	good, err := Encode(&Manifest{
		Builds: []Entry{entry("run-1", "app", "ami-0a1b2c3d4e5f60718")}, LastRunUUID: "run-1",
		Chain: &Chain{Schema: 1, Seq: 1, WriteID: "w1", Facts: Facts{
			Image: "app", Fingerprint: fingerprint, Sources: []string{"amazon-ebs.app"}, Architecture: "arm64",
			Ancestors: []Ancestor{{Image: "base", AMIs: map[string]string{"eu-west-1": "ami-0a1b2c3d"}}},
			Git: Git{Line: Line{Kind: LineBranch, Name: "main"}, Origin: "github.com/acme/images//app",
				Content: map[string]string{"app": "4f1c"}}}},
	})
	if err != nil {
		f.Fatal(err)
	}
	text := string(good)
	f.Add(good)
	f.Add([]byte(packers))
	f.Add([]byte(text[:len(text)/2]))
	f.Add([]byte(text + text))
	f.Add([]byte(strings.Replace(text, `"seq": 1`, `"seq": 9223372036854775807`, 1)))
	f.Add([]byte(strings.Replace(text, `"seq": 1`, `"seq": 1, "Seq": 1`, 1)))
	f.Add([]byte(strings.Replace(text, `"builds"`, `"Builds"`, 1)))
	f.Add([]byte(strings.Replace(text, `"seq": 1`, `"seq": 1, "created_at": "9999-12-31T23:59:59-23:59"`, 1)))
	f.Fuzz(func(t *testing.T, body []byte) {
		before, err := Parse(body)
		if err != nil {
			return
		}
		before.MissingSources()
		Identity(before.LastRun())
		if len(body) > MaxSize/16 {
			return // indented it may be too large to be written, which is an error of Encode
		}
		reread(t, before)
		if before.Chain == nil || before.Chain.Seq == MaxSeq {
			return
		}
		mine := entry("run-of-the-fuzzer", "app", "ami-0b1b2c3d4e5f60718")
		merged, changed := Merge(before, before.Chain.Facts, []Entry{mine}, time.Unix(1, 0).UTC(), "w2")
		if !changed {
			return
		}
		merged = reread(t, merged)
		if len(merged.Builds) != len(before.Builds)+1 || merged.Chain.Seq != before.Chain.Seq+1 || merged.Chain.WriteID != "w2" {
			t.Fatalf("%d builds and seq %d became %d and %d", len(before.Builds), before.Chain.Seq, len(merged.Builds), merged.Chain.Seq)
		}
		if len(merged.Missing([]Entry{mine})) != 0 {
			t.Fatal("the merged build is lost")
		}
	})
}

// reread writes the manifest and reads it again. It returns what was read.
func reread(t *testing.T, m *Manifest) *Manifest {
	t.Helper()
	once, err := Encode(m)
	if err != nil {
		t.Fatalf("taken, but not written: %v", err)
	}
	again, err := Parse(once)
	if err != nil {
		t.Fatalf("written, but not read: %v\n%s", err, once)
	}
	twice, err := Encode(again)
	if err != nil || string(twice) != string(once) {
		t.Fatalf("%v: written again it is another:\n%s\n%s", err, once, twice)
	}
	return again
}

// FuzzImagesFromID reads the ids of artifacts, which any builder may write. What is taken for AMIs is the
// whole id and nothing else.
func FuzzImagesFromID(f *testing.F) {
	const id = "ami-0a1b2c3d4e5f60718"
	for _, seed := range []string{
		"", "eu-west-1:" + id, "eu-west-1:" + id + ",us-east-1:" + id, "eu-west-1:" + id + ",", "eu-west-1:" + id + "\n",
		"eu-west-1\n:" + id, "sha256:" + strings.Repeat("a", 64), "File", ":", ",,,", "eu-west-1:" + id + ":" + id, "eu-west-1: " + id,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, artifact string) {
		images := ImagesFromID(artifact)
		if len(images) == 0 {
			return
		}
		var parts []string
		for _, image := range images {
			if !IsAMI(image.ID) || !IsRegion(image.Region) {
				t.Errorf("%q holds the AMI %q in %q", artifact, image.ID, image.Region)
			}
			parts = append(parts, image.Region+":"+image.ID)
		}
		if again := strings.Join(parts, ","); again != artifact {
			t.Errorf("%q was read as %q", artifact, again)
		}
	})
}
