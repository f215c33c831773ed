// SPDX-License-Identifier: MPL-2.0

package acceptance

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/packer-chain/packer-plugin-chain/test/lab/packercli"
)

const (
	// interruptLimit is the promise: how long a publication may go on after Ctrl-C.
	interruptLimit = 5 * time.Second
	// machineSlack is for a machine that is busy with other tests. The full run has none.
	machineSlack = 5 * time.Second
)

// interrupted runs packer build, interrupts it when reached is closed, and returns how long packer
// went on from there.
func (l *lab) interrupted(
	folder string, reached <-chan struct{},
) (packercli.Result, time.Duration) {
	l.t.Helper()
	ctx, cancel := context.WithTimeout(l.t.Context(), 2*time.Minute)
	defer cancel()
	at := make(chan time.Time, 1)
	go func() {
		select {
		case <-reached:
			at <- time.Now()
			cancel()
		case <-ctx.Done():
		}
	}()
	// That the context ended is no surprise.
	result, _ := l.packer.Build(ctx, filepath.Join(l.repo.Dir, folder))
	select {
	case began := <-at:
		return result, time.Since(began)
	default:
		l.t.Fatalf("packer never got to where it hangs\n%s", result)
		return result, 0
	}
}

// wantSoon ends the test unless packer ended in time, and not with success.
func (l *lab) wantSoon(result packercli.Result, took time.Duration, texts ...string) {
	l.t.Helper()
	l.t.Logf("packer went on for %s", took)
	limit := interruptLimit
	if os.Getenv("CHAIN_LONG") == "" {
		limit += machineSlack
	}
	if took > limit {
		l.t.Errorf("packer went on for %s, want at most %s\n%s", took, limit, result)
	}
	wantOutput(l.t, wantCode(l.t, 1, result), texts...)
}

const (
	buildsURI        = "s3://acme-images/chain/base/builds/"
	unknownPublished = "It is unknown whether the manifest is published: read " + buildsURI
	publishFailed    = "Post-processor failed: publish base: "
	fileKept         = "The image is kept: File"
)

// interruptions are the requests at which TestAccInterrupt presses Ctrl-C, and what packer prints.
// If landed is true, the request still reaches the registry.
var interruptions = []struct {
	name, onFailure string
	landed          bool
	stuckAt         string
	want            []string
	manifests       int
}{
	{"test of the store", "keep", false, "conditional-write-test", []string{
		"The manifest is not published.", fileKept,
		"run the same packer build again, in the same folder"}, 0},
	{"manifest", "keep", true, "/builds/", []string{unknownPublished, fileKept}, 1},
	{"channel", "keep", true, "/channels/latest", []string{
		"The manifest is published (" + buildsURI,
		"its channels or the local manifest are incomplete."}, 1},
	{"manifest, fail", "fail", true, "/builds/", []string{publishFailed, unknownPublished}, 1},
	{"channel, fail", "fail", true, "/channels/latest", []string{
		publishFailed, "The manifest is published (" + buildsURI}, 1},
}

// TestAccInterrupt presses Ctrl-C while the registry does not respond: packer ends soon, and the
// text says what is published. Cause of what it found: after Ctrl-C the plugin went on for up to 20
// seconds with a registry that did not respond.
func TestAccInterrupt(t *testing.T) {
	t.Parallel()
	for _, tt := range interruptions {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t, template(t, "ami"))
			endpoint, reached := stuck(t, l.aws.Endpoint, tt.landed, putTo(tt.stuckAt))
			healthy := l.packer.With("PKR_VAR_builder=file", "PKR_VAR_publish_timeout=10m",
				"PKR_VAR_on_failure="+tt.onFailure, "PKR_VAR_endpoint="+l.aws.Endpoint)
			l.packer = healthy.With("PKR_VAR_endpoint=" + endpoint).InTerminal()
			result, took := l.interrupted("base", reached)
			l.wantSoon(result, took, append(tt.want,
				"Cancelling build after receiving interrupt", "context canceled")...)
			if keys := l.keys("base/builds/"); len(keys) != tt.manifests {
				t.Errorf("the manifests are %v, want %d", keys, tt.manifests)
			}

			t.Log("the same build again finishes")
			l.packer = healthy
			l.mustBuild("base")
			wantOutput(t, l.mustBuild("base"), "unchanged: nothing is built")
			latest := l.objects()["chain/base/channels/latest.json"]
			if !bytes.Contains(latest, []byte(`"fingerprint"`)) {
				t.Errorf("latest is %q", latest)
			}
		})
	}
}

// TestAccInterrupt_tags is told to end by a CI agent while EC2 does not respond: the AMI is kept,
// and published by the next build.
func TestAccInterrupt_tags(t *testing.T) {
	t.Parallel()
	l := newLab(t, template(t, "ami",
		"# post-processor options", "custom_endpoint_ec2 = var.ec2")+"\nvariable \"ec2\" {}\n")
	endpoint, reached := stuck(t, l.aws.Endpoint, false, anyRequest)
	l.packer = l.packer.With("PKR_VAR_publish_timeout=10m", "PKR_VAR_endpoint="+l.aws.Endpoint)
	healthy := l.packer.With("PKR_VAR_ec2=" + l.aws.Endpoint)
	l.packer = l.packer.With("PKR_VAR_ec2=" + endpoint)
	result, took := l.interrupted("base", reached)
	l.wantSoon(result, took, "Cancelling build after receiving terminated",
		"The manifest is not published.",
		"Packer keeps the image if the post-processor before this one succeeded: "+region+":ami-")
	l.wantImages(1, result)
	l.packer = healthy
	l.wantImages(1, l.mustBuild("base"))
	wantOutput(t, l.mustBuild("base"), "unchanged: nothing is built")
}

// TestAccInterrupt_dataSource presses Ctrl-C before anything is built. Cause of what it found:
// Packer gives a data source no context, so it went on until its own time limit of minutes; and if
// it ended faster than Packer saw the signal, Packer exited with 0.
func TestAccInterrupt_dataSource(t *testing.T) {
	t.Parallel()
	const access = "registry_access {\n endpoint = var.stuck\n use_path_style = true\n}\n"
	const ask = "registry = var.registry\n image = \"base\"\n" + access
	for name, template := range map[string]string{
		"chain":       template(t, "parent", "# parent options", ask),
		"chain-image": template(t, "ami", "# image options", access),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t, template+"\nvariable \"stuck\" {}\n")
			endpoint, reached := stuck(t, l.aws.Endpoint, false, anyRequest)
			l.packer = l.packer.With("PKR_VAR_stuck=" + endpoint).InTerminal()
			result, took := l.interrupted("base", reached)
			l.wantSoon(result, took, "context canceled",
				"Cancelling build after receiving interrupt")
		})
	}
}
