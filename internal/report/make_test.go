// SPDX-License-Identifier: MPL-2.0

package report_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/packer-chain/packer-plugin-chain/internal/ami"
	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
	"github.com/packer-chain/packer-plugin-chain/internal/report"
	"github.com/packer-chain/packer-plugin-chain/internal/tags"
)

// chained builds base, runtime on it, and app on that.
func chained(w *world) (base, runtime, app manifest.Parent) {
	base = w.run(build{image: "base"})
	runtime = w.run(build{image: "runtime", parents: []manifest.Parent{base}})
	app = w.run(build{image: "app", parents: []manifest.Parent{runtime}})
	return base, runtime, app
}

var statusTests = map[string]struct {
	given func(w *world)
	// lines and plan are what the report says; see the functions of these names.
	lines, plan []string
}{
	"nothing has changed": {
		given: func(w *world) { chained(w) },
		lines: []string{"base: current: unchanged", "runtime: current: unchanged", "app: current: unchanged"},
	},
	"a new base": {
		given: func(w *world) {
			chained(w)
			w.run(build{image: "base", template: "2"})
		},
		lines: []string{
			"base: current: unchanged", "runtime: out of date: parent base: BASE1 -> BASE2",
			"app: out of date: its ancestor base has a newer build in channel latest",
		},
		plan: []string{
			"0 runtime: parent base: BASE1 -> BASE2", "1 app: built on runtime (only follows)",
		},
	},
	"a child that another channel points at is as old": {
		given: func(w *world) {
			_, runtime, _ := chained(w)
			w.promote(runtime, "production")
			base := w.run(build{image: "base", template: "2"})
			w.run(build{image: "runtime", parents: []manifest.Parent{base}})
		},
		lines: []string{
			"base: current: unchanged", "runtime: current: unchanged",
			"app: out of date: parent runtime: RUNTIME1 -> RUNTIME2; its ancestor base has a newer build in channel latest",
		},
		plan: []string{"0 app: parent runtime: RUNTIME1 -> RUNTIME2; its ancestor base has a newer build in channel latest"},
	},
	"the same parent again": {
		given: func(w *world) {
			chained(w)
			w.run(build{image: "base"})
		},
		lines: []string{"base: current: unchanged", "runtime: current: unchanged", "app: current: unchanged"},
	},
	"a parent that came from no channel": {
		given: func(w *world) {
			base := w.run(build{image: "base"})
			base.Channel = ""
			w.run(build{image: "runtime", parents: []manifest.Parent{base}})
		},
		lines: []string{"base: current: unchanged", "runtime: unknown: parent base came from no channel"},
	},
	"a parent of another registry": {
		given: func(w *world) {
			base := w.run(build{image: "base"})
			base.Image = "elsewhere"
			w.run(build{image: "runtime", parents: []manifest.Parent{base}})
		},
		lines: []string{
			"base: current: unchanged",
			"runtime: unknown: this registry has no channel latest of parent elsewhere",
		},
	},
	"a parent that is not in the region any more": {
		given: func(w *world) {
			chained(w)
			w.run(build{image: "base", template: "2", regions: []string{us}})
		},
		lines: []string{
			"base: current: unchanged", "runtime: unknown: channel latest of parent base has no AMI in eu-west-1",
			"app: out of date: its ancestor base has a newer build in channel latest",
		},
	},
	"a parent that is a file": {
		given: func(w *world) {
			base := w.run(build{image: "base", isFile: true})
			w.run(build{image: "runtime", isFile: true, parents: []manifest.Parent{base}})
			w.run(build{image: "base", template: "2", isFile: true})
		},
		lines: []string{"base: current: unchanged", "runtime: out of date: parent base: BASE1 -> BASE2"},
		plan:  []string{"0 runtime: parent base: BASE1 -> BASE2"},
	},
	"a source is missing": {
		given: func(w *world) {
			w.run(build{image: "base", sources: []string{"amazon-ebs.amd64", "amazon-ebs.arm64"}})
		},
		lines: []string{"base: incomplete: amazon-ebs.arm64: not built yet"},
		plan:  []string{"0 base: amazon-ebs.arm64: not built yet"},
	},
	"revoked": {
		given: func(w *world) {
			base, _, _ := chained(w)
			w.revoke(base, "CVE-2026-0001")
		},
		lines: []string{
			"base: revoked: CVE-2026-0001", "runtime: revoked: its ancestor base is revoked: CVE-2026-0001",
			"app: revoked: its ancestor base is revoked: CVE-2026-0001",
		},
		plan: []string{
			"0 base: revoked: CVE-2026-0001", "1 runtime: its ancestor base is revoked: CVE-2026-0001",
			"2 app: its ancestor base is revoked: CVE-2026-0001",
		},
	},
	"revoked, and taken all the same": {
		given: func(w *world) {
			base := w.run(build{image: "base"})
			base.AllowRevoked = true
			w.run(build{image: "runtime", parents: []manifest.Parent{base}})
			w.revoke(base, "")
		},
		lines: []string{"base: revoked", "runtime: current: unchanged"},
		plan:  []string{"0 base: revoked", "1 runtime: built on base (only follows)"},
	},
	"EC2 has all": {
		given: func(w *world) {
			chained(w)
			w.see()
		},
		lines: []string{"base: current: unchanged", "runtime: current: unchanged", "app: current: unchanged"},
	},
	"an AMI is gone": {
		given: func(w *world) {
			_, runtime, _ := chained(w)
			w.see(runtime.AMI)
		},
		lines: []string{
			"base: current: unchanged", "runtime: incomplete: RUNTIME1 in eu-west-1 is gone",
			"app: current: unchanged",
		},
		plan: []string{
			"0 runtime: RUNTIME1 in eu-west-1 is gone", "1 app: built on runtime (only follows)",
		},
	},
	"AMIs are deprecated": {
		given: func(w *world) {
			base := w.run(build{image: "base"})
			app := w.run(build{image: "app", allowDeprecated: true})
			w.see()
			w.deprecate(base)
			w.deprecate(app)
		},
		lines: []string{
			"app: current: unchanged",
			"base: incomplete: BASE1 in eu-west-1 has been deprecated since 2026-01-01T00:00:00Z",
		},
		plan: []string{"0 base: BASE1 in eu-west-1 has been deprecated since 2026-01-01T00:00:00Z"},
	},
	"somebody revoked an AMI in the console": {
		given: func(w *world) {
			base, _, _ := chained(w)
			w.see()
			at := ami.Address{Region: eu, ID: base.AMI}
			image := w.options.Seen[at]
			image.Tags = map[string]string{tags.Revoked: "leaked"}
			w.options.Seen[at] = image
		},
		lines: []string{
			"base: revoked: BASE1 in eu-west-1 is revoked: leaked",
			"runtime: revoked: its ancestor base, BASE1 in eu-west-1, is revoked: leaked",
			"app: revoked: its ancestor base, BASE1 in eu-west-1, is revoked: leaked",
		},
		plan: []string{
			"0 base: BASE1 in eu-west-1 is revoked: leaked",
			"1 runtime: its ancestor base, BASE1 in eu-west-1, is revoked: leaked",
			"2 app: its ancestor base, BASE1 in eu-west-1, is revoked: leaked",
		},
	},
	"a region could not be asked": {
		given: func(w *world) {
			w.run(build{image: "base"})
			w.see()
			w.options.Unseen = map[string]string{eu: "timeout"}
		},
		lines: []string{"base: unknown: BASE1 in eu-west-1 was not looked up"},
	},
	"files have changed": {
		given: func(w *world) {
			chained(w)
			w.options.Checkouts = map[string]report.Checkout{
				"base": {TemplateSHA: tree("2")}, "runtime": {TemplateSHA: tree("1")},
			}
		},
		lines: []string{
			"base: out of date: template: TREE1 -> TREE2", "runtime: current: unchanged",
			"app: current: unchanged",
		},
		plan: []string{
			"0 base: template: TREE1 -> TREE2", "1 runtime: built on base (only follows)",
			"2 app: built on runtime (only follows)",
		},
	},
	"a file outside has changed": {
		given: func(w *world) {
			w.run(build{image: "base", extra: map[string]string{"shared/motd": tree("1")}})
			w.options.Checkouts = map[string]report.Checkout{
				"base": {TemplateSHA: tree("1"), Extra: map[string]string{"shared/motd": tree("2")}},
			}
		},
		lines: []string{"base: out of date: extra shared/motd: TREE1 -> TREE2"},
		plan:  []string{"0 base: extra shared/motd: TREE1 -> TREE2"},
	},
	"git cannot tell": {
		given: func(w *world) {
			w.run(build{image: "base"})
			w.options.Checkouts = map[string]report.Checkout{"base": {Problem: "no such folder"}}
		},
		lines: []string{"base: unknown: no such folder"},
	},
	"an image that was never built": {
		given: func(w *world) {
			w.run(build{image: "base"})
			w.options.Checkouts = map[string]report.Checkout{
				"base": {TemplateSHA: tree("2")}, "app": {TemplateSHA: tree("1")},
			}
		},
		lines: []string{"app: unknown: first build of app", "base: out of date: template: TREE1 -> TREE2"},
		plan:  []string{"0 base: template: TREE1 -> TREE2", "1 app: first build of app"},
	},
	"git cannot tell of an image that was never built": {
		given: func(w *world) {
			w.options.Checkouts = map[string]report.Checkout{"app": {Problem: "no such folder"}}
		},
		lines: []string{"app: unknown: first build of app; no such folder"},
		plan:  []string{"0 app: first build of app; no such folder"},
	},
	"a channel that is damaged": {
		given: func(w *world) {
			w.run(build{image: "base"})
			w.put("base/channels/latest.json", "{")
		},
		lines: []string{"base: unknown: read memory://base/channels/latest.json: corrupt: unexpected EOF after offset 1"},
	},
	"a channel that points at nothing": {
		given: func(w *world) {
			chained(w)
			for _, key := range w.keys("base", "builds") {
				w.store.Delete(key)
			}
		},
		lines: []string{
			"base: unknown: read memory://base/builds/PRINT.json: channel latest points at it, but it does not exist",
			"runtime: current: unchanged", "app: current: unchanged",
		},
	},
	"a manifest that is not the one": {
		given: func(w *world) {
			w.run(build{image: "base"})
			key := w.keys("base", "builds")[0]
			object, _ := w.store.Get(w.t.Context(), key)
			w.put(key, strings.Replace(string(object.Body), `"commit": "`, `"x": 1, "commit": "`, 1))
		},
		lines: []string{"base: unknown: read memory://base/builds/PRINT.json: corrupt: it is not the manifest that channel latest points at (SHA-256 PRINT, expected PRINT)"},
	},
	"an image without channels": {
		given: func(w *world) {
			w.run(build{image: "base"})
			w.store.Delete("base/channels/latest.json")
		},
		lines: []string{"base: unknown: no channel points at it"},
	},
	"a circle": {
		given: func(w *world) {
			a := w.run(build{image: "a"})
			b := w.run(build{image: "b", parents: []manifest.Parent{a}})
			w.run(build{image: "a", parents: []manifest.Parent{b}})
		},
		lines: []string{"a: current: unchanged", "b: out of date: parent a: A1 -> A2"},
		plan:  []string{"0 b: parent a: A1 -> A2"},
	},
}

func TestMake(t *testing.T) {
	for name, tt := range statusTests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			tt.given(w)
			r := w.report()
			if diff := cmp.Diff(tt.lines, w.named(lines(r))); diff != "" {
				t.Errorf("statuses (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.plan, w.named(plan(r))); diff != "" {
				t.Errorf("plan (-want +got):\n%s", diff)
			}
			if got := slices.IsSortedFunc(r.Plan, func(a, b report.Step) int { return a.Level - b.Level }); !got {
				t.Error("the plan is out of order")
			}
		})
	}
}
