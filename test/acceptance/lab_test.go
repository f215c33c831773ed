// SPDX-License-Identifier: MPL-2.0

package acceptance

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/packer-chain/packer-plugin-chain/test/lab/emulator"
	"github.com/packer-chain/packer-plugin-chain/test/lab/packercli"
	"github.com/packer-chain/packer-plugin-chain/test/lab/workspace"
)

const (
	region     = "eu-west-1"
	copyRegion = "eu-central-1"
	bucket     = "acme-images"
	// deadEndpoint is a port where nobody listens.
	deadEndpoint = "http://127.0.0.1:1"
)

// lab is what one test or script works with: an AWS account with an empty bucket, a git repository,
// and a Packer whose environment points at both. Nothing in it is shared, so that tests may be
// parallel. Its methods end the test when something that is not under test goes wrong.
type lab struct {
	t      testing.TB
	aws    *emulator.AWS
	repo   *workspace.Repo
	packer packercli.Packer
}

// newLab makes a lab for a test, with a template in the folder base, which is committed.
func newLab(t *testing.T, template string) *lab {
	t.Helper()
	l := newLabIn(t, filepath.Join(t.TempDir(), "repo"))
	l.write("base/base.pkr.hcl", template)
	l.write(".gitignore", "packer-manifest.json\n")
	l.commit("begin")
	return l
}

// newLabIn also gives templates the variables that those under example/ have, such as registry, and
// source_ami, an AMI of Canonical's.
func newLabIn(t testing.TB, dir string) *lab {
	t.Helper()
	l := &lab{t: t, packer: newPacker(t)}
	l.startAWS()
	repo, err := workspace.New(t.Context(), dir)
	l.check(err)
	l.repo = repo
	source, err := l.aws.SourceAMI(t.Context(), region)
	l.check(err)
	l.check(l.aws.CreateBucket(t.Context(), bucket))
	l.packer = l.packer.With(l.aws.Env(region)...).
		With(packercli.ExampleVariables("s3://" + bucket + "/chain")...).
		With("PKR_VAR_source_ami=" + source)
	return l
}

// offlineLab has neither AWS nor credentials, nor a region.
func offlineLab(t *testing.T) *lab {
	t.Helper()
	l := &lab{t: t, packer: newPacker(t).With("AWS_EC2_METADATA_DISABLED=true",
		"AWS_CONFIG_FILE="+os.DevNull, "AWS_SHARED_CREDENTIALS_FILE="+os.DevNull)}
	repo, err := workspace.New(t.Context(), filepath.Join(t.TempDir(), "repo"))
	l.check(err)
	l.repo = repo
	return l
}

// template is one of testdata/templates with other texts in the place of some: old and new in turn.
func template(t testing.TB, name string, texts ...string) string {
	t.Helper()
	body, err := os.ReadFile(filepath.Join("testdata", "templates", name+".pkr.hcl"))
	if err != nil {
		t.Fatal(err)
	}
	return changed(t, string(body), texts...)
}

// changed is a text with other texts in the place of some that it has: old and new in turn.
func changed(t testing.TB, text string, texts ...string) string {
	t.Helper()
	for i := 0; i < len(texts); i += 2 {
		if !strings.Contains(text, texts[i]) {
			t.Fatalf("%q is missing in\n%s", texts[i], text)
		}
	}
	return strings.NewReplacer(texts...).Replace(text)
}

func (l *lab) startAWS() {
	l.t.Helper()
	var log bytes.Buffer
	aws, err := emulator.Start(&log)
	l.check(err)
	l.aws = aws
	l.t.Cleanup(func() {
		if err := aws.Stop(); err != nil {
			l.t.Error(err)
		}
		for line := range strings.Lines(log.String()) {
			if l.t.Failed() && !strings.Contains(line, `HTTP/1.1" 200`) {
				l.t.Log("emulator: " + strings.TrimSpace(line))
			}
		}
	})
}

func (l *lab) check(err error) {
	l.t.Helper()
	if err != nil {
		l.t.Fatal(err)
	}
}

// write writes a file of the repository.
func (l *lab) write(name, content string) {
	l.t.Helper()
	l.check(l.repo.Write(name, content))
}

// commit commits everything and returns the id of the commit.
func (l *lab) commit(message string) string {
	l.t.Helper()
	id, err := l.repo.Commit(l.t.Context(), message)
	l.check(err)
	return id
}

// build runs packer build in a folder of the repository, whatever its exit code.
func (l *lab) build(folder string) packercli.Result {
	l.t.Helper()
	ctx, cancel := context.WithTimeout(l.t.Context(), 5*time.Minute)
	defer cancel()
	result, err := l.packer.Build(ctx, filepath.Join(l.repo.Dir, folder))
	l.check(err)
	return result
}

// mustBuild runs packer build and ends the test unless it succeeds.
func (l *lab) mustBuild(folder string) packercli.Result {
	l.t.Helper()
	return wantCode(l.t, 0, l.build(folder))
}

// images are the account's own AMIs in a region, sorted by name.
func (l *lab) images(region string) []emulator.Image {
	l.t.Helper()
	images, err := l.aws.Images(l.t.Context(), region)
	l.check(err)
	return images
}

// wantImages ends the test unless the account has n AMIs after a run.
func (l *lab) wantImages(n int, result packercli.Result) {
	l.t.Helper()
	if found := len(l.images(region)); found != n {
		l.t.Fatalf("%d AMIs, want %d\n%s", found, n, result)
	}
}

// keys are the objects of the registry whose keys begin with a text, without it.
func (l *lab) keys(prefix string) []string {
	l.t.Helper()
	var keys []string
	for key := range l.objects() {
		if below, ok := strings.CutPrefix(key, "chain/"+prefix); ok {
			keys = append(keys, below)
		}
	}
	return keys
}

// objects are the contents of the bucket, by key.
func (l *lab) objects() map[string][]byte {
	l.t.Helper()
	objects, err := l.aws.Objects(l.t.Context(), bucket)
	l.check(err)
	return objects
}

// pointer reads a document of the registry, by its name without .json.
func (l *lab) pointer(name string) any {
	l.t.Helper()
	var document any
	l.check(json.Unmarshal(l.objects()["chain/"+name+".json"], &document))
	return document
}

// wantCode ends the test unless packer ended with the exit code.
func wantCode(t testing.TB, code int, result packercli.Result) packercli.Result {
	t.Helper()
	if result.Code != code {
		t.Fatalf("exit code %d, want %d\n%s", result.Code, code, result)
	}
	return result
}

// wantOutput ends the test unless packer printed each text.
func wantOutput(t testing.TB, result packercli.Result, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if !contains(result.Output, text) {
			t.Fatalf("packer did not print %q\n%s", text, result)
		}
	}
}

// contains reports whether output contains a text. Line breaks that packer put into long lines
// count as spaces.
func contains(output, text string) bool {
	oneLine := func(s string) string { return strings.Join(strings.Fields(s), " ") }
	return strings.Contains(oneLine(output), oneLine(text))
}
