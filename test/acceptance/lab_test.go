// SPDX-License-Identifier: MPL-2.0

package acceptance

import (
	"bytes"
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/packer-chain/packer-plugin-chain/test/lab/emulator"
	"github.com/packer-chain/packer-plugin-chain/test/lab/packercli"
	"github.com/packer-chain/packer-plugin-chain/test/lab/workspace"
)

const (
	region = "eu-west-1"
	bucket = "acme-images"
)

// lab is what one test works with: an AWS account with an empty bucket, a git repository, and a
// Packer whose environment points at both. Nothing in it is shared, so that tests may be parallel.
// Its methods end the test when something that is not under test goes wrong.
type lab struct {
	t      *testing.T
	aws    *emulator.AWS
	repo   *workspace.Repo
	packer packercli.Packer
	// registry is the address of the registry, which templates get as variable too.
	registry string
}

// newLab also gives templates the variables that those under example/ have, such as registry, and
// source_ami, an AMI of Canonical's.
func newLab(t *testing.T) *lab {
	t.Helper()
	packer := newPacker(t)
	l := &lab{t: t, registry: "s3://" + bucket + "/chain"}
	l.startAWS()
	repo, err := workspace.New(t.Context(), filepath.Join(t.TempDir(), "repo"))
	l.check(err)
	l.repo = repo
	source, err := l.aws.SourceAMI(t.Context(), region)
	l.check(err)
	l.check(l.aws.CreateBucket(t.Context(), bucket))
	l.packer = packer.With(l.aws.Env(region)...).With(packercli.ExampleVariables(l.registry)...).
		With("PKR_VAR_source_ami=" + source)
	return l
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

// write writes files of the repository: names and contents in turn.
func (l *lab) write(files map[string]string) {
	l.t.Helper()
	for name, content := range files {
		l.check(l.repo.Write(name, content))
	}
}

// commit commits everything and answers the id of the commit.
func (l *lab) commit(message string) string {
	l.t.Helper()
	id, err := l.repo.Commit(l.t.Context(), message)
	l.check(err)
	return id
}

// run runs packer in a folder of the repository, whatever its exit code.
func (l *lab) run(folder string, args ...string) packercli.Result {
	l.t.Helper()
	ctx, cancel := context.WithTimeout(l.t.Context(), 5*time.Minute)
	defer cancel()
	result, err := l.packer.Run(ctx, filepath.Join(l.repo.Dir, folder), args...)
	l.check(err)
	return result
}

// build runs packer build, whatever its exit code. Args come before the template.
func (l *lab) build(folder string, args ...string) packercli.Result {
	l.t.Helper()
	return l.run(folder, append(append([]string{"build", "-color=false"}, args...), ".")...)
}

// mustBuild runs packer build and ends the test unless it succeeds.
func (l *lab) mustBuild(folder string, args ...string) packercli.Result {
	l.t.Helper()
	return wantCode(l.t, 0, l.build(folder, args...))
}

// images are the account's own AMIs in a region, sorted by name.
func (l *lab) images(region string) []emulator.Image {
	l.t.Helper()
	images, err := l.aws.Images(l.t.Context(), region)
	l.check(err)
	return images
}

// launched counts the instances that were ever launched in the region of the test.
func (l *lab) launched() int {
	l.t.Helper()
	n, err := l.aws.Launched(l.t.Context(), region)
	l.check(err)
	return n
}

// objects are the contents of the bucket, by key.
func (l *lab) objects() map[string][]byte {
	l.t.Helper()
	objects, err := l.aws.Objects(l.t.Context(), bucket)
	l.check(err)
	return objects
}

// wantCode ends the test unless packer ended with the exit code.
func wantCode(t *testing.T, code int, result packercli.Result) packercli.Result {
	t.Helper()
	if result.Code != code {
		t.Fatalf("exit code %d, want %d\n%s", result.Code, code, result)
	}
	return result
}

// wantOutput ends the test unless packer printed each text. Line breaks that packer put into long
// lines count as spaces.
func wantOutput(t *testing.T, result packercli.Result, texts ...string) {
	t.Helper()
	output := strings.Join(strings.Fields(result.Output), " ")
	for _, text := range texts {
		if !strings.Contains(output, strings.Join(strings.Fields(text), " ")) {
			t.Fatalf("packer did not print %q\n%s", text, result)
		}
	}
}
