// SPDX-License-Identifier: MPL-2.0

package publish

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
	"github.com/packer-chain/packer-plugin-chain/internal/record"
	"github.com/packer-chain/packer-plugin-chain/internal/registry"
)

// candidate publishes the image of newRecord without a channel, and returns the record that data
// "chain" has of it.
func candidate(t *testing.T, dir string) record.Record {
	t.Helper()
	processed(t, configured(t, "file", newRecord(dir), `channels = ["latest"]`), &fakeArtifact{id: "File"})
	check(t, os.RemoveAll(".chain"))
	m := stored(t, dir)
	at := pointer(t, dir, registry.Channel, "latest")
	return record.Record{
		Facts: m.Chain.Facts, Registry: dir, Entries: m.Current(), Reason: "the image of channel latest",
		DecidedAt: at.Current().DecidedAt,
		Pointer: &record.Pointer{
			Target: at.Current(), Channel: "latest", Seq: at.Seq,
		},
	}
}

const production = `channels = ["production"]`

// TestPromote moves the channel that it names, and does nothing else; doing it again changes
// nothing.
func TestPromote(t *testing.T) {
	dir := folder(t)
	rec := candidate(t, dir)
	rec.Pointer.Commit, rec.Pointer.CommitTime = sha2, now.Add(time.Minute) // A later commit has found it unchanged.
	line, build := pointer(t, dir, registry.Line, "main"), stored(t, dir)
	t.Setenv("PACKER_RUN_UUID", "promotion")
	ui := processed(t, configured(t, "chain", rec, production), &fakeArtifact{id: "File"})
	if !slices.Contains(ui.said, "channel production -> 111111111111 (created)") {
		t.Errorf("got %q", ui.said)
	}
	first := pointer(t, dir, registry.Channel, "production")
	to := first.Current()
	if to.Builds[0].Run != "run" || to.Commit != sha2 || to.Line != main || !to.DecidedAt.Equal(rec.DecidedAt) || to.Origin != rec.Git.Origin {
		t.Errorf("got %+v", to)
	}
	processed(t, configured(t, "chain", rec, production), &fakeArtifact{id: "File"})
	if again := pointer(t, dir, registry.Channel, "production"); again.Seq != first.Seq {
		t.Errorf("the second promotion wrote something: %+v", again)
	}
	if pointer(t, dir, registry.Line, "main").Seq != line.Seq || stored(t, dir).Chain.Seq != build.Chain.Seq {
		t.Error("the line or the manifest is written")
	}
	if _, err := os.Stat(".chain"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a promotion leaves a local manifest: %v", err)
	}
}

// TestPromote_refused fails, and leaves the channel as it was, whoever may not promote, and
// whatever may not be promoted.
func TestPromote_refused(t *testing.T) {
	pull := manifest.Line{Kind: manifest.LinePullRequest, Name: "42"}
	const move = "promote app: move channel production of app: "
	const branches = "\nbranches = [\"main\", \"refs/pull/*\"]"
	const allow = "\n\nTo move it all the same, set allow_rollback = true."
	newer := func(t *testing.T, dir string) { moved(t, dir, "production", nil) }
	held := func(t *testing.T, dir string) {
		rec := candidate(t, dir)
		processed(t, configured(t, "chain", rec, production), &fakeArtifact{id: "File"})
		moved(t, dir, "production", func(r *registry.Request) { older(r); r.AllowRollback = true })
	}
	for name, tt := range map[string]struct {
		before  func(t *testing.T, dir string)
		change  func(*record.Record)
		inPull  bool
		options string
		want    string // empty: it moves
	}{
		"older":                    {newer, nil, false, "", "promote app: channel production stays on 222222222222: a newer commit moved it there" + allow},
		"rolled back":              {newer, nil, false, "\nallow_rollback = true", ""},
		"held":                     {held, nil, false, "", "promote app: channel production stays on 222222222222: a rollback left what this run has" + allow},
		"held, forward on purpose": {held, nil, false, "\nallow_rollback = true", ""},
		"in a pull request": {nil, nil, true, "",
			move + "this is the run of pull request 42. Promote from another one, or set branches"},
		"in a pull request, allowed": {nil, nil, true, branches, ""},
		"of a pull request": {nil, func(rec *record.Record) { rec.Pointer.Line = pull }, false, "",
			move + "only pull request 42 has left this image. Run the build of the default branch, which finds it unchanged, and promote that; or set branches"},
		"of a merge queue": {nil, func(rec *record.Record) { rec.Pointer.Line = manifest.Line{Kind: manifest.LineQueue, Name: "main"} }, false, "",
			move + "only merge queue main has left this image. "},
		"of a pull request, allowed": {nil, func(rec *record.Record) { rec.Pointer.Line = pull }, true, branches, ""},
		"of a branch":                {nil, func(rec *record.Record) { rec.Pointer.Line.Name = "feature" }, false, "", ""},
		"not on branches":            {nil, nil, false, "\nbranches = [\"main\"]", move + "local is not one of main"},
		"nobody may":                 {nil, nil, false, "\nbranches = []", move + "branches is empty"},
		"one source of two": {nil, func(rec *record.Record) { rec.Sources = []string{"amazon-ebs.other", "file.image"} }, false, "",
			"publish app: the record has no build of amazon-ebs.other\n\nA channel takes whole images only."},
		"uncommitted files": {nil, func(rec *record.Record) { rec.Git.Dirty = true }, false, "",
			"promote app: no channel is moved: the image contains uncommitted files"},
		"another origin": {func(t *testing.T, dir string) {
			moved(t, dir, "production", func(r *registry.Request) { older(r); r.To.Origin = "github.com/acme/old//app" })
		}, nil, false, "", "If the template has moved, set origin = \"github.com/acme/old//app\"."},
		"back, as it was read": {newer, func(rec *record.Record) {
			rec.Pointer.Channel, rec.Pointer.Seq, rec.Pointer.Back = "production", 1, true
		}, false, "\nallow_rollback = true", ""},
		"back, moved since": {newer, func(rec *record.Record) {
			rec.Pointer.Channel, rec.Pointer.Seq, rec.Pointer.Back = "production", 7, true
		}, false, "\nallow_rollback = true", "it was moved since data \"chain\" read it (then seq 7, now 1)\n\nRun it again."},
		"back, of another channel": {newer, func(rec *record.Record) {
			rec.Pointer.Channel, rec.Pointer.Seq, rec.Pointer.Back = "latest", 7, true
		}, false, "\nallow_rollback = true", ""},
	} {
		t.Run(name, func(t *testing.T) {
			dir := folder(t)
			rec := candidate(t, dir)
			if tt.before != nil {
				tt.before(t, dir)
			}
			if tt.change != nil {
				tt.change(&rec)
			}
			if tt.inPull {
				t.Setenv("GITHUB_ACTIONS", "true")
				t.Setenv("GITHUB_EVENT_NAME", "pull_request")
				t.Setenv("GITHUB_REF", "refs/pull/42/merge")
			}
			ui, err := process(t, configured(t, "chain", rec, production+tt.options), &fakeArtifact{id: "File"})
			if points(t, dir, "production") != (tt.want == "") {
				t.Errorf("production moved, or not: %q", ui.said)
			}
			switch {
			case tt.want == "" && err != nil:
				t.Error(err)
			case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("got %v, want %q in it", err, tt.want)
			}
		})
	}
}

// TestPromote_keep fails whatever on_failure says: nothing was built that could be lost.
func TestPromote_keep(t *testing.T) {
	dir := folder(t)
	rec := candidate(t, dir)
	moved(t, dir, "production", nil)
	ui, err := process(t, configured(t, "chain", rec, production+"\non_failure = \"keep\""), &fakeArtifact{id: "File"})
	if err == nil || !strings.Contains(err.Error(), "a newer commit moved it there") || points(t, dir, "production") {
		t.Errorf("got %v, %q", err, ui.red)
	}
	if _, err := os.Stat(".chain"); !errors.Is(err, os.ErrNotExist) {
		t.Error("a promotion that failed leaves a local manifest")
	}
}
