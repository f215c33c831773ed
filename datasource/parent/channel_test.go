// SPDX-License-Identifier: MPL-2.0

package parent

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/packer-chain/packer-plugin-chain/internal/manifest"
	"github.com/packer-chain/packer-plugin-chain/internal/record"
	"github.com/packer-chain/packer-plugin-chain/internal/registry"
	"github.com/packer-chain/packer-plugin-chain/internal/store/dirstore"
)

// history moves the channel "latest" to images in turn. Each letter is an image, the time of whose
// commit is that of the letter, so that a move to an earlier one is a rollback.
func history(t *testing.T, images string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for _, letter := range images {
		facts := chain(strings.Repeat(fmt.Sprintf("%x", letter-'A'+10), 64))
		facts.Git.Commit = facts.Fingerprint[:40]
		facts.Git.CommitTime = now.Add(time.Duration(letter-'Z') * time.Hour)
		entry := fileBuild("image")
		entry.ArtifactID = string(letter)
		_, err := open(t, dir).Publish(t.Context(), facts, []manifest.Entry{entry}, nil)
		check(t, err)
		point(t, dir, facts, now, latest, entry)
	}
	return dir
}

// TestChannel_previous goes back in the history of a channel.
func TestChannel_previous(t *testing.T) {
	offline(t)
	tests := map[string]struct {
		history  string
		previous int
		want     string
		errors   []string
	}{
		"where it is":                   {"ABC", 0, "C", nil},
		"one before":                    {"ABC", 1, "B", nil},
		"two before":                    {"ABC", 2, "A", nil},
		"too many":                      {"ABC", 3, "", []string{"channel latest of base has no previous image 3. The images of channel latest, with their number for previous:", "  0  ", "  1  ", "  2  ", strings.Repeat("c", 12), strings.Repeat("a", 12), "test"}},
		"it never moved":                {"A", 1, "", []string{"channel latest of base has no previous image 1", "  0  "}},
		"where a rollback left it":      {"ABCB", 0, "B", nil},
		"the same rollback once more":   {"ABCB", 1, "B", nil},
		"one further after a rollback":  {"ABCB", 2, "A", nil},
		"after two rollbacks":           {"ABCBA", 1, "B", nil},
		"too many after a rollback":     {"ABCB", 3, "", []string{"has no previous image 3"}},
		"what comes after the rollback": {"ABAC", 0, "C", nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			dir := history(t, tt.history)
			var d Datasource
			options := fmt.Sprintf("image = \"base\"\nkind = \"artifact\"\nregistry = %q\nchannel = \"latest\"\nprevious = %d\non_missing = \"empty\"", dir, tt.previous)
			if errs := configure(t, &d, options); errs != nil {
				t.Fatal(errs)
			}
			value, err := d.Execute()
			wantID(t, value, err, tt.want, tt.errors...)
			if err != nil {
				if strings.Contains(err.Error(), "  3  ") {
					t.Errorf("it lists more than there is: %s", err)
				}
				return
			}
			rec, err := record.Decode(value.GetAttr("record").AsString())
			check(t, err)
			p := rec.Pointer
			if p == nil || p.Channel != "latest" || p.Seq != int64(len(tt.history)) || p.Back != (tt.previous > 0) {
				t.Errorf("got %+v", p)
			}
			if p.Commit != rec.Fingerprint[:40] || rec.Entries[0].ArtifactID != tt.want {
				t.Errorf("the pointer %+v and the record of %s differ", p, rec.Fingerprint)
			}
		})
	}
}

// TestRecord is what a promotion needs: of which line the image is, and where that run stood.
func TestRecord(t *testing.T) {
	const alone = "\nresolve_by = [\"registry\"]"
	branch := manifest.Line{Kind: manifest.LineBranch, Name: "feature"}
	tests := map[string]struct {
		options func(facts manifest.Facts) string
		channel string
		none    bool
	}{
		"by channel":     {options: func(manifest.Facts) string { return `channel = "staging"` }, channel: "staging"},
		"by path":        {options: func(manifest.Facts) string { return `path = "base"` + alone }},
		"by git_sha":     {options: func(f manifest.Facts) string { return `git_sha = "` + f.Git.SHA + `"` + alone }},
		"by fingerprint": {options: func(f manifest.Facts) string { return `fingerprint = "` + f.Fingerprint + `"` + alone }},
		"nothing": {options: func(manifest.Facts) string {
			return "fingerprint = \"" + strings.Repeat("f", 64) + "\"\non_missing = \"empty\"" + alone
		}, none: true},
		"by local manifest": {options: func(manifest.Facts) string { return `local_manifest = "local.json"` }, none: true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			facts := w.facts()
			facts.Git.Line, facts.Git.CommitTime = branch, now
			w.publish(facts, onLine("main"), inChannel("staging"))
			w.write(map[string]string{"local.json": ours(t, nil)})
			value, err := w.resolve(tt.options(facts))
			check(t, err)
			text := value.GetAttr("record").AsString()
			if tt.none {
				if text != "" {
					t.Errorf("got %s", text)
				}
				return
			}
			rec, err := record.Decode(text)
			check(t, err)
			want := &record.Pointer{Target: registry.TargetOf(facts.Fingerprint, rec.Entries), Channel: tt.channel,
				Owners: []string{"self"}}
			want.Position = registry.Position{Commit: facts.Git.Commit, CommitTime: now, DecidedAt: rec.Pointer.DecidedAt}
			want.Content, want.GitSHA, want.Line = facts.Git.Content, facts.Git.Name, branch
			if tt.channel != "" {
				want.Seq = 1
			}
			if diff := cmp.Diff(want, rec.Pointer); diff != "" || rec.Pointer.DecidedAt.IsZero() {
				t.Error(diff)
			}
			if len(rec.Pending) > 0 || len(rec.Entries) != 1 || rec.Entries[0].ArtifactID != "File-1" || rec.Registry != w.registry || rec.Checkout != nil {
				t.Errorf("got %+v", rec)
			}
		})
	}
}

// Main's run has passed on what a pull request built. By its fingerprint it could not be promoted,
// because the manifest only names the run that baked it.
func TestExecute_recordByFingerprint(t *testing.T) {
	w := newWorld(t)
	facts := w.facts()
	facts.Git.Line = manifest.Line{Kind: manifest.LinePullRequest, Name: "7"}
	w.publish(facts, onLine("pr-7"))
	recordOf := func() *record.Pointer {
		t.Helper()
		value, err := w.resolve(`fingerprint = "` + facts.Fingerprint + `"`)
		check(t, err)
		rec, err := record.Decode(value.GetAttr("record").AsString())
		check(t, err)
		return rec.Pointer
	}
	if at := recordOf(); at.Line.Kind != manifest.LinePullRequest {
		t.Errorf("got %+v", at)
	}
	reg := registry.New(dirstore.New(w.registry))
	stored, err := reg.Manifest(t.Context(), facts.Image, facts.Fingerprint)
	check(t, err)
	to := registry.TargetOf(facts.Fingerprint, stored.Manifest.Current())
	mainLine := manifest.Line{Kind: manifest.LineBranch, Name: "main"}
	to.Line, to.Position = mainLine, registry.Position{Commit: facts.Git.Commit, DecidedAt: now}
	_, err = reg.Move(t.Context(), registry.Request{
		Image: facts.Image, Name: onLine("main"), To: to, Stored: stored}, nil)
	check(t, err)
	if at := recordOf(); at.Line != mainLine || !at.DecidedAt.Equal(now) {
		t.Errorf("got %+v", at)
	}
}
