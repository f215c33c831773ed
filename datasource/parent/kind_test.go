// SPDX-License-Identifier: MPL-2.0

package parent

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/packer-chain/packer-plugin-chain/internal/ami/amitest"
	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
	"github.com/packer-chain/packer-plugin-chain/internal/manifest/manifesttest"
)

// TestKind has manifests that say something else than the template. Of an AMI, an id comes out only
// if EC2 shows it: the script of EC2 is empty.
func TestKind(t *testing.T) {
	offline(t)
	artifact := func(id string) manifest.Entry {
		e := fileBuild("image")
		e.ArtifactID = id
		return e
	}
	hidden := artifact(manifesttest.ForeignAMI)
	hidden.BuilderType, hidden.BuilderID = "amazon-ebs", "mitchellh.amazonebs"
	renamed := artifact("File")
	renamed.Images = []manifest.Image{{Provider: "other", Region: here, ID: manifesttest.ForeignAMI}}
	tests := map[string]struct {
		kind  string
		entry manifest.Entry
		want  string // in the error; empty: found
	}{
		"artifact":                        {"artifact", artifact("sha256:4f1c"), ""},
		"no AMI":                          {"ami", artifact("sha256:4f1c"), `names no AMI, and kind is "ami"`},
		"the AMI was dropped":             {"ami", hidden, `names no AMI, and kind is "ami"`},
		"the AMI as an artifact":          {"artifact", hidden, `is of an AMI, and kind is "artifact"`},
		"an AMI as an artifact of files":  {"artifact", artifact(manifesttest.ForeignAMI), `is of an AMI, and kind is "artifact"`},
		"an AMI of a region":              {"artifact", artifact(here + ":" + manifesttest.ForeignAMI), `is of an AMI, and kind is "artifact"`},
		"an AMI of another provider":      {"artifact", renamed, `is of an AMI, and kind is "artifact"`},
		"an AMI":                          {"artifact", baked("run", map[string]string{here: amiHere}), `is of an AMI, and kind is "artifact"`},
		"shell":                           {"artifact", artifact("$(reboot)"), "not safe in a script"},
		"an option":                       {"artifact", artifact("--privileged"), "not safe in a script"},
		"a path that leads away":          {"artifact", artifact("a/../../etc/passwd"), "not safe in a script"},
		"control characters":              {"artifact", artifact("x\x1b[2J"), "not safe in a script"},
		"quotes":                          {"artifact", artifact(`x"y`), "not safe in a script"},
		"a name with a space is possible": {"artifact", artifact("my image"), ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			publish(t, dir, chain(print1), tt.entry)
			for _, options := range []string{"", fmt.Sprintf("fingerprint = %q\nresolve_by = [\"registry\"]", print1)} {
				value, err := valueFrom(t, amitest.Start(t, nil).URL, fmt.Sprintf("registry = %q\nkind = %q\non_missing = \"empty\"\n%s", dir, tt.kind, options))
				if tt.want == "" {
					wantID(t, value, err, tt.entry.ArtifactID)
				} else {
					wantParent(t, "", err, []string{tt.want, print1 + ".json"})
				}
			}
		})
	}
}

// TestAncestors has a base that is built on deep, of which EC2 or the registry says that it is
// revoked. It is one round of requests: the script has one request for both AMIs.
func TestAncestors(t *testing.T) {
	offline(t)
	const deepAMI, farAMI = "ami-0d3e4f5a6b708192a", "ami-0e4f5a6b708192a3b"
	revoked := map[string]string{"chain:revoked": "CVE-1"}
	both := func(tags map[string]string) []amitest.Step {
		return []amitest.Step{amitest.Describe(amitest.Image{ID: amiHere}, amitest.Image{ID: deepAMI, Tags: tags})}
	}
	alone := []amitest.Step{amitest.Describe(amitest.Image{ID: amiHere})}
	tests := map[string]struct {
		amis    map[string]string
		options string
		doc     string // why the manifest of deep is revoked
		here    []amitest.Step
		there   []amitest.Step
		want    string
	}{
		"good":              {here: both(nil)},
		"of another owner":  {here: alone},
		"revoked":           {here: both(revoked), want: "its ancestor deep, " + deepAMI + " in " + here + ", is revoked: CVE-1"},
		"by fingerprint":    {options: fmt.Sprintf("fingerprint = %q", print1), here: both(revoked), want: "its ancestor deep, " + deepAMI},
		"allowed":           {options: "allow_revoked = true", here: alone},
		"in its manifest":   {doc: "leaked", here: both(nil), want: "its ancestor deep is revoked: leaked"},
		"elsewhere revoked": {amis: map[string]string{there: farAMI}, here: alone, there: []amitest.Step{amitest.Describe(amitest.Image{ID: farAMI, Tags: revoked})}, want: farAMI + " in " + there},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if tt.amis == nil {
				tt.amis = map[string]string{here: deepAMI}
			}
			if tt.doc != "" {
				deep := chain(print2)
				deep.Image = "deep"
				publish(t, dir, deep, baked("deep", tt.amis))
				revoke(t, filepath.Join(dir, "deep", "builds", print2+".json"), tt.doc)
			}
			facts := chain(print1)
			facts.Ancestors = []manifest.Ancestor{{Image: "deep", Fingerprint: print2, AMIs: tt.amis}}
			publish(t, dir, facts, baked("run", map[string]string{here: amiHere}))
			id, err := fromEC2(t, fmt.Sprintf("registry = %q\n%s", dir, tt.options), map[string][]amitest.Step{here: tt.here, there: tt.there})
			if tt.want == "" {
				wantParent(t, id, err, nil)
			} else {
				wantParent(t, "", err, []string{tt.want, "allow_revoked = true"})
			}
		})
	}
}

// TestYoung has an AMI that was created a minute ago, and that EC2 does not show at first.
func TestYoung(t *testing.T) {
	offline(t)
	dir := t.TempDir()
	entry := baked("run", map[string]string{here: amiHere})
	entry.BuildTime = time.Now().Unix()
	publish(t, dir, chain(print1), entry)
	none := lookedFor(amiHere, "self", amitest.Describe())
	id, err := fromEC2(t, fmt.Sprintf("registry = %q", dir), map[string][]amitest.Step{
		here: {none, none, none, lookedFor(amiHere, "self", amitest.Describe(amitest.Image{ID: amiHere}))}})
	wantParent(t, id, err, nil)
}

// TestSimilar misspells an image and a channel.
func TestSimilar(t *testing.T) {
	offline(t)
	dir := published(t, chain(print1))
	for options, want := range map[string]string{
		"image = \"bsae\"":                                   "The registry has no image bsae. Did you mean base? It has base.",
		"image = \"base\"\nchannel = \"latset\"":             "Image base has no channel latset. Did you mean latest? It has latest.",
		"image = \"base\"\nchannel = \"stable\"":             "Image base has no channel stable. It has latest. Set channel to one of these, or promote base to stable first.",
		"image = \"base\"\nfingerprint = \"" + print2 + "\"": "Build and publish base first",
	} {
		var d Datasource
		if errs := configure(t, &d, fmt.Sprintf("kind = \"artifact\"\nregistry = %q\n%s", dir, options)); errs != nil {
			t.Fatal(errs)
		}
		_, err := d.Execute()
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q in it", err, want)
		}
		// None of these is the first build of a chain.
		if strings.Contains(fmt.Sprint(err), "first build") {
			t.Errorf("got %v, with advice for another cause", err)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "bsae")); err == nil {
		t.Error("looking made a folder")
	}
}
