// SPDX-License-Identifier: MPL-2.0

package report_test

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
	"github.com/packer-chain/packer-plugin-chain/internal/registry"
	"github.com/packer-chain/packer-plugin-chain/internal/report"
)

func TestMake_onlyWhatIsWanted(t *testing.T) {
	w := newWorld(t)
	base, runtime, _ := chained(w)
	w.promote(runtime, "production")
	w.run(build{image: "base", template: "2"})
	w.revoke(base, "leaked")
	w.options.Images, w.options.Channels = []string{"run*"}, []string{"prod*"}
	w.options.Checkouts = map[string]report.Checkout{"app": {TemplateSHA: tree("1")}}
	r := w.report()
	if diff := cmp.Diff([]string{
		"runtime: revoked: its ancestor base is revoked: leaked; parent base: BASE1 -> BASE2",
	}, w.named(lines(r))); diff != "" {
		t.Errorf("images (-want +got):\n%s", diff)
	}
	if got := r.Images[0].Channels; len(got) != 1 || got[0].Name != "production" {
		t.Errorf("got channels %v", got)
	}
	if len(r.Plan) != 1 || r.Plan[0].Image != "runtime" {
		t.Errorf("got plan %v", r.Plan)
	}
	if diff := cmp.Diff([]string{"runtime"}, r.NotCompared); diff != "" {
		t.Errorf("not compared (-want +got):\n%s", diff)
	}
}

// TestMake_channel checks what a report says about a channel besides its status.
func TestMake_channel(t *testing.T) {
	w := newWorld(t)
	base := w.run(build{image: "base", regions: []string{eu, us}})
	runtime := w.run(build{image: "runtime", parents: []manifest.Parent{base}})
	w.promote(runtime, "production")
	file := w.run(build{image: "file", isFile: true})
	w.see(base.AMIs[us])
	r := w.report()
	latest := r.Images[0].Channels[0]
	if diff := cmp.Diff([]report.AMI{
		{Region: eu, ID: base.AMI, Source: "amazon-ebs.app", State: "available", SizeGiB: 8},
		{Region: us, ID: base.AMIs[us], Source: "amazon-ebs.app", State: "is gone"},
	}, latest.AMIs); diff != "" {
		t.Errorf("AMIs (-want +got):\n%s", diff)
	}
	commit := "https://github.com/acme/images/commit/" + latest.Commit
	if latest.CommitURL != commit || latest.BuiltAt.IsZero() || latest.Fingerprint != base.Fingerprint {
		t.Errorf("got %+v", latest)
	}
	if h := latest.History; len(h) != 1 || h[0].By != "alice" || h[0].Reason != "tested" {
		t.Errorf("got history %+v", h)
	}
	if got := r.Images[1].Channels[0].Artifacts; len(got) != 1 || got[0].Size != 1234 {
		t.Errorf("got artifacts %+v of %s", got, file.Image)
	}
	above := r.Images[2].Channels[1]
	if want := (report.Parent{Image: "base", Fingerprint: base.Fingerprint, Channel: "latest",
		AMI: base.AMI, Current: true}); above.Name != "production" || above.Parents[0] != want {
		t.Errorf("got %s with parents %+v, want %+v", above.Name, above.Parents, want)
	}
	if diff := cmp.Diff([]string{"runtime"}, r.Images[0].Children); diff != "" || r.Images[2].Level != 1 {
		t.Errorf("children (-want +got):\n%s", diff)
	}
}

func TestMake_worseChannel(t *testing.T) {
	w := newWorld(t)
	old := w.run(build{image: "base"})
	w.promote(old, "production")
	w.run(build{image: "base", template: "2"})
	w.revoke(old, "leaked")
	r := w.report()
	worse := r.Images[0].Worse()
	if r.Images[0].Status != report.Current || len(worse) != 1 || worse[0].Name != "production" {
		t.Errorf("got %s, and worse %v", r.Images[0].Status, worse)
	}
	if drawn := report.Mermaid(r); !strings.Contains(drawn, `["base<br/>current<br/>production is revoked"]`) {
		t.Errorf("got %s", drawn)
	}
}

// TestMake_limits has numbers in a manifest for which there is no room elsewhere, and more reasons
// than anybody reads.
func TestMake_limits(t *testing.T) {
	w := newWorld(t)
	file := w.run(build{image: "base", isFile: true})
	key := registry.BuildKey("base", file.Fingerprint)
	w.edit("base/channels/latest.json", `"manifest_seq": 1`, `"manifest_seq": 0`)
	object, err := w.store.Get(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	var sources []string
	for i := range 30 {
		sources = append(sources, fmt.Sprintf("file.%02d", i))
	}
	body := regexp.MustCompile(`"build_time": \d+`).ReplaceAll(object.Body, []byte(`"build_time": 253402300800`))
	w.put(key, string(body))
	w.edit(key, `"files": [`, `"files": [{"name": "x", "size": 9223372036854775807}, `)
	w.edit(key, `"components": [`, `"ci": {"provider": "<>"}, "sources": ["`+strings.Join(sources, `", "`)+`"], "components": [`)
	r := w.report()
	checkJSON(t, loadSchema(t), r)
	channel := r.Images[0].Channels[0]
	if !channel.BuiltAt.IsZero() || channel.Build != nil || channel.Artifacts[0].Size != math.MaxInt64 {
		t.Errorf("got %+v", channel)
	}
	if got := channel.Reason; strings.Count(got, "not built yet") != 20 || !strings.HasSuffix(got, "; and more") {
		t.Errorf("got reason %s", got)
	}
}

// TestMake_notCompared has images of which paths names the folder, and that cannot be compared.
func TestMake_notCompared(t *testing.T) {
	w := newWorld(t)
	w.options.Checkouts = map[string]report.Checkout{
		"strange": {Problem: "no such folder"}, "new": {TemplateSHA: tree("1")},
	}
	for _, image := range []string{"compared", "damaged", "moved", "strange"} {
		w.promote(w.run(build{image: image}), "production")
		if image != "strange" {
			w.options.Checkouts[image] = report.Checkout{TemplateSHA: tree("1")}
		}
	}
	w.put("damaged/channels/latest.json", "{")
	w.store.Delete("moved/channels/latest.json")
	if diff := cmp.Diff([]string{"damaged", "moved", "strange"}, w.report().NotCompared); diff != "" {
		t.Errorf("not compared (-want +got):\n%s", diff)
	}
}

// TestMake_newer has parents of which nobody can tell whether they are current: none of them has a
// newer build then.
func TestMake_newer(t *testing.T) {
	w := newWorld(t)
	base := w.run(build{image: "base"})
	elsewhere, far := base, base
	elsewhere.Image = "elsewhere"
	far.Region, far.Identity = us, far.AMI
	pinned := base
	pinned.Channel = ""
	w.run(build{image: "app", parents: []manifest.Parent{base, elsewhere, far, pinned}})
	newer := func() (newer []bool) {
		for _, parent := range w.report().Images[1].Channels[0].Parents {
			newer = append(newer, parent.Newer)
		}
		return newer
	}
	if got := newer(); slices.Contains(got, true) {
		t.Errorf("got %t before a newer build", got)
	}
	w.run(build{image: "base", template: "2"})
	if diff := cmp.Diff([]bool{true, false, false, false}, newer()); diff != "" {
		t.Errorf("newer (-want +got):\n%s", diff)
	}
}

func TestMake_title(t *testing.T) {
	from := report.Contents{Registry: "/srv/chain"}
	for title, want := range map[string]string{
		"": "/srv/chain", " \n": "/srv/chain", "Images\nof \u202eAcme": "Images of Acme",
	} {
		if got := report.Make(from, report.Options{Title: title}).Title; got != want {
			t.Errorf("%q became %q, want %q", title, got, want)
		}
	}
}
