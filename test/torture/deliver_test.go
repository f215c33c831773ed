// SPDX-License-Identifier: MPL-2.0

package torture

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/packer-chain/packer-plugin-chain/internal/ami/amitest"
	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
	"github.com/packer-chain/packer-plugin-chain/internal/parameter/parametertest"
	"github.com/packer-chain/packer-plugin-chain/internal/record"
	"github.com/packer-chain/packer-plugin-chain/internal/registry"
	"github.com/packer-chain/packer-plugin-chain/internal/store/dirstore"
	"github.com/packer-chain/packer-plugin-chain/internal/text"
)

// delivery is a registry with images that are promoted, each in its own process, and the
// parameters that name what the channel points at.
type delivery struct {
	reg      *registry.Registry
	location string
	s3, ec2  string
	ssm      *parametertest.Server
	// late is the address of ssm, where each request takes a while to arrive.
	late   string
	images int
	// home is the working directory of the processes: no checkout.
	home string

	mu     sync.Mutex
	chance *rand.Rand
}

// delay returns how long something takes.
func (d *delivery) delay() time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	return time.Duration(d.chance.Int64N(int64(300 * time.Millisecond)))
}

// inEach runs a test with the registry in a folder, and in a bucket.
func inEach(ctx context.Context, t *testing.T, test func(t *testing.T, d *delivery)) {
	t.Helper()
	begin := func(t *testing.T) *delivery {
		d := &delivery{ec2: serve(t, http.HandlerFunc(everyImage)), ssm: parametertest.New(), home: t.TempDir(), chance: random(t)}
		d.late = serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(d.delay())
			d.ssm.ServeHTTP(w, r)
		}))
		return d
	}
	t.Run("folder", func(t *testing.T) {
		d := begin(t)
		d.location = t.TempDir()
		d.reg = registry.New(dirstore.New(d.location))
		test(t, d)
	})
	t.Run("versitygw", func(t *testing.T) {
		d := begin(t)
		d.location, d.s3 = "s3://"+bucket+"/chain", startGateway(ctx, t).URL
		d.reg = bucketOpener(t, d.s3, bucketOptions{})()
		test(t, d)
	})
}

// everyImage is an EC2 that has whatever it is asked for.
func everyImage(w http.ResponseWriter, r *http.Request) {
	_ = r.ParseForm()
	var images []amitest.Image
	for name, values := range r.PostForm {
		if strings.HasPrefix(name, "ImageId.") || strings.Contains(name, ".Value.") && strings.HasPrefix(values[0], "ami-") {
			images = append(images, amitest.Image{ID: values[0]})
		}
	}
	w.Header().Set("Content-Type", "text/xml")
	_, _ = io.WriteString(w, amitest.Page("", images...))
}

// image publishes an image, of a commit of that minute, and returns the record of it.
func (d *delivery) image(ctx context.Context, t *testing.T, minute int) string {
	t.Helper()
	d.images++
	fingerprint := text.SHA256(fmt.Appendf(nil, "delivery %d", d.images))
	entry := manifest.Entry{Name: "image", BuilderType: builderType, PackerRunUUID: "run-" + fingerprint[:8]}
	for _, region := range bakeRegions {
		id := "ami-" + text.SHA256([]byte(region + fingerprint))[:17]
		entry.Images = append(entry.Images, manifest.Image{Provider: manifest.ProviderAWS, Region: region, ID: id})
		entry.ArtifactID += region + ":" + id + ","
	}
	entry.ArtifactID = strings.TrimSuffix(entry.ArtifactID, ",")
	facts := manifest.Facts{Image: snowflake, Fingerprint: fingerprint}
	if _, err := d.reg.Publish(ctx, facts, []manifest.Entry{entry}, nil); err != nil {
		t.Fatal(err)
	}
	to := registry.TargetOf(fingerprint, []manifest.Entry{entry})
	to.Position = registry.Position{Commit: fingerprint[:40],
		CommitTime: firstCommit.Add(time.Duration(minute) * time.Minute), DecidedAt: decidedAt}
	rec := record.Record{Facts: facts, Registry: d.location, Entries: []manifest.Entry{entry},
		Reason: "the image of channel latest", DecidedAt: decidedAt, Pointer: &record.Pointer{Target: to}}
	body, err := rec.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// promote runs a promotion in a process, and returns what it wrote to its standard error.
func (d *delivery) promote(ctx context.Context, t *testing.T, p promoter) (failure string, err error) {
	p.EC2, p.SSM, p.S3 = d.ec2, d.late, d.s3
	plan, err := json.Marshal(p)
	if err != nil {
		return "", err
	}
	cmd := child(ctx, t, promoterChild, string(plan))
	var red bytes.Buffer
	cmd.Dir, cmd.Stderr = d.home, &red
	err = cmd.Run()
	return red.String(), err
}

// judge returns in how many regions the parameter is not what the channel says.
func (d *delivery) judge(ctx context.Context, t *testing.T) (wrong int) {
	t.Helper()
	channel, err := d.reg.Pointer(ctx, snowflake, registry.Name{Kind: registry.Channel, Name: promoted})
	if err != nil {
		t.Fatal(err)
	}
	for _, region := range bakeRegions {
		got, want := d.ssm.Shown(region, parameter).Value, channel.Current().AMIs()[region]
		if got != want {
			wrong++
			t.Errorf("%s: the parameter is %q, and the channel says %q", region, got, want)
		}
	}
	return wrong
}

// TestDeliver has many promote at once, while requests to SSM come late, and it takes its time for each write. In the end the
// parameter is what the channel says, in each region. A promotion may only fail because a newer one
// has won, or because a rollback held it.
func TestDeliver(t *testing.T) {
	ctx, n := begin(t)
	writers, rounds := figure(4, 8), figure(3, 12)
	inEach(ctx, t, func(t *testing.T, d *delivery) {
		d.ssm.Check = func(string) (time.Duration, bool) { return d.delay(), true }
		for round := range rounds {
			var all []promoter
			for i := range writers {
				// Some rounds only go forward.
				all = append(all, promoter{Record: d.image(ctx, t, 100*round+i), Rollback: round%3 > 0})
			}
			d.mu.Lock()
			d.chance.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
			d.mu.Unlock()
			var running sync.WaitGroup
			for _, p := range all {
				running.Go(func() {
					failure, err := d.promote(ctx, t, p)
					if err != nil && (p.Rollback || !strings.Contains(failure, "allow_rollback")) {
						t.Errorf("%v: %s", err, failure)
					}
				})
			}
			running.Wait()
			n.count(len(all), d.judge(ctx, t), 0)
		}
	})
	n.note = fmt.Sprintf("%d promotions at once, %d times, in a folder and in a bucket", writers, rounds)
}

// TestDeliver_death kills a promotion after it has moved the channel, before it writes the
// parameter. The next run mends that, be it the same promotion or another one.
func TestDeliver_death(t *testing.T) {
	ctx, n := begin(t)
	n.note = "each between the move and the write"
	inEach(ctx, t, func(t *testing.T, d *delivery) {
		for i, again := range []bool{true, false, true, false}[:figure(2, 4)] {
			first, second := promoter{Record: d.image(ctx, t, 2*i)}, promoter{Record: d.image(ctx, t, 2*i+1)}
			first.DieAfter = "channel " + promoted + " -> "
			before := d.ssm.Shown(home, parameter)
			if _, err := d.promote(ctx, t, first); err == nil || !strings.Contains(err.Error(), "killed") {
				t.Fatalf("the promotion did not die: %v", err)
			}
			if after := d.ssm.Shown(home, parameter); after != before {
				t.Fatalf("it died after it had written %+v", after)
			}
			next := second
			if first.DieAfter = ""; again {
				next = first
			}
			if failure, err := d.promote(ctx, t, next); err != nil {
				t.Errorf("%v: %s", err, failure)
			}
			n.count(1, d.judge(ctx, t), 0)
		}
	})
}
