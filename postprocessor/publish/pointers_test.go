// SPDX-License-Identifier: MPL-2.0

package publish

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/packer-chain/packer-plugin-chain/internal/access"
	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
	"github.com/packer-chain/packer-plugin-chain/internal/record"
	"github.com/packer-chain/packer-plugin-chain/internal/registry"
	"github.com/packer-chain/packer-plugin-chain/internal/store"
	"github.com/packer-chain/packer-plugin-chain/internal/store/storetest/memstore"
)

// TestChannels_branches has runs of all kinds of lines. Each publishes, and moves its own line;
// only some move the channel.
func TestChannels_branches(t *testing.T) {
	line := func(kind manifest.LineKind, name string) manifest.Line { return manifest.Line{Kind: kind, Name: name} }
	branch := func(name string) manifest.Line { return line(manifest.LineBranch, name) }
	pull, tag := line(manifest.LinePullRequest, "42"), line(manifest.LineTag, "v1.2")
	for name, tt := range map[string]struct {
		line     manifest.Line
		document string
		defaults []string
		options  string
		why      string // empty: the channel moves
	}{
		"main":                    {main, "main", nil, "", ""},
		"another branch":          {branch("feature-x"), "feature-x", nil, "", "branch feature-x is not one of main, master"},
		"pull request":            {pull, "pr-42", nil, "", "pull request 42 is not one of main, master"},
		"merge queue":             {line(manifest.LineQueue, "main"), "queue-main", nil, "", "merge queue main is not one of main, master"},
		"tag":                     {tag, "tag-v1.2", nil, "", "tag v1.2 is not one of main, master"},
		"local":                   {manifest.Line{Kind: manifest.LineLocal}, "local", nil, "", "HEAD is not on origin/main yet: push it"},
		"default branch trunk":    {branch("trunk"), "trunk", []string{"trunk"}, "", ""},
		"main, default is trunk":  {main, "main", []string{"trunk"}, "", "branch main is not one of trunk"},
		"tags may":                {tag, "tag-v1.2", nil, `branches = ["refs/tags/v*"]`, ""},
		"main, only tags may":     {main, "main", []string{"main"}, `branches = ["refs/tags/v*"]`, "branch main is not one of refs/tags/v*"},
		"pull requests may":       {pull, "pr-42", nil, `branches = ["main", "refs/pull/*"]`, ""},
		"release branch":          {branch("release/x/1"), "release_2fx_2f1", nil, `branches = ["release/*"]`, ""},
		"local, whatever may":     {manifest.Line{Kind: manifest.LineLocal}, "local", nil, `branches = ["*"]`, "HEAD is not on origin/main yet: push it"},
		"nobody may":              {main, "main", nil, `branches = []`, "branches is empty"},
		"branch of a tag's name":  {branch("v1.2"), "v1.2", nil, `branches = ["refs/tags/v*"]`, "branch v1.2 is not one of refs/tags/v*"},
		"branch that shows badly": {branch("a\x1b[2Jb"), "a_1b_5b2_4ab", nil, "", "branch a[2Jb is not one of main, master"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := folder(t)
			moved(t, dir, "latest", older)
			rec := newRecord(dir)
			rec.Git.Line, rec.DefaultBranches, rec.NotOnBranch = tt.line, tt.defaults, "HEAD is not on origin/main yet: push it"
			ui := processed(t, configured(t, "file", rec, tt.options), &fakeArtifact{id: "File"})
			if !leaves(t, dir, tt.document) || stored(t, dir) == nil {
				t.Error("it is not published, or its line did not move")
			}
			if points(t, dir, "latest") != (tt.why == "") {
				t.Errorf("channel latest moved, or not: %q", ui.said)
			}
			want := "channel latest is not moved: " + tt.why
			if tt.why != "" && !slices.Contains(ui.said, want) {
				t.Errorf("got %q, want %q", ui.said, want)
			}
			if tt.document != "main" && pointer(t, dir, registry.Line, "main") != nil {
				t.Error("the line of main moved too")
			}
		})
	}
}

// TestChannels_neverMoved warns if nobody has said which branches may move a channel, and maybe
// none ever will.
func TestChannels_neverMoved(t *testing.T) {
	const why = "channel latest is not moved: branch feature-x is not one of "
	for options, red := range map[string][]string{
		"":                      {"warning: " + why + "main, master. It does not exist yet: set branches to those whose runs may move channels"},
		`branches = ["trunk"]`:  nil,
		`channels = ["latest"]`: {"warning: " + why + "main, master. It does not exist yet: set branches to those whose runs may move channels"},
		`channels = []`:         nil,
	} {
		dir := folder(t)
		rec := newRecord(dir)
		rec.Git.Line.Name = "feature-x"
		ui, err := process(t, configured(t, "file", rec, options), &fakeArtifact{id: "File"})
		if err != nil || !slices.Equal(ui.red, red) || points(t, dir, "latest") {
			t.Errorf("%s: got %v, %q", options, err, ui.red)
		}
		rec.Git.Line = manifest.Line{Kind: manifest.LineLocal} // For a laptop, nothing is wrong.
		processed(t, configured(t, "file", rec, options), &fakeArtifact{id: "File"})
		if red == nil && options != `channels = []` && !slices.Contains(ui.said, why+"trunk") {
			t.Errorf("%s: got %q", options, ui.said)
		}
	}
}

// TestChannels_blocks has a channel that other branches move than the rest.
func TestChannels_blocks(t *testing.T) {
	const options = "channels = [\"latest\", \"staging\"]\nbranches = [\"main\"]\n" +
		"channel {\n name = \"release\"\n branches = [\"release/*\", \"refs/tags/v*\"]\n}\n"
	const only = "channel {\n name = \"nightly\"\n branches = [\"main\"]\n}\n"
	for name, tt := range map[string]struct {
		line    manifest.Line
		options string
		moved   []string
	}{
		"main":                     {main, options, []string{"latest", "staging"}},
		"release":                  {manifest.Line{Kind: manifest.LineBranch, Name: "release/1"}, options, []string{"release"}},
		"tag":                      {manifest.Line{Kind: manifest.LineTag, Name: "v1.2"}, options, []string{"release"}},
		"feature":                  {manifest.Line{Kind: manifest.LineBranch, Name: "feature"}, options, nil},
		"blocks and no channels":   {main, only, []string{"nightly"}},
		"blocks and a list, empty": {main, "channels = []\n" + only, []string{"nightly"}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := folder(t)
			rec := newRecord(dir)
			rec.Git.Line = tt.line
			processed(t, configured(t, "file", rec, tt.options), &fakeArtifact{id: "File"})
			var got []string
			for _, channel := range []string{"latest", "nightly", "release", "staging"} {
				if points(t, dir, channel) {
					got = append(got, channel)
				}
			}
			if !slices.Equal(got, tt.moved) {
				t.Errorf("moved are %q, want %q", got, tt.moved)
			}
		})
	}
}

// rolledBack has a channel on an older image, because a rollback left the image of newRecord.
func rolledBack(t *testing.T, dir string) {
	t.Helper()
	processed(t, configured(t, "file", newRecord(dir), ""), &fakeArtifact{id: "File"})
	moved(t, dir, "latest", func(r *registry.Request) { older(r); r.AllowRollback = true })
}

// TestChannels_report prints what became of the channel in the run of a template.
func TestChannels_report(t *testing.T) {
	const allow = "allow_rollback = true"
	foreign := func(r *registry.Request) { older(r); r.To.Origin = "github.com/acme/old//app" }
	move := func(change func(*registry.Request)) func(*testing.T, string) {
		return func(t *testing.T, dir string) { moved(t, dir, "latest", change) }
	}
	arm := func(r *registry.Request) { older(r); r.To.Builds[0].Architecture = "arm64" }
	for name, tt := range map[string]struct {
		before  func(t *testing.T, dir string)
		options string
		moves   bool
		// said, red or failed is what is printed of the channel.
		said, red, failed string
	}{
		"new":                    {nil, "", true, "channel latest -> 111111111111 (created)", "", ""},
		"moved":                  {move(older), "", true, "channel latest -> 111111111111", "", ""},
		"newer":                  {move(nil), "", false, "channel latest stays on 222222222222: a newer commit moved it there", "", ""},
		"newer, allow_rollback":  {move(nil), allow, true, "channel latest -> 111111111111 (rolled back)", "", ""},
		"held":                   {rolledBack, "", false, "", "warning: channel latest stays on 222222222222: a rollback left what this run has. To move it all the same, set allow_rollback = true.", ""},
		"held, allow_rollback":   {rolledBack, allow, true, "channel latest -> 111111111111", "", ""},
		"allow_rollback is told": {move(older), allow, true, "allow_rollback is set: channels move to older commits too", "", ""},
		"another origin": {move(foreign), "", false, "", "", "channel latest stays on 222222222222: it was moved there from github.com/acme/old//app, " +
			"and this is github.com/acme/images//app\n\nGive one of the two images another name. If the template has moved, set origin = \"github.com/acme/old//app\"."},
		"origin taken over":       {move(foreign), `origin = "github.com/acme/old//app"`, true, "channel latest -> 111111111111", "", ""},
		"origin is not that one":  {move(foreign), `origin = "github.com/acme/images//app"`, false, "", "", "set origin = \"github.com/acme/old//app\"."},
		"moved without git":       {move(func(r *registry.Request) { r.To.Commit = "" }), "", false, "", "", "only one of the two was built from a commit, so their order is not known\n\nTo move it all the same, set allow_rollback = true."},
		"other architecture":      {move(arm), "", true, "channel latest -> 111111111111", "", ""}, // a file has none
		"without git, but forced": {move(func(r *registry.Request) { r.To.Commit = "" }), allow, true, "channel latest -> 111111111111", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			dir := folder(t)
			if tt.before != nil {
				tt.before(t, dir)
			}
			t.Setenv("PACKER_RUN_UUID", "run2")
			rec := newRecord(dir)
			rec.Forced = true
			ui, err := process(t, configured(t, "file", rec, tt.options), &fakeArtifact{id: "File"})
			if points(t, dir, "latest") != tt.moves || !leaves(t, dir, "main") {
				t.Errorf("channel latest moved, or not, or the line did not: %q, %q", ui.said, ui.red)
			}
			switch {
			case tt.failed != "":
				if err == nil || !strings.HasPrefix(err.Error(), "publish app: channel latest stays on 222222222222: ") || !strings.Contains(err.Error(), tt.failed) {
					t.Errorf("got %v, want %q in it", err, tt.failed)
				}
			case err != nil:
				t.Error(err)
			case tt.red != "" && !slices.Equal(ui.red, []string{tt.red}), tt.red == "" && len(ui.red) > 0:
				t.Errorf("in red: %q, want %q", ui.red, tt.red)
			case tt.said != "" && !slices.Contains(ui.said, tt.said):
				t.Errorf("got %q, want %q in it", ui.said, tt.said)
			}
		})
	}
}

// TestChannels_again: a run that finds the channel where it wants it says nothing of it, and adds
// no move, also if another run of the same fingerprint was published since.
func TestChannels_again(t *testing.T) {
	dir := folder(t)
	processed(t, configured(t, "file", newRecord(dir), ""), &fakeArtifact{id: "File"})
	first := passedThrough(dir, stored(t, dir), false)
	t.Setenv("PACKER_RUN_UUID", "forced")
	forced := newRecord(dir)
	forced.Forced = true
	processed(t, configured(t, "file", forced, "channels = []"), &fakeArtifact{id: "File"})
	ui := processed(t, configured(t, "chain", first, ""), &fakeArtifact{id: "File"})
	at := pointer(t, dir, registry.Channel, "latest")
	if len(at.Moves) != 1 || at.Current().Builds[0].Run != "run" || slices.ContainsFunc(ui.said, func(s string) bool { return strings.Contains(s, "channel") }) {
		t.Errorf("got %+v, %q", at, ui.said)
	}
	if line := pointer(t, dir, registry.Line, "main"); len(line.Moves) != 3 || line.Current().Builds[0].Run != "run" {
		t.Errorf("the line is not where its newest run went: %+v", line)
	}
}

func TestWarnOfArchitectures(t *testing.T) {
	x86, arm := []string{"x86_64"}, []string{"arm64"}
	for name, tt := range map[string]struct {
		before, now []string
		want        bool
	}{
		"the same":    {x86, x86, false},
		"another":     {x86, arm, true},
		"one more":    {x86, []string{"arm64", "x86_64"}, true},
		"not known":   {nil, arm, false},
		"not any AMI": {x86, nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			ui := &screen{}
			publication{ui: ui}.warnOfArchitectures(channelName("latest"), tt.before, tt.now)
			if warned := len(ui.red) == 1 && strings.HasPrefix(ui.red[0], "warning: channel latest was for "); warned != tt.want {
				t.Errorf("got %q", ui.red)
			}
			if tt.want && !strings.Contains(ui.red[0], `set architecture in data "chain-image"`) {
				t.Errorf("got %q", ui.red)
			}
		})
	}
}

// guarded is a store in which this run may not write what is under a prefix.
type guarded struct {
	*memstore.Store
	prefix string
}

func (g *guarded) Put(ctx context.Context, key string, body []byte, tag string) (string, error) {
	if strings.HasPrefix(key, g.prefix) {
		return "", fmt.Errorf("write %s: %w", key, store.ErrDenied)
	}
	return g.Store.Put(ctx, key, body, tag)
}

// TestLine_denied is a fork that may not write: fine as long as it has nothing to publish.
func TestLine_denied(t *testing.T) {
	const line = "app/lines/"
	for name, tt := range map[string]struct {
		prefix string
		change func(*record.Record)
		fails  bool
		red    string
	}{
		"nothing built":          {line, func(rec *record.Record) { rec.Pending = nil }, false, "warning: line main is not moved: "},
		"published only now":     {line, func(rec *record.Record) { rec.Pending, rec.Unpublished = nil, true }, true, ""},
		"built":                  {line, func(*record.Record) {}, true, ""},
		"the channel is refused": {"app/channels/", func(rec *record.Record) { rec.Pending = nil }, true, ""},
	} {
		t.Run(name, func(t *testing.T) {
			j := newSibling(t, folder(t), "image")
			reg := registry.New(&guarded{Store: memstore.New(), prefix: tt.prefix})
			done := progress{own: j.entries}
			var err error
			done.stored, err = reg.Publish(t.Context(), j.facts(), j.entries, nil)
			check(t, err)
			ui := &screen{}
			j.ui, j.config.Channels, j.rec.Entries, j.config.PackerBuilderType = ui, []string{"latest"}, j.entries, builderType
			tt.change(&j.rec)
			if len(j.rec.Pending) > 0 {
				j.config.PackerBuilderType = "file"
			}
			_, err = j.point(t.Context(), &access.Connection{}, reg, done, nil)
			if (err != nil) != tt.fails || tt.fails && !strings.Contains(err.Error(), "access denied") {
				t.Errorf("got %v", err)
			}
			if tt.red != "" && (len(ui.red) != 1 || !strings.HasPrefix(ui.red[0], tt.red)) {
				t.Errorf("in red: %q", ui.red)
			}
			other := channelName("latest")
			if tt.prefix != line {
				other = j.line()
			}
			if _, err := reg.Pointer(t.Context(), "app", other); err != nil {
				t.Errorf("the other pointer is left behind: %v", err)
			}
		})
	}
}
